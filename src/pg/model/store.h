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
#include "pg/model/arena.h"
#include "pg/model/registry.h"

typedef struct RspgStored
{
	RsContext ctx;
	const RsServing *serving; /* a view of the bytes */
	RsScratch *scratch;       /* of the calls on it, one at a time */
	MemoryContext mcxt;       /* holds this struct and what is this backend's alone */
	RspgArenaPlace *place;    /* of the bytes in shared memory, NULL: they are in mcxt */
	uint64 length;            /* of the bytes */
	TimestampTz asked_at;     /* for room in shared memory, in vain */
	int64 model_id; /* with the key, for an owner may write any key into a row of theirs */
	int64 key;
	RsEncoder *encoder;  /* of the model, once it was asked for */
	RspgRowMap *row_map; /* of the relation of users to it */
	int pins;            /* calls that use it */
	dlist_node node;
} RspgStored;

/* The model's encoder, or NULL if it has none. */
extern const RsEncoder *rspg_store_encoder(RspgStored *stored);

/* Call body in a memory context that ends with it: what it opens below is held no
 * longer, whenever its rows are fetched. */
extern Datum rspg_store_call(PGFunction body, FunctionCallInfo fcinfo);

/* The live version of a registered model.  Stays until CurrentMemoryContext is
 * reset. */
extern RspgStored *rspg_store_open(const RspgRegistryRow *row);

/* Have the live version, of which there is one, in shared memory; false if there is no
 * room.  The backend keeps nothing of it. */
extern bool rspg_store_warm(const RspgRegistryRow *row);

/* A value of type recsys.model (possibly toasted), kept in fn_extra with
 * others that were used lately. */
extern RspgStored *rspg_store_open_value(FmgrInfo *flinfo, struct varlena *value);

#endif
