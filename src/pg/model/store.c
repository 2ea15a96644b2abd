/*
 * store.c
 *		Stored models, opened for answers and kept by the backend.
 *
 * A version never changes, and its key is never used twice: the key alone says
 * whether a kept model is the right one.  Which version is live is asked of
 * the registry on every call, so there is nothing to invalidate; what is no
 * longer asked for leaves by age.
 *
 * The bytes are those in shared memory where they are there or find room (arena.c),
 * and the backend keeps a view of them; else they are a copy of its own.
 */
#include "pg/model/store.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/algorithms/algorithms.h"
#include "pg/base/guc.h"
#include "pg/base/varlena.h"
#include "pg/encode/encoder_type.h"
#include "pg/model/arena.h"
#include "pg/model/chunks.h"
#include "pg/model/modeltype.h"

/* A copy of its own asks so often whether there is room for one in shared memory. */
#define ASK_AGAIN_MS 10000
#define MAX_VALUES 32 /* of type recsys.model, kept by one call in a query */

static dlist_head kept = DLIST_STATIC_INIT(kept); /* used last first */

static RspgStored *find_kept(const RspgRegistryRow *row);
static void forget(RspgStored *stored);
static RspgStored *find_or_load(const RspgRegistryRow *row);
static void make_room(Size needed);
static RspgStored *create_stored(MemoryContext parent, const char *name);
static Size bytes_kept(void);
static RsStatus open_bytes(RspgStored *stored, const void *bytes, uint64 length, bool trusted);
static void open_version(RspgStored *stored, const RspgRegistryRow *row, const char *bytes,
						 uint64 length, bool trusted);
static RspgStored *load_shared(const RspgRegistryRow *row, const RspgChunks *chunks);
static RspgStored *load_own(const RspgRegistryRow *row, const RspgChunks *chunks);
static void keep(RspgStored *stored);

static void
let_go(void *arg)
{
	RspgStored *stored = arg;

	if (--stored->pins == 0 && stored->place != NULL)
		rspg_arena_unpin(stored->place);
}

Datum
rspg_store_call(PGFunction body, FunctionCallInfo fcinfo)
{
	MemoryContext call =
		AllocSetContextCreate(CurrentMemoryContext, "recsys call", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(call);
	Datum result = body(fcinfo);

	MemoryContextSwitchTo(before);
	MemoryContextDelete(call);
	return result;
}

RspgStored *
rspg_store_open(const RspgRegistryRow *row)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	RspgStored *stored;

	rspg_require_live(row);
	stored = find_or_load(row);
	/* held until CurrentMemoryContext is reset */
	stored->pins++;
	callback->func = let_go;
	callback->arg = stored;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	make_room(0); /* the bound may have been lowered */
	return stored;
}

/*
 * Its bytes are pinned where they are shared.
 */
static RspgStored *
find_or_load(const RspgRegistryRow *row)
{
	RspgStored *stored = find_kept(row);
	RspgStored *shared;
	RspgChunks chunks;

	if (stored != NULL && stored->place != NULL)
	{
		if (stored->place->pinned || rspg_arena_pin(stored->place))
			return stored;
		forget(stored);
		stored = NULL;
	}
	if (stored != NULL &&
		(stored->pins > 0 || !rspg_arena_fits(stored->length) ||
		 !TimestampDifferenceExceeds(stored->asked_at, GetCurrentTimestamp(), ASK_AGAIN_MS)))
		return stored;
	chunks = rspg_chunks_find(row);
	shared = load_shared(row, &chunks);
	if (stored != NULL && shared == NULL)
	{
		stored->asked_at = GetCurrentTimestamp();
		return stored;
	}
	if (stored != NULL)
		forget(stored);
	stored = shared != NULL ? shared : load_own(row, &chunks);
	keep(stored);
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

static void
forget(RspgStored *stored)
{
	dlist_delete(&stored->node);
	MemoryContextDelete(stored->mcxt);
}

static void
keep(RspgStored *stored)
{
	make_room(MemoryContextMemAllocated(stored->mcxt, true));
	MemoryContextSetParent(stored->mcxt, TopMemoryContext);
	dlist_push_head(&kept, &stored->node);
}

/*
 * What the kept models take, with what calls have added since.
 */
static Size
bytes_kept(void)
{
	Size bytes = 0;
	dlist_iter iter;

	dlist_foreach(iter, &kept) bytes +=
		MemoryContextMemAllocated(dlist_container(RspgStored, node, iter.cur)->mcxt, true);
	return bytes;
}

/*
 * Let the models go that were not used for longest, and that no call uses now, until
 * needed bytes fit.
 */
static void
make_room(Size needed)
{
	Size limit = (Size) recsys_local_cache_size * 1024;
	dlist_node *node = dlist_is_empty(&kept) ? NULL : dlist_tail_node(&kept);

	while (node != NULL && bytes_kept() + needed > limit)
	{
		RspgStored *oldest = dlist_container(RspgStored, node, node);

		node = dlist_has_prev(&kept, node) ? dlist_prev_node(&kept, node) : NULL;
		if (oldest->pins == 0)
			forget(oldest);
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

/*
 * A view of the bytes and room for its calls; on failure the status is the
 * context's too.
 */
static RsStatus
open_bytes(RspgStored *stored, const void *bytes, uint64 length, bool trusted)
{
	RsServing *serving = trusted
							 ? rs_serving_open_trusted(&stored->ctx, rs_algorithms(), bytes, length)
							 : rs_serving_open(&stored->ctx, rs_algorithms(), bytes, length);

	if (serving == NULL)
		return stored->ctx.status;
	if (!trusted)
		rspg_check_text_ids(&rs_serving_model(serving)->ids);
	stored->serving = serving;
	stored->scratch = rs_scratch_create(&stored->ctx, serving);
	return stored->scratch != NULL ? RS_OK : stored->ctx.status;
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

static void
open_version(RspgStored *stored, const RspgRegistryRow *row, const char *bytes, uint64 length,
			 bool trusted)
{
	RsStatus status = open_bytes(stored, bytes, length, trusted);

	stored->model_id = row->id;
	stored->key = row->live_key;
	stored->length = length;
	if (status == RS_ERR_BYTES)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("corrupt model \"%s\" version %d: %s", row->name, row->live_version,
							   stored->ctx.message)));
	rspg_check(&stored->ctx, status);
}

/*
 * A view of the one copy in shared memory, which is loaded here if nobody has yet;
 * NULL if there is no such memory or no room.
 */
static RspgStored *
load_shared(const RspgRegistryRow *row, const RspgChunks *chunks)
{
	RspgArenaKey key;
	RspgStored *stored;
	RspgArenaAnswer answer;
	uint64 digest = 0;

	if (!rspg_arena_fits(chunks->length))
		return NULL;
	stored = create_stored(CurrentMemoryContext, row->name);
	key = rspg_arena_key(row, row->live_key, chunks->length, chunks->digest);
	answer = rspg_arena_open(stored->mcxt, &key, row, false, &stored->place);
	if (answer == RSPG_ARENA_NONE)
	{
		MemoryContextDelete(stored->mcxt);
		return NULL;
	}
	if (answer == RSPG_ARENA_LOAD)
		digest = rspg_chunks_read(row, chunks, stored->place->bytes, stored->place);
	open_version(stored, row, stored->place->bytes, chunks->length, answer == RSPG_ARENA_READY);
	if (answer == RSPG_ARENA_LOAD)
		rspg_arena_publish(stored->place, digest, row->live_version);
	return stored;
}

/*
 * A copy of this backend's own.
 */
static RspgStored *
load_own(const RspgRegistryRow *row, const RspgChunks *chunks)
{
	RspgStored *stored = create_stored(CurrentMemoryContext, row->name);
	char *bytes;

	make_room(chunks->length);
	bytes = rs_alloc(&stored->ctx, chunks->length);
	if (bytes == NULL)
		rspg_check(&stored->ctx, stored->ctx.status);
	rspg_huge_pages(bytes, chunks->length);
	(void) rspg_chunks_read(row, chunks, bytes, NULL);
	open_version(stored, row, bytes, chunks->length, false);
	stored->asked_at = GetCurrentTimestamp();
	return stored;
}

bool
rspg_store_warm(const RspgRegistryRow *row)
{
	MemoryContext call =
		AllocSetContextCreate(CurrentMemoryContext, "recsys warm", ALLOCSET_SMALL_SIZES);
	MemoryContext before = MemoryContextSwitchTo(call);
	RspgChunks chunks = rspg_chunks_find(row);
	bool warm = load_shared(row, &chunks) != NULL;

	MemoryContextSwitchTo(before);
	MemoryContextDelete(call);
	return warm;
}

/* What fn_extra keeps of a value: the value itself, and where it was toasted. */
typedef struct KeptValue
{
	struct KeptValue *next; /* used before it */
	RspgStored *stored;
	struct varlena *value;                  /* with the bytes aligned to 64 */
	char toast_pointer[TOAST_POINTER_SIZE]; /* zero: was none */
} KeptValue;

/*
 * A copy of a value for open_bytes.
 */
static struct varlena *
copy_value(RspgStored *stored, struct varlena *value)
{
	Size length = rspg_varlena_length(value);
	Size before = VARHDRSZ + 4; /* RSPG_MODEL_BYTES */
	char *room = MemoryContextAllocHuge(stored->mcxt, before + length + 64);
	char *copy = (char *) TYPEALIGN(64, room + before) - before;

	rspg_huge_pages(copy, VARHDRSZ + length);
	rspg_varlena_read(value, copy + VARHDRSZ);
	SET_VARSIZE(copy, VARHDRSZ + length);
	return (struct varlena *) copy;
}

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

/* The value among those kept, which then comes first; NULL if it is none of them. */
static KeptValue *
find_value(FmgrInfo *flinfo, struct varlena *value)
{
	KeptValue **link = (KeptValue **) &flinfo->fn_extra;
	KeptValue *found;

	while (*link != NULL && !same_value(*link, value))
		link = &(*link)->next;
	found = *link;
	if (found != NULL)
	{
		*link = found->next;
		found->next = flinfo->fn_extra;
		flinfo->fn_extra = found;
	}
	return found;
}

/* Let go of the values used longest ago: one is kept beside a new one, and as many as
 * the models of a backend may take. */
static void
drop_values(FmgrInfo *flinfo)
{
	KeptValue **link = (KeptValue **) &flinfo->fn_extra;
	Size bytes = 0;
	int n = 0;

	while (*link != NULL)
	{
		KeptValue *kept_value = *link;

		bytes += MemoryContextMemAllocated(kept_value->stored->mcxt, true);
		if (n++ == 0 || (n < MAX_VALUES && bytes <= (Size) recsys_local_cache_size * 1024))
		{
			link = &kept_value->next;
			continue;
		}
		*link = kept_value->next;
		MemoryContextDelete(kept_value->stored->mcxt);
	}
}

RspgStored *
rspg_store_open_value(FmgrInfo *flinfo, struct varlena *value)
{
	KeptValue *kept_value = find_value(flinfo, value);
	RspgStored *stored;

	if (kept_value != NULL)
		return kept_value->stored;
	drop_values(flinfo);
	stored = create_stored(CurrentMemoryContext, NULL);
	kept_value = MemoryContextAllocZero(stored->mcxt, sizeof(KeptValue));
	kept_value->stored = stored;
	if (VARATT_IS_EXTERNAL_ONDISK(value))
		memcpy(kept_value->toast_pointer, value, TOAST_POINTER_SIZE);
	kept_value->value = copy_value(stored, value);
	rspg_check(&stored->ctx, open_bytes(stored, RSPG_MODEL_BYTES(kept_value->value),
										RSPG_MODEL_LENGTH(kept_value->value), false));
	MemoryContextSetParent(stored->mcxt, flinfo->fn_mcxt);
	kept_value->next = flinfo->fn_extra;
	flinfo->fn_extra = kept_value;
	return stored;
}
