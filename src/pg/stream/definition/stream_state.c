/*
 * stream_state.c
 *		Shared memory of streams: settings, slots, wakes.
 *
 * It remembers nothing that is not in tables: after a crash of the server it
 * starts empty, and the launcher fills it again.
 */
#include "pg/stream/definition/stream_state.h"

#include <limits.h>

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/guc.h"

#define DEFAULT_MAX_STREAMS 64
#define DEFAULT_MAX_PARTITIONS 1024
#define DEFAULT_WORKER_TIMEOUT_MS (5 * 60 * 1000)
/* entries beyond a database a slot: those that were woken but run no stream yet */
#define SPARE_DATABASES 64

RspgStreamState *rspg_stream_state = NULL;

/*
 * recsys.databases: databases whose streams run, * for every one that accepts
 * connections.
 */
char *recsys_databases = NULL;

/*
 * recsys.worker_timeout: how long a worker may be silent before another takes
 * over.  Nothing is written twice when the first one wakes up again.
 */
int recsys_worker_timeout = DEFAULT_WORKER_TIMEOUT_MS;

static int max_streams = DEFAULT_MAX_STREAMS;
static int max_partitions = DEFAULT_MAX_PARTITIONS;
static bool wake_pending = false;
static bool change_pending = false;
static bool xact_hook_set = false;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void request_shmem(void);
static void startup_shmem(void);
static Size state_size(void);
static void wake_at_xact_end(XactEvent event, void *arg);

void
rspg_stream_state_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomStringVariable(
		"recsys.databases", "Sets the databases whose streams run.",
		"Names separated by commas; * means every database, an empty value none.",
		&recsys_databases, "*", PGC_SIGHUP, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomIntVariable("recsys.max_stream_partitions",
							"Sets how many partitions of streams can be shown at a time.",
							"Those beyond are read, but their lag is not seen.", &max_partitions,
							DEFAULT_MAX_PARTITIONS, 1, 1000000, PGC_POSTMASTER, 0, NULL, NULL,
							NULL);
	DefineCustomIntVariable("recsys.max_streams",
							"Sets how many workers of streams can run at a time.",
							"Each takes one of max_worker_processes, too.", &max_streams,
							DEFAULT_MAX_STREAMS, 1, 10000, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable(
		"recsys.worker_timeout",
		"Sets how long a stream's worker may be silent before another one takes over.",
		"Zero means that none ever does.", &recsys_worker_timeout, DEFAULT_WORKER_TIMEOUT_MS, 0,
		INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	rspg_launcher_init();
	rspg_stream_utility_init();
}

static int
max_databases(void)
{
	return max_streams + SPARE_DATABASES;
}

static Size
state_size(void)
{
	Size size = MAXALIGN(sizeof(RspgStreamState));

	size = add_size(size, mul_size(max_streams, MAXALIGN(sizeof(RspgStreamSlot))));
	size = add_size(size, mul_size(max_databases(), MAXALIGN(sizeof(RspgStreamDatabase))));
	return add_size(size, mul_size(max_partitions, MAXALIGN(sizeof(RspgStreamPartition))));
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(state_size());
	RequestNamedLWLockTranche("recsys_streams", 1);
}

static void
startup_shmem(void)
{
	bool found;
	char *memory;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	memory = ShmemInitStruct("recsys streams", state_size(), &found);
	rspg_stream_state = (RspgStreamState *) memory;
	if (!found)
	{
		memset(memory, 0, state_size());
		rspg_stream_state->lock = &GetNamedLWLockTranche("recsys_streams")->lock;
		rspg_stream_state->n_slots = max_streams;
		rspg_stream_state->n_databases = max_databases();
		rspg_stream_state->n_partitions = max_partitions;
		memory += MAXALIGN(sizeof(RspgStreamState));
		rspg_stream_state->slots = (RspgStreamSlot *) memory;
		memory += max_streams * MAXALIGN(sizeof(RspgStreamSlot));
		rspg_stream_state->databases = (RspgStreamDatabase *) memory;
		memory += max_databases() * MAXALIGN(sizeof(RspgStreamDatabase));
		rspg_stream_state->partitions = (RspgStreamPartition *) memory;
		for (int i = 0; i < max_partitions; i++)
			rspg_stream_state->partitions[i].slot = -1;
	}
	LWLockRelease(AddinShmemInitLock);
}

bool
rspg_stream_preloaded(void)
{
	return rspg_stream_state != NULL;
}

RspgStreamDatabase *
rspg_stream_database(Oid database, bool create)
{
	RspgStreamDatabase *room = NULL;

	for (int i = 0; i < rspg_stream_state->n_databases; i++)
	{
		RspgStreamDatabase *entry = &rspg_stream_state->databases[i];

		if (entry->database == database)
			return entry;
		if (room == NULL && entry->database == InvalidOid)
			room = entry;
	}
	if (!create || room == NULL)
		return NULL;
	memset(room, 0, sizeof(*room));
	room->database = database;
	return room;
}

/*
 * Give back an entry that nothing is to be remembered of.
 */
void
rspg_stream_database_release(RspgStreamDatabase *entry)
{
	if (!entry->scan && !entry->scouting && entry->holds == 0)
		entry->database = InvalidOid;
}

void
rspg_stream_wake_launcher(void)
{
	Latch *latch = rspg_stream_state->launcher_latch;

	if (latch != NULL)
		SetLatch(latch);
}

void
rspg_stream_wake(Oid database)
{
	RspgStreamDatabase *entry;

	if (rspg_stream_state == NULL)
		return;
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	entry = rspg_stream_database(database, true);
	if (entry != NULL)
	{
		entry->scan = true;
		entry->scan_at = 0;
		entry->failures = 0;
	}
	else
		rspg_stream_state->scan_all = true;
	for (int i = 0; i < rspg_stream_state->n_slots; i++)
	{
		RspgStreamSlot *slot = &rspg_stream_state->slots[i];

		if (slot->database != database)
			continue;
		slot->reread = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
	rspg_stream_wake_launcher();
	LWLockRelease(rspg_stream_state->lock);
}

void
rspg_stream_wake_at_commit(void)
{
	rspg_stream_scan_at_commit();
	change_pending = wake_pending;
}

void
rspg_stream_scan_at_commit(void)
{
	if (rspg_stream_state == NULL)
		return;
	if (!xact_hook_set)
	{
		RegisterXactCallback(wake_at_xact_end, NULL);
		xact_hook_set = true;
	}
	wake_pending = true;
}

/*
 * A subtransaction that was rolled back leaves a wake for nothing: harmless.
 */
static void
wake_at_xact_end(XactEvent event, void *arg)
{
	if (!wake_pending)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			/* nobody would be woken by who commits it */
			if (change_pending)
				ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								errmsg("cannot PREPARE a transaction that has changed a stream")));
			break;
		case XACT_EVENT_COMMIT:
			wake_pending = change_pending = false;
			rspg_stream_wake(MyDatabaseId);
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			wake_pending = change_pending = false;
			break;
		default:
			break;
	}
}

void
rspg_stream_partitions_free(int slot)
{
	for (int i = 0; i < rspg_stream_state->n_partitions; i++)
		if (rspg_stream_state->partitions[i].slot == slot)
			rspg_stream_state->partitions[i].slot = -1;
}

void
rspg_stream_slot_free(RspgStreamSlot *slot)
{
	rspg_stream_partitions_free(slot - rspg_stream_state->slots);
	memset(slot, 0, sizeof(*slot));
}

void
rspg_stream_set_state(RspgStreamSlot *slot, RspgWorkerState state)
{
	if (slot->state == state)
		return;
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	slot->state = state;
	slot->since = GetCurrentTimestamp();
	LWLockRelease(rspg_stream_state->lock);
}

void
rspg_stream_set_error(RspgStreamSlot *slot, const char *sqlstate, const char *text)
{
	int length = pg_mbcliplen(text, strlen(text), sizeof(slot->error) - 1);

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	memcpy(slot->error, text, length);
	slot->error[length] = '\0';
	strlcpy(slot->sqlstate, sqlstate, sizeof(slot->sqlstate));
	slot->error_at = GetCurrentTimestamp();
	LWLockRelease(rspg_stream_state->lock);
}
