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
#include "worker.h"

#include <stdarg.h>
#include <unistd.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "registry.h"

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 30000
#define MAX_WAIT_MS 10000
#define NO_TIMEOUT_MS (24 * 60 * 60 * 1000)

RspgWorker rspg_worker;

static emit_log_hook_type previous_log_hook = NULL;

static void attach(void);
static void note_fatal(ErrorData *error);
static void last_exit(int code, Datum argument);
static void detach(int code, Datum argument);
static void configure_session(void);
static _Noreturn void run(void);
static void step(void);
static void recover(void);
static void obey(void);
static void read_row(void);
static void open_consumer(void);
static bool batch_due(TimestampTz now, TimestampTz *deadline);
static TimestampTz sign_of_life(TimestampTz now);
static void wait_for(TimestampTz now, TimestampTz deadline, bool hear_broker);

void
recsys_stream_main(Datum argument)
{
	RspgWorker *w = &rspg_worker;

	memcpy(&w->launch, MyBgworkerEntry->bgw_extra, sizeof(w->launch));
	w->slot = &rspg_stream_state->slots[w->launch.slot];
	/* registered first, so it comes last */
	on_proc_exit(last_exit, 0);
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	attach();
	previous_log_hook = emit_log_hook;
	emit_log_hook = note_fatal;
	BackgroundWorkerInitializeConnectionByOid(w->launch.database, w->launch.owner, 0);
	/* as the owner itself, though the owner may have a role set */
	SetConfigOption("role", "none", PGC_USERSET, PGC_S_SESSION);
	w->writer_context =
		AllocSetContextCreate(TopMemoryContext, "recsys writers", ALLOCSET_SMALL_SIZES);
	w->batch_context =
		AllocSetContextCreate(TopMemoryContext, "recsys batch", ALLOCSET_DEFAULT_SIZES);
	run();
}

/*
 * Take the slot, unless it was given to somebody else meanwhile, or the database
 * is to be left alone.  From here on, who waits for the database to be left
 * waits for us.
 */
static void
attach(void)
{
	RspgWorker *w = &rspg_worker;
	RspgStreamDatabase *entry;
	bool mine;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	mine = w->slot->launched && w->slot->launch == w->launch.launch;
	if (mine)
	{
		entry = rspg_stream_database(w->launch.database, false);
		w->slot->pid = MyProcPid;
		w->slot->latch = MyLatch;
		w->slot->alive_at = GetCurrentTimestamp();
		if (entry != NULL && entry->holds > 0)
			w->slot->stop = true;
	}
	LWLockRelease(rspg_stream_state->lock);
	if (!mine)
		proc_exit(0);
	before_shmem_exit(detach, 0);
	if (w->slot->stop)
		proc_exit(0);
}

/*
 * What ends a worker before it can report for itself, e.g. no right to connect.
 */
static void
note_fatal(ErrorData *error)
{
	if (error->elevel >= FATAL && error->sqlerrcode != ERRCODE_ADMIN_SHUTDOWN &&
		error->message != NULL && !LWLockHeldByMe(rspg_stream_state->lock) &&
		rspg_worker.slot->launch == rspg_worker.launch.launch)
		rspg_stream_set_error(rspg_worker.slot, unpack_sql_state(error->sqlerrcode),
							  error->message);
	if (previous_log_hook)
		previous_log_hook(error);
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
detach(int code, Datum argument)
{
	RspgWorker *w = &rspg_worker;
	RspgStreamDatabase *entry;

	LWLockAcquire(rspg_stream_state->lock, LW_EXCLUSIVE);
	if (w->slot->launch == w->launch.launch)
	{
		rspg_launch_ended(w->slot, code == 0);
		/* it ended because something changed: look what */
		entry = code == 0 ? rspg_stream_database(w->launch.database, true) : NULL;
		if (entry != NULL)
			entry->scan = true;
	}
	rspg_stream_wake_launcher();
	LWLockRelease(rspg_stream_state->lock);
}

void
rspg_worker_restart(void)
{
	if (IsTransactionState())
		AbortCurrentTransaction();
	proc_exit(0);
}

/* --- transactions --- */

Oid
rspg_worker_table(void)
{
	return get_relname_relid("stream", get_namespace_oid("recsys", true));
}

void
rspg_worker_begin(const char *activity)
{
	const RspgStream *stream = rspg_worker.stream;
	int patience = stream != NULL && stream->options.statement_timeout_ms > 0
					   ? stream->options.statement_timeout_ms
					   : NO_TIMEOUT_MS;

	/* a transaction may take as long as it may take */
	rspg_worker.slot->alive_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), patience);
	debug_query_string = activity;
	pgstat_report_activity(STATE_RUNNING, activity);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	/* PostgreSQL arms it for commands of clients alone */
	if (stream != NULL && stream->options.statement_timeout_ms > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, stream->options.statement_timeout_ms);
}

void
rspg_worker_commit(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	debug_query_string = NULL;
	pgstat_report_stat(true);
}

void
rspg_worker_stop(int sqlstate, const char *format, ...)
{
	static RspgStatement statement = {
		"UPDATE recsys.stream SET enabled = false, "
		"generation = generation OPERATOR(pg_catalog.+) 1, stop_reason = $3, stop_sqlstate = $4, "
		"stopped_at = pg_catalog.clock_timestamp() "
		"WHERE id OPERATOR(pg_catalog.=) $1 AND generation OPERATOR(pg_catalog.=) $2",
		4,
		{INT8OID, INT8OID, TEXTOID, TEXTOID},
		NULL};
	RspgStream *stream = rspg_worker.stream;
	char reason[512];
	Datum values[4];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	if (IsTransactionState())
		AbortCurrentTransaction();
	rspg_worker_begin("stopping");
	rspg_stream_queue(stream->id, ExclusiveLock);
	values[0] = Int64GetDatum(stream->id);
	values[1] = Int64GetDatum(stream->generation);
	values[2] = CStringGetTextDatum(reason);
	values[3] = CStringGetTextDatum(unpack_sql_state(sqlstate));
	(void) rspg_execute(&statement, values, NULL, false);
	rspg_worker_commit();
	ereport(LOG,
			(errcode(sqlstate), errmsg("recsys stream \"%s\" stopped: %s", stream->name, reason)));
	proc_exit(0);
}

/* --- the loop --- */

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
	rspg_stream_set_error(w->slot, unpack_sql_state(error->sqlerrcode), error->message);
	rspg_stream_set_state(w->slot, RSPG_WORKER_RETRYING);
	MemoryContextReset(w->batch_context);
	if (w->writer != NULL)
		rspg_writer_free(w->writer);
	w->writer = NULL;
	MemoryContextReset(w->writer_context); /* one that failed while it was made */
	w->retry_ms = w->retry_ms == 0 ? RETRY_MIN_MS : Min(w->retry_ms * 2, RETRY_MAX_MS);
	w->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), w->retry_ms);
	RESUME_INTERRUPTS();
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
	if (w->stream == NULL || w->unchecked)
		read_row();
	if (w->consumer == NULL)
		open_consumer();
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
 * What failed has succeeded.
 */
void
rspg_worker_recovered(void)
{
	RspgWorker *w = &rspg_worker;

	w->retry_ms = 0;
	w->retry_at = 0;
	rspg_stream_set_state(w->slot,
						  w->positioned ? RSPG_WORKER_RUNNING : RSPG_WORKER_WAITING_FOR_BROKER);
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
	if (w->slot->stop || w->slot->launch != w->launch.launch)
		rspg_worker_restart();
	w->slot->alive_at = GetCurrentTimestamp();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		/* brokers may not be allowed any more, a password may be a new one */
		if (w->stream != NULL && w->stream->options.secret != NULL)
			rspg_worker_restart();
		w->unchecked = true;
	}
	if (w->slot->reread)
	{
		w->slot->reread = false;
		w->unchecked = true;
	}
}

/*
 * The row at the start; later, whether it is still the same.
 */
static void
read_row(void)
{
	RspgWorker *w = &rspg_worker;
	MemoryContext old;
	RspgStream *row;
	Oid table;

	rspg_worker_begin("reading the stream");
	if (!OidIsValid(get_extension_oid("recsys", true)))
		rspg_worker_restart();
	table = rspg_worker_table();
	old = MemoryContextSwitchTo(w->stream == NULL ? TopMemoryContext : w->batch_context);
	row = rspg_stream_read(w->launch.stream_id);
	MemoryContextSwitchTo(old);
	if (row == NULL || !row->enabled || row->cloned || row->owner != GetUserId() ||
		w->launch.worker >= row->options.workers)
		rspg_worker_restart();
	if (w->stream != NULL && (table != w->table || row->generation != w->stream->generation))
		rspg_worker_restart();
	rspg_stream_check(row);
	rspg_worker_commit();
	w->unchecked = false; /* not before: what fails here must not write */
	if (w->stream != NULL)
	{
		MemoryContextReset(w->batch_context);
		return;
	}
	w->table = table;
	w->stream = row;
	configure_session();
}

/*
 * Settings of our own session.  Everything else is as the owner and the database
 * have it, for triggers of the owner may count on it.
 */
static void
configure_session(void)
{
	const RspgStreamOptions *options = &rspg_worker.stream->options;
	char timeout[16];

	snprintf(timeout, sizeof(timeout), "%d", options->lock_timeout_ms);
	SetConfigOption("lock_timeout", timeout, PGC_USERSET, PGC_S_SESSION);
	/* rows that a policy hides are no error: our own tables have policies */
	SetConfigOption("row_security", "on", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", "recsys", PGC_USERSET, PGC_S_SESSION);
	if (!options->synchronous_commit)
		SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
}

static void
open_consumer(void)
{
	RspgWorker *w = &rspg_worker;
	RskSetting *settings;
	char error[512];
	int n;

	if (w->messages == NULL)
	{
		w->capacity = w->stream->options.batch_rows;
		w->messages = MemoryContextAllocHuge(TopMemoryContext, w->capacity * sizeof(RskMessage));
	}
	rspg_worker_begin("opening the consumer");
	n = rspg_stream_settings(w->stream, &settings);
	w->consumer =
		rsk_consumer_open(w->stream->brokers, w->stream->topic, settings, n, error, sizeof(error));
	rspg_worker_commit();
	if (w->consumer == NULL)
		ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR),
						errmsg("could not open a Kafka consumer: %s", error)));
	rspg_stream_set_state(w->slot, RSPG_WORKER_WAITING_FOR_BROKER);
	pgstat_report_activity(STATE_IDLE, "waiting for the broker");
}
