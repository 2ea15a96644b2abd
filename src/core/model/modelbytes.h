/*
 * modelbytes.h
 *		A model as bytes: writing it, and what the reader shares with the writer.
 */
#ifndef RS_MODELBYTES_H
#define RS_MODELBYTES_H

#include "core/base/text.h"
#include "core/model/model.h"

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error                                                                                             \
	"recsys model files are little endian and are read in place: big-endian hosts are not supported"
#endif

#define RS_FORMAT_VERSION 2
#define RS_LIBRARY_VERSION "1.0.0"

#define RS_IDS_NAME "item_ids"
#define RS_ID_OFFSETS_NAME "item_ids.offsets"
#define RS_ID_TEXT_NAME "item_ids.text"

/* Longest header that is read; the largest we write is a tenth of it. */
#define RS_MAX_HEADER 65536
/* Longest options as JSON. */
#define RS_MAX_OPTIONS_TEXT 4096
/* Longest name of a tensor, metadata key or option, NUL included. */
#define RS_MAX_NAME 64
/* Tensors in a file: the model's own, its parts' and up to two for the ids. */
#define RS_MAX_FILE_TENSORS ((1 + RS_MAX_PARTS) * RS_MAX_TENSORS + 2)

extern const char *const rs_dtype_names[]; /* by RsDtype, ends with NULL */
extern const char *const rs_id_type_names[];
extern size_t rs_dtype_size(RsDtype dtype);

/* Exact size of the model as bytes. */
extern uint64_t rs_model_size(const RsModel *model);

extern RsStatus rs_model_write(RsContext *ctx, const RsModel *model, RsSink sink, void *opaque);

#endif
