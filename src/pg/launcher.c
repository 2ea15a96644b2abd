/*
 * launcher.c
 *		The launcher of streams: which databases to look through, which workers
 *		to start, and when to start them again.
 *
 * It is connected to no database, so that it never is in the way of DROP
 * DATABASE; what streams there are it learns from scouts (scout.c) by shared
 * memory.  A worker is started once and never again by the postmaster: waiting
 * longer after each failure is this file's business.
 */
#include "launcher.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

#define MAX_SCOUTS 2
#define IDLE_MS 60000
#define NO_SLOT_RETRY_MS 1000
#define SAME_LOG_MS (10 * 60 * 1000)
/* a process that was asked for and did not show up within this is not coming */
#define ATTACH_MS 10000
/* a stream that must not run as it is may have been put right: look again */
#define FAILED_RESCAN_MS 30000
/* a worker that ended well after so long starts again without a wait */
#define LIVED_MS 2000
/* so long a start waits for a scan that is under way */
#define SCAN_FIRST_MS 1000

static BackgroundWorkerHandle **slot_handles;
static BackgroundWorkerHandle **scout_handles;
static List *to_scan = NIL; /* oids for which there was no entry yet */
static TimestampTz failed_rescan_at = 0;

static void start(void);
static void at_exit(int code, Datum argument);
static void list_databases(void);
static bool database_allowed(Oid database);
static void feed_scans(void);
static long tend_databases(TimestampTz now);
static long tend_slots(TimestampTz now);
static bool tend_slot(RspgStreamSlot *slot, TimestampTz now, TimestampTz *next);
static void check_alive(RspgStreamSlot *slot, TimestampTz now);
static bool launch_scout(RspgStreamDatabase *entry);
static void complain_of_slots(void);
static bool launch_worker(RspgStreamSlot *slot);
static bool handle_gone(BackgroundWorkerHandle **handle, TimestampTz since, TimestampTz now);
static void want_nothing(Oid database);

void
rspg_launcher_init(void)
{
	BackgroundWorker worker = {0};

	strlcpy(worker.bgw_name, "recsys launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "recsys launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "recsys", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "recsys_launcher_main", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 5;
	RegisterBackgroundWorker(&worker);
}

void
recsys_launcher_main(Datum argument)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	start();
	list_databases();
	for (;;)
	{
		TimestampTz now;
		long timeout;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ShutdownRequestPending)
			proc_exit(1); /* 0 would tell the postmaster to forget this worker */
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			list_databases();
		}
		if (rspg_stream_state->scan_all)
			list_databases();
		now = GetCurrentTimestamp();
		feed_scans();
		timeout = Min(tend_databases(now), tend_slots(now));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout,
						 PG_WAIT_EXTENSION);
	}
}

/*
 * Show up in shared memory; what an earlier launcher left is taken over.
 */
static void
start(void)
{
	slot_handles = MemoryContextAllocZero(TopMemoryContext, rspg_stream_state->n_slots *
																sizeof(BackgroundWorkerHandle *));
	scout_handles = MemoryContextAllocZero(TopMemoryContext, rspg_stream_state->n_databases *
																 sizeof(BackgroundWorkerHandle *));
	before_shmem_exit(at_exit, 0);
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	rspg_stream_state->launcher_pid = MyProcPid;
	rspg_stream_state->launcher_latch = MyLatch;
	LWLockRelease(rspg_stream_state->lock);
}

static void
at_exit(int code, Datum argument)
{
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	rspg_stream_state->launcher_pid = 0;
	rspg_stream_state->launcher_latch = NULL;
	LWLockRelease(rspg_stream_state->lock);
}

/*
 * Note every database that may have streams: to be scanned.
 */
static void
list_databases(void)
{
	Relation relation;
	SysScanDesc scan;
	HeapTuple tuple;

	rspg_stream_state->scan_all = false;
	list_free(to_scan);
	to_scan = NIL;
	StartTransactionCommand();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!row->datallowconn || row->datistemplate ||
			!rspg_stream_database_allowed(NameStr(row->datname)))
		{
			want_nothing(row->oid);
			continue;
		}
		old = MemoryContextSwitchTo(TopMemoryContext);
		to_scan = lappend_oid(to_scan, row->oid);
		MemoryContextSwitchTo(old);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
}

bool
rspg_stream_database_allowed(const char *name)
{
	char *list = pstrdup(recsys_databases);
	List *names;
	ListCell *cell;

	if (!SplitGUCList(list, ',', &names))
		return false;
	foreach (cell, names)
	{
		const char *one = lfirst(cell);

		if (strcmp(one, "*") == 0 || strcmp(one, name) == 0)
			return true;
	}
	return false;
}

static bool
database_allowed(Oid database)
{
	Relation relation;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple tuple;
	bool result = false;

	StartTransactionCommand();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(database));
	/* by no index: without a database, the cache of relations may not have it */
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);

		result = row->datallowconn && rspg_stream_database_allowed(NameStr(row->datname));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	return result;
}

/*
 * Entries for databases that wait for a scan, as far as there is room.
 */
static void
feed_scans(void)
{
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	while (to_scan != NIL)
	{
		RspgStreamDatabase *entry = rspg_stream_database(linitial_oid(to_scan), true);

		if (entry == NULL)
			break;
		entry->scan = true;
		to_scan = list_delete_first(to_scan);
	}
	LWLockRelease(rspg_stream_state->lock);
}

/*
 * The workers of a database are to stop, and not to start again.
 */
static void
want_nothing(Oid database)
{
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < rspg_stream_state->n_slots; i++)
	{
		RspgStreamSlot *slot = &rspg_stream_state->slots[i];

		if (slot->database != database)
			continue;
		slot->wanted = false;
		slot->stop = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
	LWLockRelease(rspg_stream_state->lock);
}

/*
 * A process that was asked for ended, or never came.
 */
static bool
handle_gone(BackgroundWorkerHandle **handle, TimestampTz since, TimestampTz now)
{
	pid_t pid;

	if (*handle != NULL)
	{
		if (GetBackgroundWorkerPid(*handle, &pid) != BGWH_STOPPED)
			return false;
		pfree(*handle);
		*handle = NULL;
		return true;
	}
	/* asked for by a launcher that is no more */
	return TimestampDifferenceExceeds(since, now, ATTACH_MS);
}

/*
 * Start scouts where a scan is due.  Returns milliseconds to the next look.
 */
static long
tend_databases(TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, IDLE_MS);
	int scouts = 0;

	for (int i = 0; i < rspg_stream_state->n_databases; i++)
	{
		RspgStreamDatabase *entry = &rspg_stream_state->databases[i];
		bool due;

		LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
		if (entry->scouting && entry->scout_pid == 0 &&
			handle_gone(&scout_handles[i], entry->scan_at, now))
		{
			entry->scouting = false;
			entry->scan = true;
			entry->scan_at = TimestampTzPlusMilliseconds(now, NO_SLOT_RETRY_MS);
		}
		due = entry->database != InvalidOid && entry->scan && !entry->scouting && entry->holds == 0;
		if (due && entry->scan_at > now)
		{
			next = Min(next, entry->scan_at);
			due = false;
		}
		scouts += entry->scouting;
		rspg_stream_database_release(entry);
		LWLockRelease(rspg_stream_state->lock);
		if (due && scouts < MAX_SCOUTS)
		{
			if (launch_scout(entry))
				scouts++;
			else
				next = Min(next, TimestampTzPlusMilliseconds(now, NO_SLOT_RETRY_MS));
		}
	}
	return TimestampDifferenceMilliseconds(now, next);
}

/*
 * True unless no worker slot was free.
 */
static bool
launch_scout(RspgStreamDatabase *entry)
{
	BackgroundWorker worker = {0};
	RspgLaunch launch = {0};
	int number = entry - rspg_stream_state->databases;
	bool started;

	if (!database_allowed(entry->database))
	{
		want_nothing(entry->database);
		LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
		entry->scan = false;
		rspg_stream_database_release(entry);
		LWLockRelease(rspg_stream_state->lock);
		return true;
	}
	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	entry->scouting = true;
	entry->scout_pid = 0;
	entry->scan = false;
	entry->scan_at = GetCurrentTimestamp();
	launch.database = entry->database;
	launch.slot = number;
	LWLockRelease(rspg_stream_state->lock);

	strlcpy(worker.bgw_name, "recsys scout", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "recsys scout", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "recsys", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "recsys_scout_main", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &launch, sizeof(launch));
	if (scout_handles[number] != NULL)
		pfree(scout_handles[number]);
	scout_handles[number] = NULL;
	started = RegisterDynamicBackgroundWorker(&worker, &scout_handles[number]);
	if (!started)
	{
		LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
		entry->scouting = false;
		entry->scan = true;
		entry->scan_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NO_SLOT_RETRY_MS);
		LWLockRelease(rspg_stream_state->lock);
		complain_of_slots();
	}
	return started;
}

/*
 * A stream that no scout has seen yet has no place to show this.
 */
static void
complain_of_slots(void)
{
	static TimestampTz last = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (last != 0 && !TimestampDifferenceExceeds(last, now, SAME_LOG_MS))
		return;
	last = now;
	ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				  errmsg("no worker slot is free to look for recsys streams"),
				  errhint("Raise max_worker_processes.")));
}

/*
 * Start, free and watch workers.  Returns milliseconds to the next look.
 */
static long
tend_slots(TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, IDLE_MS);
	bool failed = false;

	for (int i = 0; i < rspg_stream_state->n_slots; i++)
	{
		RspgStreamSlot *slot = &rspg_stream_state->slots[i];
		bool due;

		LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
		due = slot->database != InvalidOid && tend_slot(slot, now, &next);
		if (slot->database != InvalidOid && slot->state == RSPG_WORKER_FAILED)
		{
			RspgStreamDatabase *entry = NULL;

			failed = true;
			if (failed_rescan_at <= now)
				entry = rspg_stream_database(slot->database, true);
			if (entry != NULL)
				entry->scan = true;
		}
		LWLockRelease(rspg_stream_state->lock);
		if (due && !launch_worker(slot))
			next = Min(next, TimestampTzPlusMilliseconds(now, NO_SLOT_RETRY_MS));
	}
	if (failed)
	{
		if (failed_rescan_at <= now)
		{
			failed_rescan_at = TimestampTzPlusMilliseconds(now, FAILED_RESCAN_MS);
			next = now; /* the scans just asked for */
		}
		next = Min(next, failed_rescan_at);
	}
	return Max(TimestampDifferenceMilliseconds(now, next), 1);
}

/*
 * With the lock held: is the slot's worker to be started now?
 */
static bool
tend_slot(RspgStreamSlot *slot, TimestampTz now, TimestampTz *next)
{
	RspgStreamDatabase *entry;

	if (slot->launched && slot->pid == 0 &&
		handle_gone(&slot_handles[slot - rspg_stream_state->slots], slot->launched_at, now))
		rspg_launch_ended(slot, false);
	if (slot->launched)
	{
		if (slot->pid != 0 && recsys_worker_timeout > 0)
			check_alive(slot, now);
		if (slot->launched && recsys_worker_timeout > 0)
			*next = Min(*next, TimestampTzPlusMilliseconds(now, recsys_worker_timeout / 2 + 1));
		return false;
	}
	if (!slot->wanted)
	{
		rspg_stream_slot_free(slot);
		return false;
	}
	entry = rspg_stream_database(slot->database, false);
	if (slot->state == RSPG_WORKER_FAILED || (entry != NULL && entry->holds > 0))
		return false;
	if (entry != NULL && (entry->scan || entry->scouting) &&
		!TimestampDifferenceExceeds(slot->restart_at, now, SCAN_FIRST_MS))
	{
		*next = Min(*next, TimestampTzPlusMilliseconds(slot->restart_at, SCAN_FIRST_MS + 1));
		return false;
	}
	if (slot->restart_at > now)
	{
		*next = Min(*next, slot->restart_at);
		return false;
	}
	return true;
}

/*
 * With the lock held: a worker that was silent for too long loses its slot.  It
 * is asked to end, but that may never happen (it is stopped, or sits in a call
 * of the kernel); the offsets see to it that it cannot write what another has
 * written.
 */
static void
check_alive(RspgStreamSlot *slot, TimestampTz now)
{
	if (!TimestampDifferenceExceeds(slot->alive_at, now, recsys_worker_timeout))
		return;
	ereport(LOG, (errmsg("worker %d of recsys stream \"%s\" (PID %d) does not respond, "
						 "another one takes over",
						 slot->worker, slot->name, (int) slot->pid)));
	kill(slot->pid, SIGTERM);
	rspg_launch_ended(slot, false);
	slot->state = RSPG_WORKER_NOT_RESPONDING;
}

void
rspg_launch_ended(RspgStreamSlot *slot, bool healthy)
{
	TimestampTz now = GetCurrentTimestamp();
	int wait = RSPG_RESTART_MIN_MS;
	bool lived = TimestampDifferenceExceeds(slot->launched_at, now, LIVED_MS);

	rspg_stream_partitions_free(slot - rspg_stream_state->slots);
	slot->launched = false;
	slot->launch = 0;
	slot->pid = 0;
	slot->latch = NULL;
	if (TimestampDifferenceExceeds(slot->launched_at, now, RSPG_RESTART_MAX_MS) ||
		(healthy && lived))
		slot->failures = 0;
	for (int i = 0; i < slot->failures && wait < RSPG_RESTART_MAX_MS; i++)
		wait *= 2;
	if (healthy)
		wait = lived ? 0 : Min(wait, LIVED_MS);
	slot->failures++;
	slot->restart_at = TimestampTzPlusMilliseconds(now, Min(wait, RSPG_RESTART_MAX_MS));
	if (slot->state != RSPG_WORKER_FAILED)
		slot->state = slot->error_at != 0 ? RSPG_WORKER_RETRYING : RSPG_WORKER_STARTING;
	slot->since = now;
}

/*
 * True unless no worker slot was free.
 */
static bool
launch_worker(RspgStreamSlot *slot)
{
	BackgroundWorker worker = {0};
	RspgLaunch launch = {0};
	int number = slot - rspg_stream_state->slots;
	bool started;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	slot->launched = true;
	slot->launched_at = GetCurrentTimestamp();
	slot->launch = ++rspg_stream_state->launches;
	slot->stop = false;
	launch.database = slot->database;
	launch.owner = slot->owner;
	launch.stream_id = slot->stream_id;
	launch.worker = slot->worker;
	launch.slot = number;
	launch.launch = slot->launch;
	snprintf(worker.bgw_type, BGW_MAXLEN, "recsys stream %s", slot->name);
	LWLockRelease(rspg_stream_state->lock);

	strlcpy(worker.bgw_name, worker.bgw_type, BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "recsys", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "recsys_stream_main", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &launch, sizeof(launch));
	if (slot_handles[number] != NULL)
		pfree(slot_handles[number]);
	slot_handles[number] = NULL;
	started = RegisterDynamicBackgroundWorker(&worker, &slot_handles[number]);
	if (!started)
	{
		rspg_stream_set_error(slot, "53400", "no worker slot is free: raise max_worker_processes");
		LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
		slot->launched = false;
		slot->restart_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NO_SLOT_RETRY_MS);
		if (slot->state != RSPG_WORKER_WAITING_FOR_SLOT)
			slot->since = slot->launched_at;
		slot->state = RSPG_WORKER_WAITING_FOR_SLOT;
		LWLockRelease(rspg_stream_state->lock);
	}
	return started;
}
