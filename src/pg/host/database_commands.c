/*
 * database_commands.c
 *		Commands that need a database without sessions: our processes leave it
 *		for as long as the command takes.
 *
 * DROP DATABASE, CREATE DATABASE … TEMPLATE, ALTER DATABASE … RENAME and … SET
 * TABLESPACE refuse a database that anybody is connected to.  PostgreSQL itself
 * asks only autovacuum to go.  Afterwards, and whatever the outcome, jobs of a
 * database that is still there start again.
 */
#include "pg/host/database_commands.h"

#include "pg/host/jobs.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#define POLL_MS 10
#define POLITE_MS 500
#define LEAVE_MS 5000

static ProcessUtility_hook_type previous_utility = NULL;
static Oid held = InvalidOid; /* by this session's transaction */
static bool xact_hook_set = false;

static void utility(PlannedStmt *statement, const char *text, bool read_only_tree,
					ProcessUtilityContext context, ParamListInfo params,
					QueryEnvironment *environment, DestReceiver *destination,
					QueryCompletion *completion);
static Oid database_to_leave(Node *statement);
static Oid database_if_allowed(const char *name, bool as_template);
static bool changes_jobs(Node *statement);
static void hold(Oid database);
static void release(XactEvent event, void *argument);
static bool ask_to_leave(Oid database, bool forcibly);

void
rspg_database_commands_init(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}

static void
utility(PlannedStmt *statement, const char *text, bool read_only_tree,
		ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
		DestReceiver *destination, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;
	Oid database = context == PROCESS_UTILITY_TOPLEVEL ? database_to_leave(statement->utilityStmt)
													   : InvalidOid;

	if (changes_jobs(statement->utilityStmt))
		rspg_jobs_wake_at_commit(NULL);
	if (OidIsValid(database))
		hold(database);
	next(statement, text, read_only_tree, context, params, environment, destination, completion);
}

/*
 * Commands after which a scout should look again: the extension goes or comes,
 * or a role changes or goes that a job runs as.
 */
static bool
changes_jobs(Node *statement)
{
	if (IsA(statement, DropStmt))
	{
		ObjectType type = ((DropStmt *) statement)->removeType;

		return type == OBJECT_EXTENSION || type == OBJECT_SCHEMA;
	}
	return IsA(statement, AlterRoleStmt) || IsA(statement, DropRoleStmt) ||
		   IsA(statement, CreateExtensionStmt);
}

/*
 * The database that a command needs for itself, InvalidOid for none.
 */
static Oid
database_to_leave(Node *statement)
{
	ListCell *cell;

	if (IsA(statement, DropdbStmt))
		return database_if_allowed(((DropdbStmt *) statement)->dbname, false);
	if (IsA(statement, RenameStmt) && ((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		return database_if_allowed(((RenameStmt *) statement)->subname, false);
	if (IsA(statement, AlterDatabaseStmt))
	{
		foreach (cell, ((AlterDatabaseStmt *) statement)->options)
			if (strcmp(((DefElem *) lfirst(cell))->defname, "tablespace") == 0)
				return database_if_allowed(((AlterDatabaseStmt *) statement)->dbname, false);
	}
	if (IsA(statement, CreatedbStmt))
	{
		foreach (cell, ((CreatedbStmt *) statement)->options)
		{
			DefElem *option = (DefElem *) lfirst(cell);

			if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
				return database_if_allowed(defGetString(option), true);
		}
		return database_if_allowed("template1", true);
	}
	return InvalidOid;
}

/*
 * InvalidOid also for who may not do it: they shall not stop workers by trying.
 */
static Oid
database_if_allowed(const char *name, bool as_template)
{
	HeapTuple tuple;
	Oid database = get_database_oid(name, true);
	bool is_template;

	if (!OidIsValid(database))
		return InvalidOid;
#if PG_VERSION_NUM >= 160000
	if (object_ownercheck(DatabaseRelationId, database, GetUserId()))
#else
	if (pg_database_ownercheck(database, GetUserId()))
#endif
		return database;
	if (!as_template || !have_createdb_privilege())
		return InvalidOid;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	is_template = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	ReleaseSysCache(tuple);
	return is_template ? database : InvalidOid;
}

/*
 * Nobody of ours connects from now on; those that are leave.
 */
static void
hold(Oid database)
{
	RspgDatabase *entry;

	if (OidIsValid(held))
		return;
	if (!xact_hook_set)
		RegisterXactCallback(release, NULL);
	xact_hook_set = true;
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	entry = rspg_database(database, true);
	if (entry != NULL)
	{
		entry->holds++;
		held = database;
	}
	LWLockRelease(rspg_host->lock);
	if (entry == NULL)
		return;
	for (int waited = 0; waited < LEAVE_MS && ask_to_leave(database, waited >= POLITE_MS);
		 waited += POLL_MS)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Is anybody of ours there?  A worker in the middle of a batch may finish it,
 * for half a second.
 */
static bool
ask_to_leave(Oid database, bool forcibly)
{
	RspgDatabase *entry;
	bool there = false;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	entry = rspg_database(database, false);
	if (entry != NULL && entry->scout.pid != 0)
	{
		there = true;
		if (forcibly)
			kill(entry->scout.pid, SIGTERM);
	}
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		RspgSlot *slot = &rspg_host->slots[i];

		if (slot->job.database != database || slot->process.pid == 0)
			continue;
		there = true;
		rspg_slot_stop(slot);
		if (forcibly)
			kill(slot->process.pid, SIGTERM);
	}
	LWLockRelease(rspg_host->lock);
	return there;
}

/*
 * The command is over, well or not: not before its transaction is, for until
 * then a dropped database looks as if it were there.  The launcher finds out.
 */
static void
release(XactEvent event, void *argument)
{
	RspgDatabase *entry;

	if (!OidIsValid(held) || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT))
		return;
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	entry = rspg_database(held, false);
	if (entry != NULL)
	{
		entry->holds--;
		entry->scan = true;
		entry->scout.start_at = 0;
	}
	held = InvalidOid;
	rspg_wake_launcher();
	LWLockRelease(rspg_host->lock);
}
