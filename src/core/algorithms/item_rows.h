/*
 * item_rows.h
 *		Sparse item-item weights in a model: three tensors, summed by a query.
 *
 * Row = source item (what the user has), column = target item (what is scored),
 * columns ascending:
 *
 *		item_weights.offsets  I64 [n + 1]
 *		item_weights.items    I32 [nnz]
 *		item_weights.values   F32 [nnz]
 */
#ifndef RS_ITEM_ROWS_H
#define RS_ITEM_ROWS_H

#include "core/model/algorithm.h"

/* Are the three tensors there, offsets monotone, columns ascending and in range? */
extern RsStatus rs_item_rows_check(RsContext *ctx, const RsModel *model);

/* out[i] += scale * w for each (i, w) in the row of source. */
extern void rs_item_rows_add(const RsModel *model, uint32_t source, float scale, float *out);

/* out = sum of weight * row over the history. */
extern RsStatus rs_item_rows_query(RsContext *ctx, const RsModel *model, const RsHistory *history,
								   float *out);

#endif
