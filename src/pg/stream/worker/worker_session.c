/*
 * worker_session.c
 *		A worker as a session: its transactions, the stream's row, its settings,
 *		how it ends, and what it lets others see.
 */
#include "pg/stream/worker/worker_session.h"

#include <stdarg.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "pg/base/role.h"
#include "pg/base/spi.h"

#define NO_TIMEOUT_MS (24 * 60 * 60 * 1000)

RspgWorker rspg_worker;

static void configure_session(void);

static Oid
stream_table(void)
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
	rspg_job_alive(patience);
	debug_query_string = activity;
	pgstat_report_activity(STATE_RUNNING, activity);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	rspg_role_keep_to_end(); /* the owner may be a member of others, a superuser's too */
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
rspg_worker_restart(void)
{
	if (IsTransactionState())
		AbortCurrentTransaction();
	proc_exit(0);
}

void
rspg_worker_stop(int sqlstate, const char *format, ...)
{
	RspgWorker *w = &rspg_worker;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(w->stop_reason, sizeof(w->stop_reason), format, arguments);
	va_end(arguments);
	w->stop_sqlstate = sqlstate;
	w->stopping = true;
	rspg_worker_write_stop();
}

/*
 * Where our partitions end, to be known when nobody looks.
 */
static void
write_ends(void)
{
	RspgWorker *w = &rspg_worker;

	for (int i = 0; i < w->n_partitions; i++)
		if (w->partitions[i].end >= 0)
			rspg_worker_write_end(&w->partitions[i]);
}

void
rspg_worker_write_end(const RspgPartition *partition)
{
	static RspgStatement statement = {
		"UPDATE recsys.stream_offset SET end_offset = $3 "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2",
		3,
		{INT8OID, INT4OID, INT8OID},
		NULL};
	Datum values[3] = {Int64GetDatum(rspg_worker.stream->id), Int32GetDatum(partition->number),
					   Int64GetDatum(partition->end)};

	rspg_execute(&statement, values, NULL, false);
}

void
rspg_worker_write_stop(void)
{
	static RspgStatement statement = {
		"UPDATE recsys.stream SET enabled = false, "
		"generation = generation OPERATOR(pg_catalog.+) 1, stop_reason = $3, stop_sqlstate = $4, "
		"stopped_at = pg_catalog.clock_timestamp() "
		"WHERE id OPERATOR(pg_catalog.=) $1 AND generation OPERATOR(pg_catalog.=) $2",
		4,
		{INT8OID, INT8OID, TEXTOID, TEXTOID},
		NULL};
	RspgWorker *w = &rspg_worker;
	const RspgStream *stream = w->stream;
	Datum values[4];

	if (IsTransactionState())
		AbortCurrentTransaction();
	rspg_worker_begin("stopping");
	rspg_stream_queue(stream->id, ExclusiveLock);
	values[0] = Int64GetDatum(stream->id);
	values[1] = Int64GetDatum(stream->generation);
	values[2] = CStringGetTextDatum(w->stop_reason);
	values[3] = CStringGetTextDatum(unpack_sql_state(w->stop_sqlstate));
	rspg_execute(&statement, values, NULL, false);
	if (SPI_processed != 1)
		rspg_worker_restart(); /* the row has changed: whether there is reason to stop, too */
	write_ends();
	if (w->at_stop != NULL)
		w->at_stop();
	rspg_worker_commit();
	ereport(LOG, (errcode(w->stop_sqlstate),
				  errmsg("recsys stream \"%s\" stopped: %s", stream->name, w->stop_reason)));
	proc_exit(0);
}

/*
 * The row at the start; later, whether it is still the same.
 */
void
rspg_worker_read_row(void)
{
	RspgWorker *w = &rspg_worker;
	MemoryContext old;
	RspgStream *row;
	Oid table;

	if (w->stream == NULL)
		MemoryContextReset(w->stream_context);
	rspg_worker_begin("reading the stream");
	if (!OidIsValid(get_extension_oid("recsys", true)))
		rspg_worker_restart();
	table = stream_table();
	old = MemoryContextSwitchTo(w->stream == NULL ? w->stream_context : w->batch_context);
	row = rspg_stream_read(w->job.id);
	MemoryContextSwitchTo(old);
	if (row == NULL || !row->enabled || row->cloned || row->owner != GetUserId() ||
		w->job.worker >= row->options.workers)
		rspg_worker_restart();
	if (w->stream != NULL && (table != w->table || row->generation != w->stream->generation))
		rspg_worker_restart();
	rspg_stream_check(row);
	rspg_worker_commit();
	w->unchecked = false; /* not before: what fails here must not write */
	if (w->stream != NULL)
	{
		MemoryContextReset(w->batch_context);
		rspg_worker_show_idle();
		return;
	}
	w->table = table;
	w->stream = row;
	configure_session();
}

/*
 * A session that pauses, alters, seeks or drops the stream waits for the lock of
 * the queue, and we for it: nothing is written after it commits.  The row itself
 * needs no lock then, which would be a MultiXact where there are several workers,
 * but where our snapshot is older than the wait, for the lock refuses what is not
 * the newest.
 */
bool
rspg_worker_lock_row(void)
{
#define THE_ROW                                                                                    \
	"SELECT FROM recsys.stream WHERE id OPERATOR(pg_catalog.=) $1 "                                \
	"AND generation OPERATOR(pg_catalog.=) $2 AND enabled"
	static RspgStatement look = {THE_ROW, 2, {INT8OID, INT8OID}, NULL};
	static RspgStatement lock = {THE_ROW " FOR SHARE", 2, {INT8OID, INT8OID}, NULL};
	Datum values[2] = {Int64GetDatum(rspg_worker.stream->id),
					   Int64GetDatum(rspg_worker.stream->generation)};

	if (superuser() || stream_table() != rspg_worker.table)
		return false;
	rspg_stream_queue(rspg_worker.stream->id, RowShareLock);
	rspg_execute(IsolationUsesXactSnapshot() ? &lock : &look, values, NULL, false);
	return SPI_processed == 1;
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
	/* compiling takes longer than a batch of a few messages, and again for each */
	SetConfigOption("jit", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", "recsys", PGC_USERSET, PGC_S_SESSION);
	if (!options->synchronous_commit)
		SetConfigOption("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION);
}

int
rspg_worker_most_messages(void)
{
	return Max(rspg_worker.stream->options.batch_rows, RSPG_HUNT_MESSAGES);
}

void
rspg_worker_open_consumer(void)
{
	RspgWorker *w = &rspg_worker;
	RskSetting *settings;
	char error[512];
	int n;

	if (w->messages == NULL)
	{
		int most = w->stream->options.batch_rows;

		w->capacity = *w->batch_rows > 0 ? Min(*w->batch_rows, most) : most;
		w->messages = MemoryContextAllocHuge(TopMemoryContext,
											 rspg_worker_most_messages() * sizeof(RskMessage));
	}
	rspg_worker_begin("opening the consumer");
	n = rspg_stream_settings(w->stream, &settings);
	w->consumer =
		rsk_consumer_open(w->stream->brokers, w->stream->topic, settings, n, error, sizeof(error));
	rspg_worker_commit();
	if (w->consumer == NULL)
		ereport(ERROR, (errcode(ERRCODE_SYSTEM_ERROR),
						errmsg("could not open a Kafka consumer: %s", error)));
	rspg_job_set_state(RSPG_JOB_WAITING);
	pgstat_report_activity(STATE_IDLE, "waiting for the broker");
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
	rspg_job_set_state(w->positioned ? RSPG_JOB_RUNNING : RSPG_JOB_WAITING);
}

int64
rspg_worker_show_lag(void)
{
	RspgWorker *w = &rspg_worker;
	int64 lag = 0;

	for (int i = 0; i < w->n_partitions; i++)
	{
		RspgPartition *partition = &w->partitions[i];
		int64_t low;
		int64_t high;

		if (rsk_consumer_watermarks(w->consumer, partition->number, &low, &high))
			partition->end = Max(partition->end, high);
		if (partition->end < 0)
			continue;
		partition->end = Max(partition->end, partition->reached);
		lag += partition->end - partition->reached;
		if (partition->shown != NULL)
			partition->shown->end_offset = partition->end; /* eight bytes, written whole */
	}
	return lag;
}

/*
 * In pg_stat_activity, between transactions.
 */
void
rspg_worker_show_idle(void)
{
	static char activity[64]; /* an error report quotes it after our frame is gone */

	if (!rspg_worker.positioned)
		snprintf(activity, sizeof(activity), "waiting for the broker");
	else
		snprintf(activity, sizeof(activity), "idle: lag %lld", (long long) rspg_worker_show_lag());
	pgstat_report_activity(STATE_IDLE, activity);
}
