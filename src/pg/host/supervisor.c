/*
 * supervisor.c
 *		The launcher's care for workers: start, watch, start again, free.
 *
 * All of it goes by shared memory, where a worker shows up and signs off; the
 * postmaster is asked only for one that never showed up.  So a launcher that
 * starts anew knows as much as the one before.
 */
#include "pg/host/supervisor.h"

#include <signal.h>

#include "miscadmin.h"
#include "utils/memutils.h"

/* a process that was asked for and did not show up within this is not coming */
#define ATTACH_MS 10000
/* a job that must not run as it is may have been put right: look again */
#define FAILED_RESCAN_MS 30000
/* so long a start waits for a scan that is under way */
#define SCAN_FIRST_MS 1000

static BackgroundWorkerHandle **slot_handles = NULL;
static TimestampTz failed_rescan_at = 0;

static bool tend_slot(RspgSlot *slot, TimestampTz now, TimestampTz *next);
static void check_alive(RspgSlot *slot, TimestampTz now);
static bool launch_worker(RspgSlot *slot);

bool
rspg_launch(RspgProcess *process, int slot, BackgroundWorkerHandle **handle, const char *name,
			const char *main)
{
	BackgroundWorker worker = {0};
	RspgLaunch launch;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	process->launch = ++rspg_host->launches;
	process->launched_at = GetCurrentTimestamp();
	process->pid = 0;
	launch.slot = slot;
	launch.launch = process->launch;
	LWLockRelease(rspg_host->lock);

	strlcpy(worker.bgw_name, name, BGW_MAXLEN);
	strlcpy(worker.bgw_type, name, BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "recsys", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, main, BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	memcpy(worker.bgw_extra, &launch, sizeof(launch));
	if (*handle != NULL)
		pfree(*handle);
	*handle = NULL;
	if (RegisterDynamicBackgroundWorker(&worker, handle))
		return true;
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	process->launch = 0;
	process->start_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RSPG_NO_SLOT_MS);
	LWLockRelease(rspg_host->lock);
	return false;
}

bool
rspg_launch_gone(const RspgProcess *process, BackgroundWorkerHandle **handle, TimestampTz now)
{
	pid_t pid;

	if (process->launch == 0 || process->pid != 0)
		return false;
	if (*handle != NULL)
	{
		if (GetBackgroundWorkerPid(*handle, &pid) != BGWH_STOPPED)
			return false;
		pfree(*handle);
		*handle = NULL;
		return true;
	}
	/* asked for by a launcher that is no more */
	return TimestampDifferenceExceeds(process->launched_at, now, ATTACH_MS);
}

long
rspg_supervise(TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, RSPG_IDLE_MS);
	bool failed = false;

	if (slot_handles == NULL)
		slot_handles =
			MemoryContextAllocZero(TopMemoryContext, rspg_host->n_slots * sizeof(*slot_handles));
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		RspgSlot *slot = &rspg_host->slots[i];
		bool due;

		if (recsys_worker_timeout > 0)
			check_alive(slot, now);
		LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
		due = slot->job.database != InvalidOid && tend_slot(slot, now, &next);
		if (slot->job.database != InvalidOid && slot->state == RSPG_JOB_FAILED)
		{
			RspgDatabase *entry = NULL;

			failed = true;
			if (failed_rescan_at <= now)
				entry = rspg_database(slot->job.database, true);
			if (entry != NULL)
				entry->scan = true;
		}
		LWLockRelease(rspg_host->lock);
		if (due && !launch_worker(slot))
			next = Min(next, TimestampTzPlusMilliseconds(now, RSPG_NO_SLOT_MS));
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
tend_slot(RspgSlot *slot, TimestampTz now, TimestampTz *next)
{
	RspgDatabase *entry;

	if (rspg_launch_gone(&slot->process, &slot_handles[slot - rspg_host->slots], now))
		rspg_slot_ended(slot, false);
	if (slot->process.launch != 0)
	{
		if (recsys_worker_timeout > 0)
			*next = Min(*next, TimestampTzPlusMilliseconds(now, recsys_worker_timeout / 2 + 1));
		return false;
	}
	if (!slot->wanted)
	{
		memset(slot, 0, sizeof(*slot));
		return false;
	}
	entry = rspg_database(slot->job.database, false);
	if (slot->state == RSPG_JOB_FAILED || (entry != NULL && entry->holds > 0))
		return false;
	if (entry != NULL && (entry->scan || entry->scout.launch != 0) &&
		!TimestampDifferenceExceeds(slot->process.start_at, now, SCAN_FIRST_MS))
	{
		*next = Min(*next, TimestampTzPlusMilliseconds(slot->process.start_at, SCAN_FIRST_MS + 1));
		return false;
	}
	if (slot->process.start_at > now)
	{
		*next = Min(*next, slot->process.start_at);
		return false;
	}
	return true;
}

/*
 * A worker that was silent for too long loses its slot.  It is asked to end, but
 * that may never happen (it is stopped, or sits in a call of the kernel): what a
 * kind writes must be safe beside a worker that wakes up late.
 */
static void
check_alive(RspgSlot *slot, TimestampTz now)
{
	RspgJob job;
	pid_t pid = 0;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	if (slot->process.pid != 0 &&
		TimestampDifferenceExceeds(slot->alive_at, now, recsys_worker_timeout))
	{
		job = slot->job;
		pid = slot->process.pid;
		kill(pid, SIGTERM);
		rspg_slot_ended(slot, false);
		slot->state = RSPG_JOB_NOT_RESPONDING;
	}
	LWLockRelease(rspg_host->lock);
	if (pid != 0)
		ereport(LOG, (errmsg("worker %d of recsys %s \"%s\" (PID %d) does not respond, "
							 "another one takes over",
							 job.worker, rspg_job_kind(job.kind)->name, job.name, (int) pid)));
}

/*
 * True unless no worker slot was free.
 */
static bool
launch_worker(RspgSlot *slot)
{
	int number = slot - rspg_host->slots;
	const RspgJobKind *kind = rspg_job_kind(slot->job.kind);
	char name[BGW_MAXLEN];

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	slot->stop = false;
	snprintf(name, sizeof(name), "recsys %s %s", kind->name, slot->job.name);
	LWLockRelease(rspg_host->lock);
	if (rspg_launch(&slot->process, number, &slot_handles[number], name, kind->main))
		return true;
	rspg_slot_error(slot, "53400", "no worker slot is free: raise max_worker_processes");
	rspg_slot_state(slot, RSPG_JOB_WAITING_FOR_SLOT);
	return false;
}
