/*
 * jobs.c
 *		Shared memory of jobs: settings, slots, wakes.
 *
 * It remembers nothing that is not in tables: after a crash of the server it
 * starts empty, and the launcher fills it again.
 */
#include "pg/host/jobs.h"

#include <limits.h>

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#define DEFAULT_MAX_WORKERS 64
#define DEFAULT_WORKER_TIMEOUT_MS (5 * 60 * 1000)
#define MAX_KINDS 4
/* entries beyond a database a slot: those that were woken but have no job yet */
#define SPARE_DATABASES 64
#define RESTART_MIN_MS 100
/* a worker that ended well after so long starts again without a wait */
#define LIVED_MS 2000

RspgHost *rspg_host = NULL;

/*
 * recsys.databases: databases whose jobs run, * for every one that accepts
 * connections.
 */
char *recsys_databases = NULL;

/*
 * recsys.max_workers: how many workers there can be, of all kinds and databases.
 */
int recsys_max_workers = DEFAULT_MAX_WORKERS;

/*
 * recsys.worker_timeout: how long a worker may be silent before another takes
 * over.  Nothing is written twice when the first one wakes up again.
 */
int recsys_worker_timeout = DEFAULT_WORKER_TIMEOUT_MS;

static const RspgJobKind *kinds[MAX_KINDS];
static int n_kinds = 0;
static bool wake_pending = false;
static const char *changed = NULL;
static bool xact_hook_set = false;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void request_shmem(void);
static void startup_shmem(void);
static Size host_size(void);
static void wake(Oid database);
static void wake_at_xact_end(XactEvent event, void *arg);

void
rspg_jobs_init(void)
{
	DefineCustomStringVariable(
		"recsys.databases", "Sets the databases where workers run.",
		"Names separated by commas; * means every database, an empty value none.",
		&recsys_databases, "*", PGC_SIGHUP, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomIntVariable("recsys.max_workers", "Sets how many workers can run at a time.",
							"Each takes one of max_worker_processes, too.", &recsys_max_workers,
							DEFAULT_MAX_WORKERS, 1, 10000, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("recsys.worker_timeout",
							"Sets how long a worker may be silent before another one takes over.",
							"Zero means that none ever does.", &recsys_worker_timeout,
							DEFAULT_WORKER_TIMEOUT_MS, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MS, NULL,
							NULL, NULL);
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

static int
max_databases(void)
{
	return recsys_max_workers + SPARE_DATABASES;
}

static Size
host_size(void)
{
	Size size = MAXALIGN(sizeof(RspgHost));

	size = add_size(size, mul_size(recsys_max_workers, sizeof(RspgSlot)));
	return add_size(MAXALIGN(size), mul_size(max_databases(), sizeof(RspgDatabase)));
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(host_size());
	RequestNamedLWLockTranche("recsys_jobs", 1);
}

static void
startup_shmem(void)
{
	bool found;
	char *memory;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	memory = ShmemInitStruct("recsys jobs", host_size(), &found);
	rspg_host = (RspgHost *) memory;
	if (!found)
	{
		memset(memory, 0, host_size());
		rspg_host->lock = &GetNamedLWLockTranche("recsys_jobs")->lock;
		rspg_host->n_slots = recsys_max_workers;
		rspg_host->n_databases = max_databases();
		memory += MAXALIGN(sizeof(RspgHost));
		rspg_host->slots = (RspgSlot *) memory;
		memory += MAXALIGN(rspg_host->n_slots * sizeof(RspgSlot));
		rspg_host->databases = (RspgDatabase *) memory;
	}
	LWLockRelease(AddinShmemInitLock);
}

int
rspg_job_kind_add(const RspgJobKind *kind)
{
	Assert(n_kinds < MAX_KINDS);
	kinds[n_kinds] = kind;
	return n_kinds++;
}

const RspgJobKind *
rspg_job_kind(int number)
{
	return number < n_kinds ? kinds[number] : NULL;
}

bool
rspg_jobs_database_allowed(const char *name)
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

RspgDatabase *
rspg_database(Oid database, bool create)
{
	RspgDatabase *room = NULL;

	for (int i = 0; i < rspg_host->n_databases; i++)
	{
		RspgDatabase *entry = &rspg_host->databases[i];

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
rspg_database_release(RspgDatabase *entry)
{
	if (!entry->scan && entry->scout.launch == 0 && entry->holds == 0)
		entry->database = InvalidOid;
}

void
rspg_wake_launcher(void)
{
	Latch *latch = rspg_host->launcher_latch;

	if (latch != NULL)
		SetLatch(latch);
}

static void
wake(Oid database)
{
	RspgDatabase *entry;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	entry = rspg_database(database, true);
	if (entry != NULL)
	{
		entry->scan = true;
		entry->scout.start_at = 0;
		entry->scout.failures = 0;
	}
	else
		rspg_host->scan_all = true;
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		RspgSlot *slot = &rspg_host->slots[i];

		if (slot->job.database != database)
			continue;
		slot->reread = true;
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
	rspg_wake_launcher();
	LWLockRelease(rspg_host->lock);
}

void
rspg_jobs_wake_at_commit(const char *what)
{
	if (rspg_host == NULL)
		return;
	if (!xact_hook_set)
	{
		RegisterXactCallback(wake_at_xact_end, NULL);
		xact_hook_set = true;
	}
	wake_pending = true;
	if (what != NULL)
		changed = what;
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
			if (changed != NULL)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has changed a %s", changed)));
			break;
		case XACT_EVENT_COMMIT:
			wake(MyDatabaseId);
			/* FALLTHROUGH */
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			wake_pending = false;
			changed = NULL;
			break;
		default:
			break;
	}
}

void
rspg_slot_stop(RspgSlot *slot)
{
	slot->stop = true;
	if (slot->latch != NULL)
		SetLatch(slot->latch);
}

void
rspg_slot_ended(RspgSlot *slot, bool healthy)
{
	RspgProcess *process = &slot->process;
	TimestampTz now = GetCurrentTimestamp();
	bool lived = TimestampDifferenceExceeds(process->launched_at, now, LIVED_MS);
	int wait;

	process->launch = 0;
	process->pid = 0;
	slot->latch = NULL;
	if (TimestampDifferenceExceeds(process->launched_at, now, RSPG_RESTART_MAX_MS) ||
		(healthy && lived))
		process->failures = 0;
	wait = rspg_wait_after(process->failures++);
	if (healthy)
		wait = lived ? 0 : Min(wait, LIVED_MS);
	process->start_at = TimestampTzPlusMilliseconds(now, wait);
	if (slot->state != RSPG_JOB_FAILED)
		slot->state = slot->error_at != 0 ? RSPG_JOB_RETRYING : RSPG_JOB_STARTING;
}

void
rspg_slot_state(RspgSlot *slot, RspgJobState state)
{
	if (slot->state == state)
		return;
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	slot->state = state;
	LWLockRelease(rspg_host->lock);
}

void
rspg_slot_error(RspgSlot *slot, const char *sqlstate, const char *text)
{
	int length = pg_mbcliplen(text, strlen(text), sizeof(slot->error) - 1);

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	memcpy(slot->error, text, length);
	slot->error[length] = '\0';
	strlcpy(slot->sqlstate, sqlstate, sizeof(slot->sqlstate));
	slot->error_at = GetCurrentTimestamp();
	LWLockRelease(rspg_host->lock);
}

int
rspg_wait_after(int failures)
{
	int wait = RESTART_MIN_MS;

	for (int i = 0; i < failures && wait < RSPG_RESTART_MAX_MS; i++)
		wait *= 2;
	return Min(wait, RSPG_RESTART_MAX_MS);
}
