/*
 * store.c
 *		Stored models, opened for answers and kept by the backend.
 *
 * A version never changes, and its key is never used twice: the key alone says
 * whether a kept model is the right one.  Which version is live is asked of
 * the registry on every call, so there is nothing to invalidate; what is no
 * longer asked for leaves by age.
 */
#include "pg/model/store.h"

#include "access/detoast.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/algorithms/algorithms.h"
#include "pg/base/guc.h"
#include "pg/model/chunks.h"
#include "pg/model/modeltype.h"

static dlist_head kept = DLIST_STATIC_INIT(kept); /* used last first */
static Size kept_bytes = 0;

static RspgStored *find_kept(const RspgRegistryRow *row);
static void make_room(Size needed, const RspgStored *stays);
static RspgStored *create_stored(MemoryContext parent, const char *name);
static void open_serving(RspgStored *stored, const void *bytes, uint64 length);
static RspgStored *load(const RspgRegistryRow *row);

RspgStored *
rspg_store_open(const RspgRegistryRow *row)
{
	RspgStored *stored;

	if (row->live_version == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no version yet", row->name),
						errhint("Train it with recsys.train(%s).", quote_literal_cstr(row->name))));
	stored = find_kept(row);
	if (stored != NULL)
	{
		make_room(0, stored); /* the bound may have been lowered */
		return stored;
	}
	stored = load(row);
	make_room(stored->bytes, NULL);
	MemoryContextSetParent(stored->mcxt, TopMemoryContext);
	kept_bytes += stored->bytes;
	dlist_push_head(&kept, &stored->node);
	return stored;
}

static RspgStored *
find_kept(const RspgRegistryRow *row)
{
	dlist_iter iter;

	dlist_foreach(iter, &kept)
	{
		RspgStored *stored = dlist_container(RspgStored, node, iter.cur);

		if (stored->model_id == row->id && stored->key == row->live_key)
		{
			dlist_move_head(&kept, &stored->node);
			return stored;
		}
	}
	return NULL;
}

/*
 * Let the models go that were not used for longest, until needed bytes fit;
 * the one that stays (NULL: none) was used last.
 */
static void
make_room(Size needed, const RspgStored *stays)
{
	Size limit = (Size) recsys_local_cache_size * 1024;

	while (!dlist_is_empty(&kept) && kept_bytes + needed > limit)
	{
		RspgStored *oldest = dlist_tail_element(RspgStored, node, &kept);

		if (oldest == stays)
			break;
		kept_bytes -= oldest->bytes;
		dlist_delete(&oldest->node);
		MemoryContextDelete(oldest->mcxt);
	}
}

/*
 * An empty entry in a context of its own below parent: an error on the way
 * frees it with the parent.
 */
static RspgStored *
create_stored(MemoryContext parent, const char *name)
{
	MemoryContext mcxt = AllocSetContextCreate(parent, "recsys model", ALLOCSET_SMALL_SIZES);
	RspgStored *stored = MemoryContextAllocZero(mcxt, sizeof(RspgStored));

	if (name != NULL)
		MemoryContextSetIdentifier(mcxt, MemoryContextStrdup(mcxt, name));
	stored->mcxt = mcxt;
	stored->ctx = rspg_context(mcxt);
	return stored;
}

static void
open_serving(RspgStored *stored, const void *bytes, uint64 length)
{
	stored->serving = rs_serving_open(&stored->ctx, rs_algorithms(), bytes, length);
	if (stored->serving == NULL)
		return;
	rspg_check_text_ids(&rs_serving_model(stored->serving)->ids);
	stored->bytes = length + rs_serving_bytes(stored->serving);
}

const RsEncoder *
rspg_store_encoder(RspgStored *stored)
{
	const RsTensor *tensor = rs_model_tensor(rs_serving_model(stored->serving), "encoder");

	if (tensor == NULL)
		return NULL;
	if (stored->encoder == NULL)
		stored->encoder = rspg_encoder_open(stored->mcxt, tensor->data, (Size) tensor->shape[0]);
	return stored->encoder;
}

/*
 * Read the live version's bytes and open them.
 */
static RspgStored *
load(const RspgRegistryRow *row)
{
	RspgStored *stored = create_stored(CurrentMemoryContext, row->name);
	uint64 length = rspg_chunks_length(row);
	char *bytes;

	make_room(length, NULL);
	stored->model_id = row->id;
	stored->key = row->live_key;
	bytes = rs_alloc(&stored->ctx, length);
	if (bytes == NULL)
		rspg_check(&stored->ctx, stored->ctx.status);
	rspg_chunks_read(row, bytes, length);
	open_serving(stored, bytes, length);
	if (stored->serving == NULL && stored->ctx.status == RS_ERR_BYTES)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("corrupt model \"%s\" version %d: %s", row->name, row->live_version,
							   stored->ctx.message)));
	if (stored->serving == NULL)
		rspg_check(&stored->ctx, stored->ctx.status);
	return stored;
}

/* What fn_extra keeps of a value: the value itself, and where it was toasted. */
typedef struct KeptValue
{
	RspgStored *stored;
	struct varlena *value;
	char toast_pointer[TOAST_POINTER_SIZE]; /* zero: was none */
} KeptValue;

/*
 * A toast pointer tells equal values apart without reading them: what it points
 * to stays as it is while a snapshot sees it.
 */
static bool
same_value(const KeptValue *kept_value, struct varlena *value)
{
	if (VARATT_IS_EXTERNAL_ONDISK(value))
		return memcmp(kept_value->toast_pointer, value, TOAST_POINTER_SIZE) == 0;
	return VARSIZE_ANY(kept_value->value) == VARSIZE_ANY(value) &&
		   memcmp(kept_value->value, value, VARSIZE_ANY(value)) == 0;
}

RspgStored *
rspg_store_open_value(FmgrInfo *flinfo, struct varlena *value)
{
	KeptValue *kept_value = flinfo->fn_extra;
	RspgStored *stored;
	MemoryContext caller;

	if (kept_value != NULL && same_value(kept_value, value))
		return kept_value->stored;
	if (kept_value != NULL)
	{
		flinfo->fn_extra = NULL;
		MemoryContextDelete(kept_value->stored->mcxt);
	}
	stored = create_stored(CurrentMemoryContext, NULL);
	caller = MemoryContextSwitchTo(stored->mcxt);
	kept_value = palloc0(sizeof(KeptValue));
	kept_value->stored = stored;
	if (VARATT_IS_EXTERNAL_ONDISK(value))
		memcpy(kept_value->toast_pointer, value, TOAST_POINTER_SIZE);
	kept_value->value = PG_DETOAST_DATUM_COPY(PointerGetDatum(value));
	MemoryContextSwitchTo(caller);
	open_serving(stored, RSPG_MODEL_BYTES(kept_value->value), RSPG_MODEL_LENGTH(kept_value->value));
	if (stored->serving == NULL)
		rspg_check(&stored->ctx, stored->ctx.status);
	MemoryContextSetParent(stored->mcxt, flinfo->fn_mcxt);
	flinfo->fn_extra = kept_value;
	return stored;
}
