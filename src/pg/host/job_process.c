/*
 * job_process.c
 *		A worker takes its slot, says how it is, and signs off.
 */
#include "pg/host/job_process.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"

static RspgLaunch launch;
static RspgSlot *slot; /* ours as long as it has our launch */
static emit_log_hook_type previous_log_hook = NULL;

static bool is_ours(void);
static RspgJob attach(void);
static void detach(int code, Datum argument);
static void note_fatal(ErrorData *error);

static bool
is_ours(void)
{
	return slot->process.launch == launch.launch;
}

RspgJob
rspg_job_begin(void)
{
	RspgJob job;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	job = attach();
	previous_log_hook = emit_log_hook;
	emit_log_hook = note_fatal;
	BackgroundWorkerInitializeConnectionByOid(job.database, job.owner, 0);
	/* as the owner itself, though the owner may have a role set */
	SetConfigOption("role", "none", PGC_USERSET, PGC_S_SESSION);
	return job;
}

/*
 * From here on, who waits for the database to be left waits for us.
 */
static RspgJob
attach(void)
{
	RspgDatabase *entry;
	RspgJob job;

	memcpy(&launch, MyBgworkerEntry->bgw_extra, sizeof(launch));
	slot = &rspg_host->slots[launch.slot];
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	if (!is_ours())
	{
		LWLockRelease(rspg_host->lock);
		proc_exit(0);
	}
	job = slot->job;
	entry = rspg_database(job.database, false);
	slot->process.pid = MyProcPid;
	slot->latch = MyLatch;
	slot->alive_at = GetCurrentTimestamp();
	if (entry != NULL && entry->holds > 0)
		slot->stop = true;
	LWLockRelease(rspg_host->lock);
	before_shmem_exit(detach, 0);
	if (slot->stop)
		proc_exit(0);
	return job;
}

/*
 * What ends a worker before it can report for itself, e.g. no right to connect.
 */
static void
note_fatal(ErrorData *error)
{
	if (error->elevel >= FATAL && error->sqlerrcode != ERRCODE_ADMIN_SHUTDOWN &&
		error->message != NULL && !LWLockHeldByMe(rspg_host->lock))
		rspg_job_set_error(unpack_sql_state(error->sqlerrcode), error->message);
	if (previous_log_hook)
		previous_log_hook(error);
}

static void
detach(int code, Datum argument)
{
	RspgDatabase *entry;

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	if (is_ours())
	{
		rspg_slot_ended(slot, code == 0);
		/* it ended because something changed: look what */
		entry = code == 0 ? rspg_database(slot->job.database, true) : NULL;
		if (entry != NULL)
			entry->scan = true;
	}
	rspg_wake_launcher();
	LWLockRelease(rspg_host->lock);
}

RspgLaunch
rspg_job_launch(void)
{
	return launch;
}

int *
rspg_job_memo(void)
{
	return &slot->memo;
}

bool
rspg_job_stop_asked(void)
{
	return slot->stop || !is_ours();
}

bool
rspg_job_reread_asked(void)
{
	if (!slot->reread)
		return false;
	slot->reread = false;
	return true;
}

void
rspg_job_alive(int ms)
{
	if (is_ours())
		slot->alive_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

RspgJobState
rspg_job_state(void)
{
	return slot->state;
}

void
rspg_job_set_state(RspgJobState state)
{
	if (is_ours())
		rspg_slot_state(slot, state);
}

void
rspg_job_set_error(const char *sqlstate, const char *text)
{
	if (is_ours())
		rspg_slot_error(slot, sqlstate, text);
}
