/*
 * arena.c
 *		Shared memory for the bytes of models: one copy for all sessions.
 *
 * One fixed piece of the server's main segment, asked for at its start: the same
 * address in every process, huge pages where the server has them, nothing of /dev/shm,
 * and what leaves it is free at once (a segment of its own would stay while any idle
 * session has it mapped).
 *
 * An entry is loaded by one process, outside the lock, while others wait.  A pin is a
 * compare-and-swap on generation and count: no lock in the call of a session that was
 * here before.  Whatever ends a call, its memory context ends with it, and with that
 * the pin, or the load that was not published; at a session's end a hook does it.
 */
#include "pg/model/arena.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#define DEFAULT_CACHE_KB (256 * 1024)
/* An entry for so many kB, within bounds. */
#define ENTRY_KB 64
#define MIN_ENTRIES 64
#define MAX_ENTRIES 8192
/* A loader that stands still so long may wait for a lock of who waits for it. */
#define STALL_MS 5000
#define LOOK_MS 500

/*
 * recsys.cache_size: shared memory for models, of a preloaded library; 0 for none.
 */
static int recsys_cache_size = DEFAULT_CACHE_KB;

static RspgArena *arena = NULL;
static dlist_head pinned = DLIST_STATIC_INIT(pinned);
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void request_shmem(void);
static void startup_shmem(void);
static void let_go(void *place);
static void let_go_all(int code, Datum arg);

void
rspg_arena_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable(
		"recsys.cache_size", "Sets the shared memory for models that sessions answer from.",
		"Zero: each session keeps copies of its own.", &recsys_cache_size, DEFAULT_CACHE_KB, 0,
		MAX_KILOBYTES, PGC_POSTMASTER, GUC_UNIT_KB, NULL, NULL, NULL);
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

static int
max_entries(void)
{
	return Min(Max(recsys_cache_size / ENTRY_KB, MIN_ENTRIES), MAX_ENTRIES);
}

/* The head, the entries, their order, the bytes. */
static Size
arena_size(void)
{
	Size size = add_size(MAXALIGN(sizeof(RspgArena)),
						 mul_size(max_entries(), sizeof(RspgArenaEntry) + sizeof(int)));

	return add_size(add_size(size, RSPG_ARENA_ALIGNMENT), mul_size(recsys_cache_size, 1024));
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	if (recsys_cache_size == 0)
		return;
	RequestAddinShmemSpace(arena_size());
	RequestNamedLWLockTranche("recsys_arena", 1);
}

/* The pages of the bytes are not touched before there is a model for them. */
static void
make_arena(void)
{
	memset(arena, 0, sizeof(RspgArena));
	arena->lock = &GetNamedLWLockTranche("recsys_arena")->lock;
	ConditionVariableInit(&arena->loaded);
	arena->max = max_entries();
	arena->entries = (RspgArenaEntry *) ((char *) arena + MAXALIGN(sizeof(RspgArena)));
	arena->order = (int *) (arena->entries + arena->max);
	arena->bytes = (char *) TYPEALIGN(RSPG_ARENA_ALIGNMENT, arena->order + arena->max);
	arena->size = (Size) recsys_cache_size * 1024;
	memset(arena->entries, 0, arena->max * sizeof(RspgArenaEntry));
	for (int i = 0; i < arena->max; i++)
	{
		pg_atomic_init_u64(&arena->entries[i].hold, 0);
		pg_atomic_init_u64(&arena->entries[i].calls, 0);
		pg_atomic_init_u64(&arena->entries[i].used, 0);
		pg_atomic_init_u64(&arena->entries[i].done, 0);
	}
}

static void
startup_shmem(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();
	if (recsys_cache_size == 0)
		return;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	arena = ShmemInitStruct("recsys arena", arena_size(), &found);
	if (!found)
		make_arena();
	LWLockRelease(AddinShmemInitLock);
}

bool
rspg_arena_fits(uint64 length)
{
	return arena != NULL && length <= arena->size;
}

RspgArenaKey
rspg_arena_key(const RspgRegistryRow *row, int64 key, uint64 length, uint64 digest)
{
	RspgArenaKey result = {.database = MyDatabaseId,
						   .chunks =
							   get_relname_relid("model_chunk", get_namespace_oid("recsys", false)),
						   .model_id = row->id,
						   .key = key,
						   .length = length,
						   .digest = digest};

	return result;
}

static void
label(RspgArenaEntry *entry, const RspgRegistryRow *row)
{
	entry->owner = row->owner;
	strlcpy(entry->name, row->name, sizeof(entry->name));
}

/* Under the lock: the pinned entry is this session's to let go of. */
static void
take(RspgArenaPlace *place, int number)
{
	RspgArenaEntry *entry = &arena->entries[number];

	place->entry = number;
	place->generation = rspg_arena_generation(pg_atomic_fetch_add_u64(&entry->hold, 1));
	place->bytes = arena->bytes + entry->start;
	place->pinned = true;
	dlist_push_head(&pinned, &place->node);
	pg_atomic_write_u64(&entry->used, (uint64) GetCurrentTimestamp());
}

/*
 * One look, under the lock: the answer, or NONE with the number of the entry that
 * somebody else is loading.
 */
static RspgArenaAnswer
look(const RspgArenaKey *key, const RspgRegistryRow *row, bool beside, RspgArenaPlace *place,
	 int *loading)
{
	RspgArenaAnswer answer = RSPG_ARENA_NONE;
	RspgArenaEntry *entry;
	int number;

	*loading = -1;
	LWLockAcquire(arena->lock, LW_EXCLUSIVE);
	number = rspg_arena_find(arena, key);
	if (number >= 0)
	{
		entry = &arena->entries[number];
		if (entry->state == RSPG_ARENA_THERE)
		{
			answer = RSPG_ARENA_READY;
			pg_atomic_fetch_add_u64(&entry->calls, 1);
			entry->version = row->live_version;
			label(entry, row);
			take(place, number);
		}
		else if (entry->loader != MyProcPid) /* as in a policy that recommends */
			*loading = number;
	}
	else if ((number = rspg_arena_make(arena, key->length, beside ? key : NULL)) >= 0)
	{
		answer = RSPG_ARENA_LOAD;
		entry = &arena->entries[number];
		entry->key = *key;
		entry->state = RSPG_ARENA_LOADING;
		entry->loader = MyProcPid;
		entry->version = row->live_version;
		pg_atomic_write_u64(&entry->calls, 0);
		pg_atomic_write_u64(&entry->done, 0);
		label(entry, row);
		take(place, number);
	}
	LWLockRelease(arena->lock);
	return answer;
}

RspgArenaAnswer
rspg_arena_open(MemoryContext mcxt, const RspgArenaKey *key, const RspgRegistryRow *row,
				bool beside, RspgArenaPlace **place)
{
	static bool exit_hook_set = false;
	RspgArenaPlace *result;
	RspgArenaAnswer answer;
	uint64 done = 0;
	int stood = 0; /* ms */
	int loading;

	*place = NULL;
	if (!rspg_arena_fits(key->length) || !OidIsValid(key->chunks))
		return RSPG_ARENA_NONE;
	if (!exit_hook_set)
	{
		before_shmem_exit(let_go_all, (Datum) 0);
		exit_hook_set = true;
	}
	result = MemoryContextAllocZero(mcxt, sizeof(RspgArenaPlace));
	result->callback.func = let_go;
	result->callback.arg = result;
	MemoryContextRegisterResetCallback(mcxt, &result->callback);
	ConditionVariablePrepareToSleep(&arena->loaded);
	for (;;)
	{
		uint64 now_done;

		answer = look(key, row, beside, result, &loading);
		if (loading < 0)
			break;
		now_done = pg_atomic_read_u64(&arena->entries[loading].done);
		stood = now_done == done ? stood : 0;
		done = now_done;
		if (stood >= STALL_MS)
			break;
		if (ConditionVariableTimedSleep(&arena->loaded, LOOK_MS, PG_WAIT_EXTENSION))
			stood += LOOK_MS;
	}
	ConditionVariableCancelSleep();
	if (answer != RSPG_ARENA_NONE)
		*place = result;
	return answer;
}

void
rspg_arena_progress(const RspgArenaPlace *place, uint64 done)
{
	pg_atomic_write_u64(&arena->entries[place->entry].done, done);
}

void
rspg_arena_publish(const RspgArenaPlace *place, uint64 digest, int32 version)
{
	RspgArenaEntry *entry = &arena->entries[place->entry];

	LWLockAcquire(arena->lock, LW_EXCLUSIVE);
	entry->key.digest = digest;
	entry->version = version;
	entry->loaded_at = GetCurrentTimestamp();
	entry->state = RSPG_ARENA_THERE;
	LWLockRelease(arena->lock);
	ConditionVariableBroadcast(&arena->loaded);
}

bool
rspg_arena_pin(RspgArenaPlace *place)
{
	RspgArenaEntry *entry = &arena->entries[place->entry];
	uint64 hold = pg_atomic_read_u64(&entry->hold);

	Assert(!place->pinned);
	do
		if (rspg_arena_generation(hold) != place->generation)
			return false;
	while (!pg_atomic_compare_exchange_u64(&entry->hold, &hold, hold + 1));
	place->pinned = true;
	dlist_push_head(&pinned, &place->node);
	pg_atomic_write_u64(&entry->used, (uint64) GetCurrentTimestamp());
	pg_atomic_fetch_add_u64(&entry->calls, 1);
	return true;
}

void
rspg_arena_unpin(RspgArenaPlace *place)
{
	RspgArenaEntry *entry = &arena->entries[place->entry];

	if (!place->pinned)
		return;
	place->pinned = false;
	dlist_delete(&place->node);
	/* what is pinned changes its state by its loader's hand alone */
	if (entry->state != RSPG_ARENA_LOADING)
	{
		pg_atomic_fetch_sub_u64(&entry->hold, 1);
		return;
	}
	LWLockAcquire(arena->lock, LW_EXCLUSIVE);
	rspg_arena_give_up(arena, place->entry);
	LWLockRelease(arena->lock);
	ConditionVariableBroadcast(&arena->loaded);
}

static void
let_go(void *place)
{
	rspg_arena_unpin(place);
}

static void
let_go_all(int code, Datum arg)
{
	while (!dlist_is_empty(&pinned))
		rspg_arena_unpin(dlist_container(RspgArenaPlace, node, dlist_head_node(&pinned)));
}

RspgArenaEntry *
rspg_arena_look(int *n)
{
	RspgArenaEntry *copy = NULL;

	*n = 0;
	if (arena == NULL)
		return NULL;
	copy = palloc(arena->max * sizeof(RspgArenaEntry));
	LWLockAcquire(arena->lock, LW_SHARED);
	*n = arena->n;
	for (int i = 0; i < arena->n; i++)
		copy[i] = arena->entries[arena->order[i]];
	LWLockRelease(arena->lock);
	return copy;
}
