/*
 * worker.c
 *		The process of a stream: connects as the owner, reads what the broker
 *		sends, writes it in batches, and does what it is asked at once.
 *
 * It holds no transaction while it waits, and it waits on its latch and on the
 * consumer together, never inside librdkafka.  Whatever the row or the offsets
 * become without its doing ends it; the launcher starts another one, which reads
 * them afresh: there is no second way to get into a state.
 */
#include "pg/stream/worker/worker_batch.h"
#include "pg/stream/worker/worker_partitions.h"

#include <unistd.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "pg/stream/write/attempt.h"

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 30000
#define MAX_WAIT_MS 10000
/* a batch that takes too long is read again as a part of it */
#define SLOW_DIVISOR 8

extern PGDLLEXPORT void recsys_stream_main(Datum argument);

static void last_exit(int code, Datum argument);
static _Noreturn void run(void);
static void step(void);
static void recover(void);
static void batch_failed(bool slow);
static void show_error(const ErrorData *error);
static void obey(void);
static bool batch_due(TimestampTz now, TimestampTz *deadline);
static TimestampTz sign_of_life(TimestampTz now);
static void wait_for(TimestampTz now, TimestampTz deadline, bool hear_broker);

void
recsys_stream_main(Datum argument)
{
	RspgWorker *w = &rspg_worker;

	/* registered first, so it comes last */
	on_proc_exit(last_exit, 0);
	w->job = rspg_job_begin();
	w->batch_rows = rspg_job_memo();
	w->stream_context =
		AllocSetContextCreate(TopMemoryContext, "recsys stream", ALLOCSET_SMALL_SIZES);
	w->writer_context =
		AllocSetContextCreate(TopMemoryContext, "recsys writers", ALLOCSET_SMALL_SIZES);
	w->batch_context =
		AllocSetContextCreate(TopMemoryContext, "recsys batch", ALLOCSET_DEFAULT_SIZES);
	run();
}

/*
 * The consumer is not closed before: that can take a second beside a network that
 * is stuck, and there is nothing to say to the broker.  Its threads end with the
 * process, which must not run the destructors of libraries under them.
 */
static void
last_exit(int code, Datum argument)
{
	_exit(code);
}

static void
run(void)
{
	for (;;)
	{
		PG_TRY();
		{
			for (;;)
				step();
		}
		PG_CATCH();
		{
			recover();
		}
		PG_END_TRY();
	}
}

/*
 * What reaches this is no message's fault: the batch stays as it is and is tried
 * again, after a wait that doubles.
 */
static void
recover(void)
{
	RspgWorker *w = &rspg_worker;
	ErrorData *error;
	bool slow;

	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;
	EmitErrorReport();
	MemoryContextSwitchTo(w->batch_context);
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	LWLockReleaseAll(); /* outside of a transaction, the abort does nothing */
	debug_query_string = NULL;
	pgstat_report_activity(STATE_IDLE, "waiting to try again");
	pgstat_report_stat(true);
	MemoryContextSwitchTo(TopMemoryContext);
	show_error(error);
	rspg_job_set_state(RSPG_JOB_RETRYING);
	slow = rspg_is_statement_timeout(error);
	MemoryContextReset(w->batch_context);
	if (w->writer != NULL)
		rspg_writer_free(w->writer);
	w->writer = NULL;
	MemoryContextReset(w->writer_context); /* one that failed while it was made */
	w->retry_ms = w->retry_ms == 0 ? RETRY_MIN_MS : Min(w->retry_ms * 2, RETRY_MAX_MS);
	w->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), w->retry_ms);
	RESUME_INTERRUPTS();
	if (w->writing)
		batch_failed(slow);
	w->writing = false;
}

/*
 * In stream_status; of a message alone, it tells which.
 */
static void
show_error(const ErrorData *error)
{
	const RspgWorker *w = &rspg_worker;
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);

	if (w->writing && w->n_messages == 1)
		rspg_job_set_error(sqlstate,
						   psprintf("partition %d, offset %lld: %s", w->messages[0].partition,
									(long long) w->messages[0].offset, error->message));
	else
		rspg_job_set_error(sqlstate, error->message);
}

/*
 * The batch will be tried again; make it one that may get through.
 */
static void
batch_failed(bool slow)
{
	RspgWorker *w = &rspg_worker;

	w->tries++;
	if (slow && w->n_messages > RSPG_HUNT_MESSAGES && w->tries <= RSPG_HUNT_TRIES)
	{
		/* as it is it would never get through: read again, in smaller batches */
		*w->batch_rows = w->n_messages / SLOW_DIVISOR;
		rspg_worker_restart();
	}
	if (slow)
		w->tries = Max(w->tries, RSPG_HUNT_TRIES);
	/* whose fault it is only others can tell */
	if (w->n_messages == w->capacity)
		w->capacity = Min(2 * w->capacity, rspg_worker_most_messages());
}

static void
step(void)
{
	RspgWorker *w = &rspg_worker;
	TimestampTz now;
	TimestampTz deadline;
	bool heard;

	obey();
	now = GetCurrentTimestamp();
	if (w->retry_at > now)
	{
		wait_for(now, Min(w->retry_at, sign_of_life(now)), false);
		return;
	}
	if (w->stopping)
		rspg_worker_write_stop();
	if (w->stream == NULL || w->unchecked)
		rspg_worker_read_row();
	if (w->consumer == NULL)
		rspg_worker_open_consumer();
	heard = rspg_worker_poll();
	rspg_worker_take_answer();
	now = GetCurrentTimestamp();
	rspg_worker_ask(now);
	deadline = Min(sign_of_life(now), Max(w->lookup_at, now));
	if (batch_due(now, &deadline))
		rspg_worker_write();
	else if (w->retry_ms != 0 && w->n_messages == 0)
		rspg_worker_recovered();
	else if (!heard)
		wait_for(now, deadline, w->n_messages < w->capacity);
}

/*
 * Is there anything to write, and is it time?  Else when it will be.
 */
static bool
batch_due(TimestampTz now, TimestampTz *deadline)
{
	RspgWorker *w = &rspg_worker;
	const RspgStreamOptions *options = &w->stream->options;
	TimestampTz at;

	if (w->n_messages > 0)
	{
		at = TimestampTzPlusMilliseconds(w->first_at, options->batch_ms);
		if (w->n_messages >= w->capacity || w->n_bytes >= (Size) options->batch_bytes || at <= now)
			return true;
		*deadline = Min(*deadline, at);
	}
	if (w->ends_at != 0)
	{
		if (w->ends_at <= now)
			return true;
		*deadline = Min(*deadline, w->ends_at);
	}
	return false;
}

/*
 * When to say the next time that we are alive.
 */
static TimestampTz
sign_of_life(TimestampTz now)
{
	int ms = recsys_worker_timeout == 0 ? MAX_WAIT_MS : Min(recsys_worker_timeout / 4, MAX_WAIT_MS);

	return TimestampTzPlusMilliseconds(now, ms);
}

/*
 * Wait for the latch, the broker if hear_broker, or the time.
 */
static void
wait_for(TimestampTz now, TimestampTz deadline, bool hear_broker)
{
	RspgWorker *w = &rspg_worker;
	int events = WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH;
	pgsocket fd = PGINVALID_SOCKET;

	if (hear_broker)
	{
		events |= WL_SOCKET_READABLE;
		fd = rsk_consumer_fd(w->consumer);
	}
	events = WaitLatchOrSocket(MyLatch, events, fd, TimestampDifferenceMilliseconds(now, deadline),
							   PG_WAIT_EXTENSION);
	if (events & WL_LATCH_SET)
		ResetLatch(MyLatch);
}

/*
 * Do what the launcher, a session or a signal asks.
 */
static void
obey(void)
{
	RspgWorker *w = &rspg_worker;

	QueryCancelPending = false; /* between batches there is nothing to cancel */
	CHECK_FOR_INTERRUPTS();
	if (rspg_job_stop_asked())
		rspg_worker_restart();
	rspg_job_alive(0);
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		/* brokers may not be allowed any more, a password may be a new one */
		if (w->stream != NULL && w->stream->options.secret != NULL)
			rspg_worker_restart();
		w->unchecked = true;
	}
	if (rspg_job_reread_asked())
	{
		w->unchecked = true;
		w->retry_at = 0; /* what was wrong may have been put right */
	}
}
