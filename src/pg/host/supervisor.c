/*
 * supervisor.c
 *		The launcher's care for workers: start, watch, start again, free.
 *
 * All of it goes by shared memory, where a worker shows up and signs off; the
 * postmaster is asked only for one that never showed up.  So a launcher that
 * starts anew knows as much as the one before.
 */
#include "pg/host/launcher.h"

#include <signal.h>

#include "miscadmin.h"
#include "utils/memutils.h"

/* a process that was asked for and did not show up within this is not coming */
#define ATTACH_MS 10000
/* a stream that must not run as it is may have been put right: look again */
#define FAILED_RESCAN_MS 30000
/* a worker that ended well after so long starts again without a wait */
#define LIVED_MS 2000
/* so long a start waits for a scan that is under way */
#define SCAN_FIRST_MS 1000

static BackgroundWorkerHandle **slot_handles = NULL;
static TimestampTz failed_rescan_at = 0;

static bool tend_slot(RspgStreamSlot *slot, TimestampTz now, TimestampTz *next);
static void check_alive(RspgStreamSlot *slot, TimestampTz now);
static bool launch_worker(RspgStreamSlot *slot);

/*
 * A process that was asked for ended, or never came.
 */
bool
rspg_launch_gone(BackgroundWorkerHandle **handle, TimestampTz since, TimestampTz now)
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
 * Start, free and watch workers.  Returns milliseconds to the next look.
 */
long
rspg_supervise(TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, RSPG_IDLE_MS);
	bool failed = false;

	if (slot_handles == NULL)
		slot_handles = MemoryContextAllocZero(TopMemoryContext,
											  rspg_stream_state->n_slots * sizeof(*slot_handles));
	for (int i = 0; i < rspg_stream_state->n_slots; i++)
	{
		RspgStreamSlot *slot = &rspg_stream_state->slots[i];
		bool due;

		if (recsys_worker_timeout > 0)
			check_alive(slot, now);
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
tend_slot(RspgStreamSlot *slot, TimestampTz now, TimestampTz *next)
{
	RspgStreamDatabase *entry;

	if (slot->launched && slot->pid == 0 &&
		rspg_launch_gone(&slot_handles[slot - rspg_stream_state->slots], slot->launched_at, now))
		rspg_launch_ended(slot, false);
	if (slot->launched)
	{
		if (recsys_worker_timeout > 0)
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
 * A worker that was silent for too long loses its slot.  It is asked to end, but
 * that may never happen (it is stopped, or sits in a call of the kernel); the
 * offsets see to it that it cannot write what another has written.
 */
static void
check_alive(RspgStreamSlot *slot, TimestampTz now)
{
	char name[NAMEDATALEN];
	int worker;
	pid_t pid = 0;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	if (slot->launched && slot->pid != 0 &&
		TimestampDifferenceExceeds(slot->alive_at, now, recsys_worker_timeout))
	{
		strlcpy(name, slot->name, sizeof(name));
		worker = slot->worker;
		pid = slot->pid;
		kill(pid, SIGTERM);
		rspg_launch_ended(slot, false);
		slot->state = RSPG_WORKER_NOT_RESPONDING;
	}
	LWLockRelease(rspg_stream_state->lock);
	if (pid != 0)
		ereport(LOG, (errmsg("worker %d of recsys stream \"%s\" (PID %d) does not respond, "
							 "another one takes over",
							 worker, name, (int) pid)));
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
		slot->restart_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), RSPG_NO_SLOT_MS);
		if (slot->state != RSPG_WORKER_WAITING_FOR_SLOT)
			slot->since = slot->launched_at;
		slot->state = RSPG_WORKER_WAITING_FOR_SLOT;
		LWLockRelease(rspg_stream_state->lock);
	}
	return started;
}
