/*
 * progress.c
 *		recsys.training_progress: who trains what, and how far it is.
 *
 * A fixed array in shared memory, one slot a running training.  It is small
 * enough for the slack that PostgreSQL leaves in its segment, so that it works
 * without preloading too (as pg_prewarm does); where even that is not to be
 * had, training goes on without being seen.
 */
#include "pg/base/progress.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define PROGRESS_SLOTS 64
#define PROGRESS_TRANCHE "recsys_progress"

typedef struct ProgressSlot
{
	int pid; /* 0 = free */
	Oid database;
	Oid role;
	TimestampTz started;
	uint64 rows;
	int iteration;
	int iterations;
	double loss;
	char label[NAMEDATALEN];
	char algorithm[32];
	char phase[32];
} ProgressSlot;

typedef struct ProgressShared
{
	int tranche;
	LWLock lock;
	ProgressSlot slots[PROGRESS_SLOTS];
} ProgressShared;

static ProgressShared *shared = NULL;
static bool unavailable = false;
static ProgressSlot *mine = NULL;
static bool exit_hook_set = false;
static shmem_request_hook_type previous_request_hook = NULL;

static void request_shmem(void);
static bool attach(void);
static void release_at_exit(int code, Datum arg);
static void release_at_xact_end(XactEvent event, void *arg);

PG_FUNCTION_INFO_V1(recsys_training_progress);

void
rspg_progress_init(void)
{
	RegisterXactCallback(release_at_xact_end, NULL);
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(ProgressShared)));
}

/*
 * Find or make the shared array.  False when there is no room for it.
 */
static bool
attach(void)
{
	bool found;
	MemoryContext old = CurrentMemoryContext;
	uint32 held_off = InterruptHoldoffCount;

	if (shared != NULL)
		return true;
	if (unavailable)
		return false;
	PG_TRY();
	{
		LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
		shared = ShmemInitStruct("recsys progress", sizeof(ProgressShared), &found);
		if (!found)
		{
			memset(shared, 0, sizeof(ProgressShared));
			shared->tranche = LWLockNewTrancheId();
			LWLockInitialize(&shared->lock, shared->tranche);
		}
		LWLockRelease(AddinShmemInitLock);
		LWLockRegisterTranche(shared->tranche, PROGRESS_TRANCHE);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		/* the error has reset the count that releasing takes one from: below 0 the
		 * session would hear of no cancel, timeout or end any more */
		InterruptHoldoffCount = held_off;
		if (LWLockHeldByMe(AddinShmemInitLock))
		{
			HOLD_INTERRUPTS();
			LWLockRelease(AddinShmemInitLock);
		}
		if (geterrcode() != ERRCODE_OUT_OF_MEMORY)
			PG_RE_THROW();
		FlushErrorState();
		shared = NULL;
		unavailable = true;
	}
	PG_END_TRY();
	return shared != NULL;
}

void
rspg_progress_begin(const char *label, const char *algorithm)
{
	int i;

	if (mine != NULL || !attach())
		return;
	if (!exit_hook_set)
	{
		before_shmem_exit(release_at_exit, (Datum) 0);
		exit_hook_set = true;
	}
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (i = 0; i < PROGRESS_SLOTS && mine == NULL; i++)
	{
		ProgressSlot *slot = &shared->slots[i];

		if (slot->pid != 0)
			continue;
		memset(slot, 0, sizeof(*slot));
		slot->database = MyDatabaseId;
		slot->role = GetUserId();
		slot->started = GetCurrentTimestamp();
		slot->loss = get_float8_nan();
		strlcpy(slot->label, label, sizeof(slot->label));
		strlcpy(slot->algorithm, algorithm, sizeof(slot->algorithm));
		strlcpy(slot->phase, "reading", sizeof(slot->phase));
		slot->pid = MyProcPid;
		mine = slot;
	}
	LWLockRelease(&shared->lock);
}

void
rspg_progress_update(const RsProgress *progress)
{
	if (mine == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	strlcpy(mine->phase, progress->phase, sizeof(mine->phase));
	mine->iteration = progress->iteration;
	mine->iterations = progress->iterations;
	mine->loss = progress->loss;
	LWLockRelease(&shared->lock);
}

void
rspg_progress_rows(uint64 rows)
{
	if (mine == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	mine->rows = rows;
	LWLockRelease(&shared->lock);
}

void
rspg_progress_end(void)
{
	if (mine == NULL)
		return;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	mine->pid = 0;
	LWLockRelease(&shared->lock);
	mine = NULL;
}

static void
release_at_exit(int code, Datum arg)
{
	rspg_progress_end();
}

/* An error takes the training with it: the slot goes at the latest here. */
static void
release_at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		rspg_progress_end();
}

/*
 * recsys.training_progress(): rows of (pid, database, role, model, algorithm,
 * phase, iteration, iterations, loss, rows, seconds).  As in PostgreSQL's own views
 * of progress, who has not the role's rights, nor those of pg_read_all_stats, sees
 * that it trains and no more.
 */
Datum
recsys_training_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ProgressSlot copy[PROGRESS_SLOTS];
	TimestampTz now = GetCurrentTimestamp();
	int i;

	InitMaterializedSRF(fcinfo, 0);
	if (!attach())
		return (Datum) 0;
	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(copy, shared->slots, sizeof(copy));
	LWLockRelease(&shared->lock);
	for (i = 0; i < PROGRESS_SLOTS; i++)
	{
		Datum values[11];
		bool nulls[11] = {false};

		if (copy[i].pid == 0)
			continue;
		values[0] = Int32GetDatum(copy[i].pid);
		values[1] = ObjectIdGetDatum(copy[i].database);
		values[2] = ObjectIdGetDatum(copy[i].role);
		values[3] = CStringGetTextDatum(copy[i].label);
		nulls[3] = copy[i].label[0] == '\0';
		values[4] = CStringGetTextDatum(copy[i].algorithm);
		values[5] = CStringGetTextDatum(copy[i].phase);
		values[6] = Int32GetDatum(copy[i].iteration);
		values[7] = Int32GetDatum(copy[i].iterations);
		nulls[7] = copy[i].iterations == 0;
		values[8] = Float8GetDatum(copy[i].loss);
		nulls[8] = isnan(copy[i].loss);
		values[9] = Int64GetDatum((int64) copy[i].rows);
		values[10] = Float8GetDatum((double) (now - copy[i].started) / USECS_PER_SEC);
		if (!has_privs_of_role(GetUserId(), copy[i].role) &&
			!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
			memset(nulls + 3, true, sizeof(nulls) - 3 * sizeof(bool));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
