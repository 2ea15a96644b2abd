/*
 * launcher.c
 *		The launcher: which databases to look through, and when; it hands workers
 *		to the supervisor.
 *
 * It is connected to no database, so that it never is in the way of DROP
 * DATABASE; what jobs there are it learns from scouts (scout.c) by shared
 * memory.  A process is started once and never again by the postmaster: waiting
 * longer after each failure is the launcher's business.
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
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/host/database_commands.h"
#include "pg/host/supervisor.h"

#define MAX_SCOUTS 2
#define SAME_LOG_MS (10 * 60 * 1000)

static BackgroundWorkerHandle **scout_handles;
static List *to_scan = NIL; /* oids for which there was no entry yet */

extern PGDLLEXPORT void recsys_launcher_main(Datum argument);

static void start(void);
static void at_exit(int code, Datum argument);
static void list_databases(void);
static List *allowed_databases(Oid only);
static void feed_scans(void);
static long tend_databases(TimestampTz now);
static bool launch_scout(RspgDatabase *entry);
static void complain_of_slots(void);
static void want_nothing(Oid database);

void
rspg_host_init(void)
{
	BackgroundWorker worker = {0};

	if (!process_shared_preload_libraries_in_progress)
		return;
	rspg_jobs_init();
	rspg_database_commands_init();
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
		if (rspg_host->scan_all)
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
	scout_handles = MemoryContextAllocZero(TopMemoryContext, rspg_host->n_databases *
																 sizeof(BackgroundWorkerHandle *));
	before_shmem_exit(at_exit, 0);
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	rspg_host->launcher_latch = MyLatch;
	LWLockRelease(rspg_host->lock);
}

static void
at_exit(int code, Datum argument)
{
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	rspg_host->launcher_latch = NULL;
	LWLockRelease(rspg_host->lock);
}

/*
 * The databases that may have jobs, or only this one if it is one of them; in
 * TopMemoryContext.
 */
static List *
allowed_databases(Oid only)
{
	List *result = NIL;
	Relation relation;
	SysScanDesc scan;
	HeapTuple tuple;

	StartTransactionCommand();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	/* by no index: without a database, the cache of relations may not have it */
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if ((OidIsValid(only) && row->oid != only) || !row->datallowconn || row->datistemplate ||
			!rspg_jobs_database_allowed(NameStr(row->datname)))
			continue;
		old = MemoryContextSwitchTo(TopMemoryContext);
		result = lappend_oid(result, row->oid);
		MemoryContextSwitchTo(old);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	return result;
}

/*
 * Every database that may have jobs is to be scanned; in others nothing runs.
 */
static void
list_databases(void)
{
	rspg_host->scan_all = false;
	list_free(to_scan);
	to_scan = allowed_databases(InvalidOid);
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		Oid database = rspg_host->slots[i].job.database;

		if (OidIsValid(database) && !list_member_oid(to_scan, database))
			want_nothing(database);
	}
}

/*
 * Entries for databases that wait for a scan, as far as there is room.
 */
static void
feed_scans(void)
{
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	while (to_scan != NIL)
	{
		RspgDatabase *entry = rspg_database(linitial_oid(to_scan), true);

		if (entry == NULL)
			break;
		entry->scan = true;
		to_scan = list_delete_first(to_scan);
	}
	LWLockRelease(rspg_host->lock);
}

/*
 * The workers of a database are to stop, and not to start again.
 */
static void
want_nothing(Oid database)
{
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		RspgSlot *slot = &rspg_host->slots[i];

		if (slot->job.database != database)
			continue;
		slot->wanted = false;
		rspg_slot_stop(slot);
	}
	LWLockRelease(rspg_host->lock);
}

/*
 * Start scouts where a scan is due.  Returns milliseconds to the next look.
 */
static long
tend_databases(TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, RSPG_IDLE_MS);
	int scouts = 0;

	for (int i = 0; i < rspg_host->n_databases; i++)
	{
		RspgDatabase *entry = &rspg_host->databases[i];
		bool due;

		LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
		if (rspg_launch_gone(&entry->scout, &scout_handles[i], now))
		{
			entry->scout.launch = 0;
			entry->scout.start_at = TimestampTzPlusMilliseconds(now, RSPG_NO_SLOT_MS);
			entry->scan = true;
		}
		due = entry->database != InvalidOid && entry->scan && entry->scout.launch == 0 &&
			  entry->holds == 0;
		if (due && entry->scout.start_at > now)
		{
			next = Min(next, entry->scout.start_at);
			due = false;
		}
		scouts += entry->scout.launch != 0;
		rspg_database_release(entry);
		LWLockRelease(rspg_host->lock);
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
launch_scout(RspgDatabase *entry)
{
	int number = entry - rspg_host->databases;
	List *found = allowed_databases(entry->database);
	bool allowed = found != NIL;

	list_free(found);
	if (!allowed)
		want_nothing(entry->database);
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	entry->scan = false;
	if (!allowed)
		rspg_database_release(entry);
	LWLockRelease(rspg_host->lock);
	if (!allowed || rspg_launch(&entry->scout, number, &scout_handles[number], "recsys scout",
								"recsys_scout_main"))
		return true;
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	entry->scan = true;
	LWLockRelease(rspg_host->lock);
	complain_of_slots();
	return false;
}

/*
 * A job that no scout has seen yet has no place to show this.
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
				  errmsg("no worker slot is free to look for recsys jobs"),
				  errhint("Raise max_worker_processes.")));
}
