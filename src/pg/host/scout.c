/*
 * scout.c
 *		A scout looks once which streams a database has, and ends.
 *
 * It is connected as the bootstrap superuser, so it runs nothing that a user
 * could have made: a bare scan of the extension's own table, no SQL.
 */
#include "pg/host/launcher.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define LOCK_TIMEOUT "3s"

static RspgLaunch launch;

static void attach(void);
static void detach(int code, Datum argument);
static Oid stream_table(void);
static void scan_streams(Oid table);
static void want_stream(Relation relation, HeapTuple tuple);
static void want_worker(int64 id, const char *name, Oid owner, int worker);
static const char *owner_problem(Oid owner);
static RspgStreamSlot *find_slot(int64 id, int worker);
static Datum column(Relation relation, HeapTuple tuple, const char *name, bool *null);
static int workers_option(Jsonb *options);

void
recsys_scout_main(Datum argument)
{
	Oid table;

	memcpy(&launch, MyBgworkerEntry->bgw_extra, sizeof(launch));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	attach();
	BackgroundWorkerInitializeConnectionByOid(launch.database, InvalidOid, 0);
	/* few scouts run at a time: one that waits is in the way of other databases */
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	table = stream_table();
	if (OidIsValid(table))
		scan_streams(table);
	PopActiveSnapshot();
	CommitTransactionCommand();

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	for (int i = 0; i < rspg_stream_state->n_slots; i++)
	{
		RspgStreamSlot *slot = &rspg_stream_state->slots[i];

		if (slot->database != launch.database || slot->seen)
			continue;
		slot->wanted = false;
		slot->stop = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
	LWLockRelease(rspg_stream_state->lock);
	proc_exit(0);
}

/*
 * From here on, who waits for the database to be left waits for us.
 */
static void
attach(void)
{
	RspgStreamDatabase *entry = &rspg_stream_state->databases[launch.slot];
	bool mine;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	mine = entry->database == launch.database && entry->scouting && entry->scout_pid == 0;
	if (mine)
		entry->scout_pid = MyProcPid;
	for (int i = 0; i < rspg_stream_state->n_slots; i++)
		if (rspg_stream_state->slots[i].database == launch.database)
			rspg_stream_state->slots[i].seen = false;
	LWLockRelease(rspg_stream_state->lock);
	if (!mine)
		proc_exit(0);
	before_shmem_exit(detach, 0);
	if (entry->holds > 0)
		proc_exit(1);
}

static void
detach(int code, Datum argument)
{
	RspgStreamDatabase *entry = &rspg_stream_state->databases[launch.slot];
	int wait = RSPG_RESTART_MIN_MS;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	entry->scouting = false;
	entry->scout_pid = 0;
	if (code == 0)
		entry->failures = 0;
	else
	{
		for (int i = 0; i < entry->failures && wait < RSPG_RESTART_MAX_MS; i++)
			wait *= 2;
		entry->failures++;
		entry->scan = true;
		entry->scan_at =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(), Min(wait, RSPG_RESTART_MAX_MS));
	}
	rspg_stream_database_release(entry);
	rspg_stream_wake_launcher();
	LWLockRelease(rspg_stream_state->lock);
}

/*
 * The extension's table of streams, InvalidOid when it is not there.  A table
 * of that name that is not the extension's is nothing to us.
 */
static Oid
stream_table(void)
{
	Oid extension = get_extension_oid("recsys", true);
	Oid schema = get_namespace_oid("recsys", true);
	Oid table;

	if (!OidIsValid(extension) || !OidIsValid(schema))
		return InvalidOid;
	table = get_relname_relid("stream", schema);
	if (!OidIsValid(table) || get_rel_relkind(table) != RELKIND_RELATION ||
		getExtensionOfObject(RelationRelationId, table) != extension)
		return InvalidOid;
	return table;
}

static void
scan_streams(Oid table)
{
	Relation relation = table_open(table, AccessShareLock);
	TableScanDesc scan = table_beginscan(relation, GetActiveSnapshot(), 0, NULL);
	HeapTuple tuple;

	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		want_stream(relation, tuple);
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
}

static Datum
column(Relation relation, HeapTuple tuple, const char *name, bool *null)
{
	AttrNumber number = get_attnum(RelationGetRelid(relation), name);

	if (number == InvalidAttrNumber)
		elog(ERROR, "recsys.stream has no column \"%s\"", name);
	return heap_getattr(tuple, number, RelationGetDescr(relation), null);
}

/*
 * A row that was copied from another cluster or database does not run: the
 * original may be running.
 */
static void
want_stream(Relation relation, HeapTuple tuple)
{
	bool null;
	int64 id = DatumGetInt64(column(relation, tuple, "id", &null));
	Oid owner = DatumGetObjectId(column(relation, tuple, "owner", &null));
	char *name = TextDatumGetCString(column(relation, tuple, "name", &null));
	int workers = workers_option(DatumGetJsonbP(column(relation, tuple, "options", &null)));

	if (!DatumGetBool(column(relation, tuple, "enabled", &null)) ||
		DatumGetInt64(column(relation, tuple, "system_id", &null)) !=
			(int64) GetSystemIdentifier() ||
		DatumGetObjectId(column(relation, tuple, "database_id", &null)) != MyDatabaseId)
		return;
	for (int i = 0; i < workers; i++)
		want_worker(id, name, owner, i);
}

/*
 * Sessions have checked the options; whatever the row says, the number is sane.
 */
static int
workers_option(Jsonb *options)
{
	JsonbValue value;
	JsonbValue *found;
	double workers;

	if (!JB_ROOT_IS_OBJECT(options))
		return 1;
	found = getKeyJsonValueFromContainer(&options->root, "workers", strlen("workers"), &value);
	if (found == NULL || found->type != jbvNumeric)
		return 1;
	workers = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(found->val.numeric)));
	if (!(workers >= 1)) /* not a number, too */
		return 1;
	return (int) Min(workers, RSPG_MAX_WORKERS);
}

static RspgStreamSlot *
find_slot(int64 id, int worker)
{
	RspgStreamSlot *room = NULL;

	for (int i = 0; i < rspg_stream_state->n_slots; i++)
	{
		RspgStreamSlot *slot = &rspg_stream_state->slots[i];

		if (slot->database == launch.database && slot->stream_id == id && slot->worker == worker)
			return slot;
		if (room == NULL && slot->database == InvalidOid)
			room = slot;
	}
	return room;
}

static void
want_worker(int64 id, const char *name, Oid owner, int worker)
{
	const char *problem = owner_problem(owner);
	RspgStreamSlot *slot;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	slot = find_slot(id, worker);
	if (slot != NULL)
	{
		if (slot->database == InvalidOid)
		{
			slot->database = launch.database;
			slot->stream_id = id;
			slot->worker = worker;
			slot->since = GetCurrentTimestamp();
		}
		slot->owner = owner;
		strlcpy(slot->name, name, sizeof(slot->name));
		slot->wanted = slot->seen = true;
		if (problem != NULL)
			slot->stop = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
		if (problem == NULL && slot->state == RSPG_WORKER_FAILED)
		{
			slot->state = RSPG_WORKER_STARTING;
			slot->restart_at = 0;
		}
	}
	LWLockRelease(rspg_stream_state->lock);
	if (slot == NULL)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("no room for worker %d of recsys stream \"%s\"", worker, name),
					  errhint("Raise recsys.max_streams.")));
	else if (problem != NULL)
	{
		rspg_stream_set_state(slot, RSPG_WORKER_FAILED);
		rspg_stream_set_error(slot, "42501", problem);
	}
}

/*
 * Why a worker cannot run as this role, or NULL.
 */
static const char *
owner_problem(Oid owner)
{
	HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	Form_pg_authid role;
	const char *problem = NULL;

	if (!HeapTupleIsValid(tuple))
		return "the stream's owner does not exist any more";
	role = (Form_pg_authid) GETSTRUCT(tuple);
	if (role->rolsuper)
		problem = "the stream's owner is a superuser: its worker would run triggers of others with "
				  "a superuser's rights";
	else if (!role->rolcanlogin)
		problem = "the stream's owner may not log in: its worker connects as the owner";
	ReleaseSysCache(tuple);
	return problem;
}
