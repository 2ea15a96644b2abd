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
#include "pg/host/launcher.h"

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
#define SAME_LOG_MS (10 * 60 * 1000)

static BackgroundWorkerHandle **scout_handles;
static List *to_scan = NIL; /* oids for which there was no entry yet */

static void start(void);
static void at_exit(int code, Datum argument);
static void list_databases(void);
static bool database_allowed(Oid database);
static void feed_scans(void);
static long tend_databases(TimestampTz now);
static bool launch_scout(RspgStreamDatabase *entry);
static void complain_of_slots(void);
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
		timeout = Min(tend_databases(now), rspg_supervise(now));
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

		result = row->datallowconn && !row->datistemplate &&
				 rspg_stream_database_allowed(NameStr(row->datname));
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
 * Start scouts where a scan is due.  Returns milliseconds to the next look.
 */
static long
tend_databases(TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, RSPG_IDLE_MS);
	int scouts = 0;

	for (int i = 0; i < rspg_stream_state->n_databases; i++)
	{
		RspgStreamDatabase *entry = &rspg_stream_state->databases[i];
		bool due;

		LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
		if (entry->scouting && entry->scout_pid == 0 &&
			rspg_launch_gone(&scout_handles[i], entry->scan_at, now))
		{
			entry->scouting = false;
			entry->scan = true;
			entry->scan_at = TimestampTzPlusMilliseconds(now, RSPG_NO_SLOT_MS);
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
				next = Min(next, TimestampTzPlusMilliseconds(now, RSPG_NO_SLOT_MS));
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
		entry->scan_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RSPG_NO_SLOT_MS);
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
