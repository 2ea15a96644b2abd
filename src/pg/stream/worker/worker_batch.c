/*
 * worker_batch.c
 *		What the broker sends, until it is written in one transaction: rows, dead
 *		letters and offsets, or none of them.
 *
 * The offsets are a compare-and-set on what this worker read, so whoever else
 * writes the same stream (a worker that was stopped and wakes up, an old primary
 * of the same storage) cannot commit beside it.
 */
#include "pg/stream/worker/worker_batch.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "pg/base/spi.h"
#include "pg/stream/worker/worker_partitions.h"
#include "pg/stream/write/dead_letters.h"
#include "pg/stream/write/message_time.h"

#define EVENTS 32
/* ends alone are written at most this often, lest an idle stream write */
#define ENDS_MS 5000
/* the same line of librdkafka's log is written at most this often */
#define SAME_LOG_MS (10 * 60 * 1000)
#define SYSLOG_WARNING 4
/* of the error of the last message, where too many were rejected */
#define SHOWN_ERROR_BYTES 255

/* What moves of partitions, a column each */
#define MOVE_COLUMNS 8
typedef struct Moves
{
	int n;
	Datum *values[MOVE_COLUMNS];
	bool *nulls[MOVE_COLUMNS];
} Moves;

static bool take_messages(RskMessage *messages, int n);
static bool is_skipped(const RspgPartition *partition, int64 offset);
static bool take_message(RskMessage *message, bool *recreated);
static void take_event(const RskEvent *event);
static void take_error(const RskEvent *event);
static void take_log(const RskEvent *event);
static void move_offsets(const RspgBatch *batch);
static void add_move(Moves *moves, const RspgPartition *partition, int64 rows, int64 rejected);
static void write_moves(const Moves *moves);
static int64 *count_rejects(const RspgBatch *batch);
static void batch_done(const RspgBatch *batch);
static void show_hunted(const RspgBatch *batch);

bool
rspg_worker_poll(void)
{
	RspgWorker *w = &rspg_worker;
	RskEvent events[EVENTS];
	int n_events = EVENTS;
	Size bytes = (Size) w->stream->options.batch_bytes;
	int n;

	/* a message that failed alone is given another, whatever its size */
	if (w->tries > 0 && w->n_messages == 1)
		bytes = Max(bytes, w->n_bytes + 1);
	if (w->n_messages >= w->capacity || w->n_bytes >= bytes)
		return false; /* a full batch that is to be written first */
	n = rsk_consumer_poll(w->consumer, w->messages + w->n_messages, w->capacity - w->n_messages,
						  bytes - w->n_bytes, events, &n_events);
	if (n > 0 && take_messages(w->messages + w->n_messages, n))
		rspg_worker_stop(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 "topic \"%s\" is not the one that was read before: it was created anew",
						 w->stream->topic);
	for (int i = 0; i < n_events; i++)
		take_event(&events[i]);
	return n > 0 || n_events > 0;
}

/*
 * Append those that are wanted to the batch, free the others.  True when one
 * shows that the topic was created anew.
 */
static bool
take_messages(RskMessage *messages, int n)
{
	RspgWorker *w = &rspg_worker;
	bool recreated = false;

	if (w->n_messages == 0)
		w->first_at = GetCurrentTimestamp();
	for (int i = 0; i < n; i++)
	{
		if (!take_message(&messages[i], &recreated))
		{
			rsk_messages_free(&messages[i], 1);
			continue;
		}
		w->n_bytes += messages[i].payload_length + messages[i].key_length;
		w->messages[w->n_messages++] = messages[i];
	}
	if (rspg_job_state() == RSPG_JOB_WAITING)
		rspg_job_set_state(RSPG_JOB_RUNNING);
	return recreated;
}

static bool
is_skipped(const RspgPartition *partition, int64 offset)
{
	for (int i = 0; i < partition->n_skips; i++)
		if (partition->skips[i] == offset)
			return true;
	return false;
}

static bool
take_message(RskMessage *message, bool *recreated)
{
	RspgPartition *partition = rspg_worker_partition(message->partition);
	/* producers may give any number; one that is no time is stored as none */
	int64 time_ms = rspg_time_in_range(message->timestamp_ms) ? message->timestamp_ms : (int64) -1;

	if (partition == NULL)
		return false;
	if (partition->verify && message->offset == partition->last_offset &&
		time_ms != partition->last_time_ms)
		*recreated = true;
	partition->verify = false;
	rspg_worker_refused(partition, NULL);
	if (message->offset < partition->reached)
		return false;
	message->skip = is_skipped(partition, message->offset);
	partition->reached = message->offset + 1;
	partition->messages++;
	partition->newest_offset = message->offset;
	partition->newest_time_ms = time_ms;
	return true;
}

static void
take_event(const RskEvent *event)
{
	RspgWorker *w = &rspg_worker;
	RspgPartition *partition = rspg_worker_partition(event->partition);
	char text[128];

	switch (event->kind)
	{
		case RSK_EVENT_EOF:
			if (partition != NULL)
				rspg_worker_refused(partition, NULL);
			/* past markers of transactions and what compaction removed */
			if (partition != NULL && event->offset > partition->reached)
				partition->reached = event->offset;
			if (partition != NULL && partition->reached > partition->next && w->ends_at == 0)
				w->ends_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ENDS_MS);
			if (rspg_job_state() == RSPG_JOB_WAITING)
				rspg_job_set_state(RSPG_JOB_RUNNING);
			break;
		case RSK_EVENT_OFFSET_LOST:
			if (partition == NULL)
				break;
			/* what the broker has is asked for at the start, and decided there */
			snprintf(text, sizeof(text), "partition %d has no offset %lld any more",
					 event->partition, (long long) event->offset);
			ereport(LOG, (errmsg("recsys stream \"%s\": %s", w->stream->name, text)));
			rspg_job_set_error("P0002", text);
			proc_exit(1);
		case RSK_EVENT_ERROR:
			take_error(event);
			break;
		case RSK_EVENT_LOG:
			take_log(event);
			break;
	}
}

/*
 * A line of librdkafka's log; it repeats itself at every try.
 */
static void
take_log(const RskEvent *event)
{
	static char last[sizeof(event->text)];
	static TimestampTz last_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	bool again =
		strcmp(last, event->text) == 0 && !TimestampDifferenceExceeds(last_at, now, SAME_LOG_MS);

	ereport(
		event->level <= SYSLOG_WARNING && !again ? LOG : DEBUG1,
		(errmsg("recsys stream \"%s\": librdkafka: %s", rspg_worker.stream->name, event->text)));
	if (again)
		return;
	strlcpy(last, event->text, sizeof(last));
	last_at = now;
}

/*
 * librdkafka connects again by itself; a fatal error is the end of the consumer.
 */
static void
take_error(const RskEvent *event)
{
	RspgWorker *w = &rspg_worker;
	RspgPartition *partition = rspg_worker_partition(event->partition);
	char text[640];

	snprintf(text, sizeof(text), "%s (%s)", event->text, event->code);
	if (event->fatal)
	{
		rspg_job_set_error("08000", text);
		ereport(LOG, (errmsg("recsys stream \"%s\": %s", w->stream->name, text)));
		proc_exit(1);
	}
	if (partition != NULL && partition->shown != NULL)
		rspg_worker_refused(partition, text);
	else
		rspg_job_set_error("08000", text);
	/* When topic or partition are there again, they may be others: begin as at the
	 * start, which compares the last message */
	if (w->positioned && (strcmp(event->code, "UNKNOWN_TOPIC_OR_PART") == 0 ||
						  strcmp(event->code, "_UNKNOWN_PARTITION") == 0 ||
						  strcmp(event->code, "_UNKNOWN_TOPIC") == 0))
		rspg_worker_restart();
	if (strcmp(event->code, "_ALL_BROKERS_DOWN") == 0)
	{
		rspg_job_set_state(RSPG_JOB_WAITING);
		pgstat_report_activity(STATE_IDLE, "waiting for the broker");
	}
}

/*
 * Before an attempt of a hunt: it may take as long as a batch.
 */
static void
attempting(void)
{
	int ms = rspg_worker.stream->options.statement_timeout_ms;

	rspg_job_alive(ms);
	enable_timeout_after(STATEMENT_TIMEOUT, ms);
}

void
rspg_worker_write(void)
{
	RspgWorker *w = &rspg_worker;
	RspgBatch *batch = NULL;
	static char activity[64]; /* an error report quotes it after our frame is gone */
	MemoryContext old;

	snprintf(activity, sizeof(activity), "writing %d messages", w->n_messages);
	rspg_worker_begin(activity);
	if (!rspg_worker_lock_row())
		rspg_worker_restart();
	old = MemoryContextSwitchTo(w->batch_context);
	if (w->n_messages > 0)
	{
		if (w->writer == NULL)
			w->writer = rspg_writer_create(w->writer_context, w->stream);
		w->writing = true;
		batch = rspg_writer_write(w->writer, w->messages, w->n_messages,
								  w->tries >= RSPG_HUNT_TRIES ? attempting : NULL);
		rspg_dead_letters_write(batch);
	}
	move_offsets(batch);
	MemoryContextSwitchTo(old);
	rspg_worker_commit();
	w->writing = false;
	w->tries = 0;
	show_hunted(batch);
	batch_done(batch);
	MemoryContextReset(w->batch_context);
}

/*
 * Rows are counted by partition as messages less those rejected; what a
 * transform made more or less of them, and tombstones, go to the last partition
 * of the batch, so that the sum is right.
 */
static void
move_offsets(const RspgBatch *batch)
{
	RspgWorker *w = &rspg_worker;
	int64 *rejected = count_rejects(batch);
	int64 rest = batch != NULL ? batch->rows : 0;
	Moves moves = {0};
	int last = 0;

	for (int i = 0; i < w->n_partitions; i++)
		if (w->partitions[i].messages > 0)
			last = i;
	for (int column = 0; column < MOVE_COLUMNS; column++)
	{
		moves.values[column] = palloc0(w->n_partitions * sizeof(Datum));
		moves.nulls[column] = palloc0(w->n_partitions * sizeof(bool));
	}
	for (int i = 0; i < w->n_partitions; i++)
	{
		RspgPartition *partition = &w->partitions[i];
		int64 rows;

		if (partition->reached == partition->next)
			continue;
		rows = i == last ? rest : Min(partition->messages - rejected[i], rest);
		if (partition->messages == 0)
			rows = 0;
		rest -= rows;
		add_move(&moves, partition, rows, rejected[i]);
		if (partition->shown != NULL && rows > 0)
		{
			LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
			rspg_shown_add(partition->shown, rows);
			LWLockRelease(rspg_host->lock);
		}
	}
	if (moves.n > 0)
		write_moves(&moves);
}

static void
add_move(Moves *moves, const RspgPartition *partition, int64 rows, int64 rejected)
{
	bool any = partition->messages > 0;
	bool time = any && rspg_time_in_range(partition->newest_time_ms);
	int i = moves->n++;

	moves->values[0][i] = Int32GetDatum(partition->number);
	moves->values[1][i] = Int64GetDatum(partition->next);
	moves->values[2][i] = Int64GetDatum(partition->reached);
	moves->values[3][i] = Int64GetDatum(rows);
	moves->values[4][i] = Int64GetDatum(rejected);
	moves->values[5][i] = Int64GetDatum(partition->newest_offset);
	moves->nulls[5][i] = !any;
	moves->values[6][i] =
		time ? TimestampTzGetDatum(rspg_time_of_ms(partition->newest_time_ms)) : (Datum) 0;
	moves->nulls[6][i] = !time;
	moves->values[7][i] = Int64GetDatum(Max(partition->end, partition->reached));
}

/*
 * One statement for all partitions.
 */
static void
write_moves(const Moves *moves)
{
	static RspgStatement statement = {
		"UPDATE recsys.stream_offset o SET next_offset = m.reached, "
		"rows = o.rows OPERATOR(pg_catalog.+) m.rows, "
		"rejected = o.rejected OPERATOR(pg_catalog.+) m.rejected, "
		"last_offset = CASE WHEN m.last IS NULL THEN o.last_offset ELSE m.last END, "
		"last_event_time = CASE WHEN m.last IS NULL THEN o.last_event_time ELSE m.at END, "
		"end_offset = m.ends, updated = pg_catalog.clock_timestamp() "
		"FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), "
		"pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), "
		"pg_catalog.unnest($8), pg_catalog.unnest($9)) "
		"AS m (partition, next, reached, rows, rejected, last, at, ends) "
		"WHERE o.stream_id OPERATOR(pg_catalog.=) $1 "
		"AND o.partition OPERATOR(pg_catalog.=) m.partition "
		"AND o.next_offset OPERATOR(pg_catalog.=) m.next",
		1 + MOVE_COLUMNS,
		{INT8OID, INT4ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		 INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID},
		NULL};
	static const Oid types[MOVE_COLUMNS] = {INT4OID, INT8OID, INT8OID,        INT8OID,
											INT8OID, INT8OID, TIMESTAMPTZOID, INT8OID};
	RspgWorker *w = &rspg_worker;
	int missing;
	Datum values[1 + MOVE_COLUMNS] = {Int64GetDatum(w->stream->id)};

	for (int column = 0; column < MOVE_COLUMNS; column++)
	{
		bool wide = types[column] != INT4OID;
		int lower = 1;
		int n = moves->n;

		values[1 + column] = PointerGetDatum(construct_md_array(
			moves->values[column], moves->nulls[column], 1, &n, &lower, types[column],
			wide ? sizeof(int64) : sizeof(int32), wide ? FLOAT8PASSBYVAL : true,
			wide ? TYPALIGN_DOUBLE : TYPALIGN_INT));
	}
	rspg_execute(&statement, values, NULL, false);
	missing = moves->n - (int) SPI_processed;
	if (missing == 0)
		return;
	AbortCurrentTransaction();
	ereport(LOG, (errmsg("recsys stream \"%s\": %d of the offsets of %d partitions are not what "
						 "they were any more, another worker wrote",
						 w->stream->name, missing, moves->n)));
	proc_exit(1);
}

/*
 * How many messages of each of our partitions were rejected.
 */
static int64 *
count_rejects(const RspgBatch *batch)
{
	RspgWorker *w = &rspg_worker;
	int64 *rejected = palloc0((w->n_partitions + 1) * sizeof(int64));
	ListCell *cell;

	foreach (cell, batch != NULL ? batch->rejects : NIL)
	{
		const RspgReject *reject = lfirst(cell);
		int32 partition = batch->messages[reject->message].partition;

		rejected[rspg_worker_partition(partition) - w->partitions]++;
	}
	return rejected;
}

/*
 * Messages that would have held up the stream: say which.
 */
static void
show_hunted(const RspgBatch *batch)
{
	ListCell *cell;

	foreach (cell, batch != NULL ? batch->rejects : NIL)
	{
		const RspgReject *reject = lfirst(cell);
		const RskMessage *message = &batch->messages[reject->message];
		char text[512];

		if (!reject->hunted)
			continue;
		snprintf(text, sizeof(text), "partition %d, offset %lld: %s", message->partition,
				 (long long) message->offset, reject->error);
		rspg_job_set_error(unpack_sql_state(reject->sqlstate), text);
		ereport(LOG, (errcode(reject->sqlstate),
					  errmsg("recsys stream \"%s\": %s", rspg_worker.stream->name, text),
					  errdetail("Others could be written, so it is in recsys.dead_letters.")));
	}
}

static _Noreturn void
stop_for_rejects(const RspgReject *last)
{
	rspg_worker_stop(ERRCODE_DATA_EXCEPTION,
					 "%lld messages in a row were rejected; the last one: %.*s (%s)",
					 (long long) rspg_worker.rejected_in_row,
					 pg_mbcliplen(last->error, strlen(last->error), SHOWN_ERROR_BYTES), last->error,
					 unpack_sql_state(last->sqlstate));
}

/*
 * It is committed: forget the messages.
 */
static void
batch_done(const RspgBatch *batch)
{
	RspgWorker *w = &rspg_worker;
	const RspgStreamOptions *options = &w->stream->options;
	int n = w->n_messages;
	int at_end;

	rsk_messages_free(w->messages, n);
	w->n_messages = 0;
	w->n_bytes = 0;
	w->ends_at = 0;
	for (int i = 0; i < w->n_partitions; i++)
	{
		w->partitions[i].next = w->partitions[i].reached;
		w->partitions[i].messages = 0;
	}
	rspg_worker_recovered();
	rspg_worker_show_idle();
	if (n == 0)
		return;
	w->capacity = Min(w->capacity, options->batch_rows);
	if (n == w->capacity && n < options->batch_rows)
	{
		w->capacity = Min(n + n / 4 + 1, options->batch_rows);
		*w->batch_rows = w->capacity;
	}
	at_end = rspg_batch_rejected_at_end(batch);
	w->rejected_in_row = at_end == n ? w->rejected_in_row + n : at_end;
	if (options->max_rejects > 0 && w->rejected_in_row >= options->max_rejects)
		stop_for_rejects(rspg_batch_last_reject(batch));
	rspg_writer_clear(w->writer);
}
