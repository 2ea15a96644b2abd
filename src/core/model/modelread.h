/*
 * modelread.h
 *		A model from bytes.
 */
#ifndef RS_MODELREAD_H
#define RS_MODELREAD_H

#include "core/model/model.h"

/*
 * Read and validate bytes from anyone: every size in 64 bits and checked
 * before it is used, all floats finite, ids strictly ascending, tensors
 * covering the file without gap, overlap or trailing bytes, then rs_model_check.
 * Algorithms are looked up in table.  The model points into bytes, which must
 * stay and be 8-aligned.  RS_ERR_BYTES or RS_ERR_VERSION.
 */
extern RsStatus rs_model_read(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes,
							  uint64_t length, RsModel *model);

/* The same for bytes that it has accepted before: reads the header and none of the
 * numbers. */
extern RsStatus rs_model_read_trusted(RsContext *ctx, const RsAlgorithm *const *table,
									  const void *bytes, uint64_t length, RsModel *model);

#endif
