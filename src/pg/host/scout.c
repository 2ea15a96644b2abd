/*
 * scout.c
 *		A scout looks once which jobs a database has, and ends.
 *
 * It is connected as the bootstrap superuser, so it runs nothing that a user
 * could have made: bare scans of the extension's own tables, no SQL.
 */
#include "pg/host/scout.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#define LOCK_TIMEOUT "3s"

static RspgDatabase *mine;
static int kind; /* whose table is looked through */

extern PGDLLEXPORT void recsys_scout_main(Datum argument);

static Oid attach(void);
static void detach(int code, Datum argument);
static Oid table_of(const char *name);
static void scan_table(Oid table);
static void stop_unseen(void);
static RspgSlot *find_slot(int64 id, int worker);

void
recsys_scout_main(Datum argument)
{
	Oid database;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	database = attach();
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	/* few scouts run at a time: one that waits is in the way of other databases */
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	for (kind = 0; rspg_job_kind(kind) != NULL; kind++)
	{
		Oid table = table_of(rspg_job_kind(kind)->table);

		if (OidIsValid(table))
			scan_table(table);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	stop_unseen();
	proc_exit(0);
}

/*
 * From here on, who waits for the database to be left waits for us.
 */
static Oid
attach(void)
{
	RspgLaunch launch;
	Oid database;

	memcpy(&launch, MyBgworkerEntry->bgw_extra, sizeof(launch));
	mine = &rspg_host->databases[launch.slot];
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	if (mine->scout.launch != launch.launch)
	{
		LWLockRelease(rspg_host->lock);
		proc_exit(0);
	}
	database = mine->database;
	mine->scout.pid = MyProcPid;
	for (int i = 0; i < rspg_host->n_slots; i++)
		if (rspg_host->slots[i].job.database == database)
			rspg_host->slots[i].seen = false;
	LWLockRelease(rspg_host->lock);
	before_shmem_exit(detach, 0);
	if (mine->holds > 0)
		proc_exit(1);
	return database;
}

static void
detach(int code, Datum argument)
{
	RspgProcess *scout = &mine->scout;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	scout->launch = 0;
	scout->pid = 0;
	if (code == 0)
		scout->failures = 0;
	else
	{
		scout->start_at =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), rspg_wait_after(scout->failures++));
		mine->scan = true;
	}
	rspg_database_release(mine);
	rspg_wake_launcher();
	LWLockRelease(rspg_host->lock);
}

/*
 * The extension's table of that name, InvalidOid when it is not there.  A table
 * that is not the extension's is nothing to us.
 */
static Oid
table_of(const char *name)
{
	Oid extension = get_extension_oid("recsys", true);
	Oid schema = get_namespace_oid("recsys", true);
	Oid table;

	if (!OidIsValid(extension) || !OidIsValid(schema))
		return InvalidOid;
	table = get_relname_relid(name, schema);
	if (!OidIsValid(table) || get_rel_relkind(table) != RELKIND_RELATION ||
		getExtensionOfObject(RelationRelationId, table) != extension)
		return InvalidOid;
	return table;
}

static void
scan_table(Oid table)
{
	Relation relation = table_open(table, AccessShareLock);
	TableScanDesc scan = table_beginscan(relation, GetActiveSnapshot(), 0, NULL);
	HeapTuple tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		rspg_job_kind(kind)->want(relation, tuple);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
}

Datum
rspg_job_column(Relation table, HeapTuple row, const char *name, bool *null)
{
	AttrNumber number = get_attnum(RelationGetRelid(table), name);

	if (number == InvalidAttrNumber)
		elog(ERROR, "recsys.%s has no column \"%s\"", RelationGetRelationName(table), name);
	return heap_getattr(row, number, RelationGetDescr(table), null);
}

static RspgSlot *
find_slot(int64 id, int worker)
{
	RspgSlot *room = NULL;

	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		RspgSlot *slot = &rspg_host->slots[i];
		const RspgJob *job = &slot->job;

		if (job->database == MyDatabaseId && job->kind == kind && job->id == id &&
			job->worker == worker)
			return slot;
		if (room == NULL && job->database == InvalidOid)
			room = slot;
	}
	return room;
}

void
rspg_job_want(int64 id, int worker, const char *name, Oid owner, const char *problem)
{
	RspgSlot *slot;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	slot = find_slot(id, worker);
	if (slot != NULL)
	{
		RspgJob *job = &slot->job;

		if (job->database == InvalidOid)
		{
			job->database = MyDatabaseId;
			job->kind = kind;
			job->id = id;
			job->worker = worker;
		}
		job->owner = owner;
		strlcpy(job->name, name, sizeof(job->name));
		slot->wanted = slot->seen = true;
		if (problem != NULL)
			slot->stop = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
		if (problem == NULL && slot->state == RSPG_JOB_FAILED)
		{
			slot->state = RSPG_JOB_STARTING;
			slot->process.start_at = 0;
		}
	}
	LWLockRelease(rspg_host->lock);
	if (slot == NULL)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("no room for worker %d of recsys %s \"%s\"", worker,
							 rspg_job_kind(kind)->name, name),
					  errhint("Raise recsys.max_workers.")));
	else if (problem != NULL)
	{
		rspg_slot_state(slot, RSPG_JOB_FAILED);
		rspg_slot_error(slot, "42501", problem);
	}
}

/*
 * What was not seen is not wanted any more.
 */
static void
stop_unseen(void)
{
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		RspgSlot *slot = &rspg_host->slots[i];

		if (slot->job.database != mine->database || slot->seen)
			continue;
		slot->wanted = false;
		rspg_slot_stop(slot);
	}
	LWLockRelease(rspg_host->lock);
}
