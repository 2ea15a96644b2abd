/*
 * worker_write.c
 *		One transaction: rows, dead letters and offsets, or none of them.
 *
 * The offsets are a compare-and-set on what this worker read, so whoever else
 * writes the same stream (a worker that was stopped and wakes up, an old primary
 * of the same storage) cannot commit beside it.
 */
#include "pg/stream/worker/worker_write.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "pg/base/spi.h"
#include "pg/stream/write/times.h"

static void move_offsets(const RspgBatchResult *result);
static void move_offset(RspgPartition *partition, int64 rows, int64 rejected);
static int64 count_rejected(const RspgPartition *partition);
static void batch_done(const RspgBatchResult *result);

void
rspg_worker_write(void)
{
	RspgWorker *w = &rspg_worker;
	RspgBatchResult result = {0};
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
		rspg_writer_write(w->writer, w->messages, w->n_messages, &result);
	}
	move_offsets(&result);
	MemoryContextSwitchTo(old);
	rspg_worker_commit();
	batch_done(&result);
	MemoryContextReset(w->batch_context);
}

/*
 * Rows are counted by partition as messages less those rejected; what a
 * transform made more or less of them, and tombstones, go to the last partition
 * of the batch, so that the sum is right.
 */
static void
move_offsets(const RspgBatchResult *result)
{
	RspgWorker *w = &rspg_worker;
	int64 rest = result->rows;
	int last = 0;

	for (int i = 0; i < w->n_partitions; i++)
		if (w->partitions[i].messages > 0)
			last = i;
	for (int i = 0; i < w->n_partitions; i++)
	{
		RspgPartition *partition = &w->partitions[i];
		int64 rejected = 0;
		int64 rows;

		if (partition->reached == partition->next)
			continue;
		if (result->rejected > 0 && partition->messages > 0)
			rejected = count_rejected(partition);
		rows = i == last ? rest : Min(partition->messages - rejected, rest);
		if (partition->messages == 0)
			rows = 0;
		rest -= rows;
		move_offset(partition, rows, rejected);
		if (partition->shown != NULL && rows > 0)
		{
			LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
			rspg_shown_add(partition->shown, rows);
			LWLockRelease(rspg_host->lock);
		}
	}
}

static int64
count_rejected(const RspgPartition *partition)
{
	static RspgStatement statement = {
		"SELECT pg_catalog.count(*) FROM recsys.dead_letter "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2 "
		"AND message_offset OPERATOR(pg_catalog.>=) $3 "
		"AND message_offset OPERATOR(pg_catalog.<) $4",
		4,
		{INT8OID, INT4OID, INT8OID, INT8OID},
		NULL};
	Datum values[4] = {Int64GetDatum(rspg_worker.stream->id), Int32GetDatum(partition->number),
					   Int64GetDatum(partition->next), Int64GetDatum(partition->reached)};
	bool null;

	(void) rspg_execute(&statement, values, NULL, false);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
}

static void
move_offset(RspgPartition *partition, int64 rows, int64 rejected)
{
	static RspgStatement statement = {
		"UPDATE recsys.stream_offset SET next_offset = $4, "
		"rows = rows OPERATOR(pg_catalog.+) $5, rejected = rejected OPERATOR(pg_catalog.+) $6, "
		"last_offset = CASE WHEN $7 IS NULL THEN last_offset ELSE $7 END, "
		"last_event_time = CASE WHEN $7 IS NULL THEN last_event_time ELSE $8 END, "
		"updated = pg_catalog.clock_timestamp() "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2 "
		"AND next_offset OPERATOR(pg_catalog.=) $3",
		8,
		{INT8OID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID},
		NULL};
	RspgWorker *w = &rspg_worker;
	char nulls[] = "        ";
	Datum values[8];

	values[0] = Int64GetDatum(w->stream->id);
	values[1] = Int32GetDatum(partition->number);
	values[2] = Int64GetDatum(partition->next);
	values[3] = Int64GetDatum(partition->reached);
	values[4] = Int64GetDatum(rows);
	values[5] = Int64GetDatum(rejected);
	values[6] = Int64GetDatum(partition->newest_offset);
	values[7] = (Datum) 0;
	if (partition->messages == 0)
		nulls[6] = 'n';
	if (partition->messages == 0 || !rspg_time_in_range(partition->newest_time_ms))
		nulls[7] = 'n';
	else
		values[7] = TimestampTzGetDatum(rspg_time_of_ms(partition->newest_time_ms));
	(void) rspg_execute(&statement, values, nulls, false);
	if (SPI_processed == 1)
		return;
	AbortCurrentTransaction();
	ereport(LOG, (errmsg("recsys stream \"%s\": offset of partition %d is not %lld any more, "
						 "another worker wrote",
						 w->stream->name, partition->number, (long long) partition->next)));
	proc_exit(1);
}

/*
 * It is committed: forget the messages.
 */
static void
batch_done(const RspgBatchResult *result)
{
	RspgWorker *w = &rspg_worker;
	const RspgStreamOptions *options = &w->stream->options;
	int n = w->n_messages;

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
	if (n == w->capacity && n < options->batch_rows)
	{
		w->capacity = Min(n + n / 4 + 1, options->batch_rows);
		*w->batch_rows = w->capacity;
	}
	if (result->rejected_at_end >= n)
		w->rejected_in_row += n;
	else
		w->rejected_in_row = result->rejected_at_end;
	if (options->max_rejects > 0 && w->rejected_in_row >= options->max_rejects)
		rspg_worker_stop(ERRCODE_DATA_EXCEPTION,
						 "%lld messages in a row were rejected; the last one: %s (%s)",
						 (long long) w->rejected_in_row, result->error, result->sqlstate);
}
