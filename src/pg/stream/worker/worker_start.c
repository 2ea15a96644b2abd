/*
 * worker_start.c
 *		What a start or a seek means as offsets.
 */
#include "pg/stream/worker/worker.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/base/spi.h"

static bool start_offset(const char *start, const RskPartitionInfo *info, int64 *offset);

/*
 * Store the offsets that a start or a seek means.  False = not yet.
 */
bool
rspg_worker_resolve(const char *start, bool seek)
{
	static RspgStatement store = {
		"INSERT INTO recsys.stream_offset AS o (stream_id, partition, next_offset) "
		"VALUES ($1, $2, $3) ON CONFLICT (stream_id, partition) DO UPDATE "
		"SET next_offset = excluded.next_offset, last_offset = NULL, last_event_time = NULL, "
		"updated = pg_catalog.clock_timestamp()",
		3,
		{INT8OID, INT4OID, INT8OID},
		NULL};
	static RspgStatement done = {
		"UPDATE recsys.stream SET seek_to = NULL, generation = generation OPERATOR(pg_catalog.+) 1 "
		"WHERE id OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	RspgWorker *w = &rspg_worker;
	int64 time_ms = rspg_stream_start_time(start);
	Datum values[3] = {Int64GetDatum(w->stream->id)};
	int64 offset;

	if (w->job.worker != RSPG_FIRST_WORKER)
	{
		rspg_worker_ask_again(RSPG_ASK_RETRY_MS);
		return false;
	}
	if (time_ms >= 0 && rspg_worker_answer.kind != RSK_LOOKUP_TIME)
	{
		w->lookup_open = rsk_consumer_ask(w->consumer, RSK_LOOKUP_TIME, time_ms);
		rspg_worker_ask_again(w->lookup_open ? RSPG_ASK_MS : RSPG_ASK_RETRY_MS);
		return false;
	}
	/* All or none: a partition that others were stored without is taken for a new one */
	for (int i = 0; i < rspg_worker_answer.n_partitions; i++)
	{
		if (!start_offset(start, &rspg_worker_answer.partitions[i], &offset))
		{
			rspg_worker_ask_again(RSPG_ASK_RETRY_MS);
			return false;
		}
	}
	for (int i = 0; i < rspg_worker_answer.n_partitions; i++)
	{
		(void) start_offset(start, &rspg_worker_answer.partitions[i], &offset);
		values[1] = Int32GetDatum(rspg_worker_answer.partitions[i].partition);
		values[2] = Int64GetDatum(offset);
		(void) rspg_execute(&store, values, NULL, false);
	}
	if (seek)
	{
		(void) rspg_execute(&done, values, NULL, false);
		w->stream->generation++;
		w->stream->seek_to = NULL;
		rspg_jobs_wake_at_commit("stream"); /* the stream's other workers */
	}
	return true;
}

static bool
start_offset(const char *start, const RskPartitionInfo *info, int64 *offset)
{
	if (strcmp(start, "earliest") == 0)
		*offset = info->low;
	else if (strcmp(start, "latest") == 0)
		*offset = info->high;
	else
		*offset = info->offset;
	return *offset >= 0;
}
