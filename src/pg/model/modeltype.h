/*
 * modeltype.h
 *		The type recsys.model.
 *
 * A varlena whose payload starts 4 bytes after VARDATA (zero padding), so that
 * the safetensors bytes are 8-aligned; type alignment is double, storage
 * external.
 */
#ifndef RSPG_MODELTYPE_H
#define RSPG_MODELTYPE_H

#include "pg/base/rspg.h"

#include "core/model/model.h"

#define RSPG_MODEL_BYTES(v) ((const char *) VARDATA(v) + 4)
#define RSPG_MODEL_LENGTH(v) ((Size) VARSIZE(v) - VARHDRSZ - 4)

/* Room for a value of length bytes of model, within recsys.max_model_size. */
extern struct varlena *rspg_model_allocate(uint64 length);

/* Model to a value, with the size bound checked before anything is made. */
extern struct varlena *rspg_model_value(RsContext *ctx, const RsModel *model);

/* Raise an error unless text ids are valid in the server's encoding. */
extern void rspg_check_text_ids(const RsIds *ids);

/* Raise an error unless the value is a model. */
extern void rspg_model_validate(struct varlena *value);

#endif
