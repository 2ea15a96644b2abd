/*
 * store.h
 *		Stored models, opened for answers and kept by the backend.
 */
#ifndef RSPG_STORE_H
#define RSPG_STORE_H

#include "pg/base/rspg.h"

#include "lib/ilist.h"

#include "core/serving/serving.h"
#include "pg/encode/rowvalues.h"
#include "pg/model/registry.h"

typedef struct RspgStored
{
	RsContext ctx;
	const RsServing *serving; /* a view of the bytes */
	RsScratch *scratch;       /* of the calls on it, one at a time */
	MemoryContext mcxt;       /* holds this struct, the bytes and all else */
	int64 model_id; /* with the key, for an owner may write any key into a row of theirs */
	int64 key;
	RsEncoder *encoder;  /* of the model, once it was asked for */
	RspgRowMap *row_map; /* of the relation of users to it */
	int pins;            /* calls that use it */
	dlist_node node;
} RspgStored;

/* The model's encoder, or NULL if it has none. */
extern const RsEncoder *rspg_store_encoder(RspgStored *stored);

/* The live version of a registered model.  Stays until CurrentMemoryContext is
 * reset. */
extern RspgStored *rspg_store_open(const RspgRegistryRow *row);

/* A value of type recsys.model (possibly toasted), kept in fn_extra until a
 * call with another value. */
extern RspgStored *rspg_store_open_value(FmgrInfo *flinfo, struct varlena *value);

#endif
