/*
 * worker_partitions.c
 *		Where each partition is read from: by the stored offsets, the broker's
 *		answers about the topic, and what the stream wants of a start or a seek.
 *
 * Everything that moves an offset without rows being written happens here, in a
 * transaction, with a record where messages are gone.  Worker 0 resolves starts
 * and seeks for all partitions; the stream's other workers wait for it.
 */
#include "pg/stream/worker/worker_partitions.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/spi.h"
#include "pg/stream/definition/losses.h"
#include "pg/stream/write/message_time.h"

#define ASK_MS 5000      /* between questions about the topic */
#define ASK_RETRY_MS 500 /* when there was no answer to use */
#define MAX_LOOKS 24     /* answers between assignments, while a partition is refused */
#define FIRST_WORKER 0   /* the one that resolves starts and seeks */

/* A row of recsys.stream_offset */
typedef struct StoredOffset
{
	int32 partition;
	int64 next;
	int64 last_offset; /* -1 = none */
	int64 last_time_ms;
	int64 end; /* -1 = not known */
	int n_skips;
	int64 *skips;
} StoredOffset;

/* The broker's last answer */
static RskLookupAnswer answer;

static void ask_again(int ms);
static void position(void);
static void check_cluster(void);
static _Noreturn void stop_for_cluster(void);
static bool resolve(const char *start, bool seek, const StoredOffset *stored, int n_stored);
static const StoredOffset *stored_offset(const StoredOffset *stored, int n, int32 partition);
static void forget_gone(void);
static bool start_offset(const char *start, const RskPartitionInfo *info, int64 *offset);
static StoredOffset *read_offsets(int *n);
static void read_skips(HeapTuple tuple, TupleDesc desc, int column, StoredOffset *offset);
static void take_partitions(const StoredOffset *stored, int n_stored);
static void take_partition(const RskPartitionInfo *info, const StoredOffset *stored);
static void pass_loss(const RskPartitionInfo *info, int64 *next);
static void record_losses(void);
static void assign(void);
static void claim_shown(void);
static void watch(void);

RspgPartition *
rspg_worker_partition(int32 number)
{
	RspgWorker *w = &rspg_worker;
	int low = 0;
	int high = w->n_partitions;

	while (low < high)
	{
		int middle = (low + high) / 2;

		if (w->partitions[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->n_partitions && w->partitions[low].number == number ? &w->partitions[low]
																		: NULL;
}

/*
 * It says no once, by an error, or as a partition without a leader, and yes by a
 * message or an end.
 */
void
rspg_worker_refused(RspgPartition *partition, const char *text)
{
	RspgShownPartition *shown = partition->shown;
	bool news;

	if (shown == NULL || (text == NULL && !shown->refused))
		return;
	news = shown->refused != (text != NULL);
	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	shown->refused = text != NULL;
	if (text != NULL)
	{
		strlcpy(shown->error, text, sizeof(shown->error));
		strlcpy(shown->sqlstate, "08000", sizeof(shown->sqlstate));
		shown->error_at = GetCurrentTimestamp();
	}
	LWLockRelease(rspg_host->lock);
	if (news)
		ereport(LOG, (errmsg("recsys stream \"%s\": partition %d %s%s", rspg_worker.stream->name,
							 partition->number,
							 text != NULL ? "is not given out: " : "is given out again",
							 text ? text : "")));
}

void
rspg_worker_ask(TimestampTz now)
{
	RspgWorker *w = &rspg_worker;

	if (w->lookup_open || now < w->lookup_at)
		return;
	if (rsk_consumer_ask(w->consumer, RSK_LOOKUP_TOPIC, 0))
	{
		w->lookup_open = true;
		for (int i = 0; i < w->n_partitions; i++)
			w->partitions[i].asked_at = w->partitions[i].reached;
	}
	ask_again(ASK_MS);
}

static void
ask_again(int ms)
{
	rspg_worker.lookup_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);
}

void
rspg_worker_take_answer(void)
{
	RspgWorker *w = &rspg_worker;

	if (!w->lookup_open || !rsk_consumer_answer(w->consumer, &answer))
		return;
	w->lookup_open = false;
	if (!answer.ok)
	{
		/* When it is there again, it may be another one: begin as at the start */
		if (answer.no_topic && w->positioned)
			rspg_worker_restart();
		rspg_job_set_error(answer.no_topic ? "42704" : "08000", answer.error);
		rspg_job_set_state(RSPG_JOB_WAITING);
		ask_again(ASK_RETRY_MS);
		return;
	}
	if (!w->positioned)
		position();
	else
		watch();
	if (w->positioned)
	{
		if (w->retry_ms == 0)
			rspg_job_set_state(RSPG_JOB_RUNNING);
		(void) rspg_worker_show_lag();
	}
}

/*
 * The answer is here and nothing is read yet: find where to begin, and begin.
 */
static void
position(void)
{
	RspgWorker *w = &rspg_worker;
	StoredOffset *stored;
	int n;
	bool seek = w->stream->seek_to != NULL;
	bool ready = true;

	rspg_worker_begin("reading offsets");
	if (!rspg_worker_lock_row())
		rspg_worker_restart();
	check_cluster();
	stored = read_offsets(&n);
	if (seek)
		ready = resolve(w->stream->seek_to, true, stored, n);
	else if (n == 0)
		ready = resolve(w->stream->options.start, false, NULL, 0);
	if (ready)
	{
		stored = read_offsets(&n);
		take_partitions(stored, n);
	}
	rspg_worker_commit();
	/* not before: what is taken back in the table must not stay here */
	if (w->stream->cluster_id == NULL && answer.cluster_id[0] != '\0')
		w->stream->cluster_id = MemoryContextStrdup(w->stream_context, answer.cluster_id);
	if (seek && ready)
	{
		w->stream->generation++;
		w->stream->seek_to = NULL;
	}
	pgstat_report_activity(STATE_IDLE, ready ? "idle" : "waiting for where to start");
	if (ready)
		assign();
}

static void
check_cluster(void)
{
	static RspgStatement statement = {
		"UPDATE recsys.stream SET cluster_id = $2 WHERE id OPERATOR(pg_catalog.=) $1 "
		"AND cluster_id IS NULL",
		2,
		{INT8OID, TEXTOID},
		NULL};
	RspgWorker *w = &rspg_worker;
	Datum values[2];

	if (answer.cluster_id[0] == '\0')
		return;
	if (w->stream->cluster_id == NULL)
	{
		values[0] = Int64GetDatum(w->stream->id);
		values[1] = CStringGetTextDatum(answer.cluster_id);
		if (w->job.worker == FIRST_WORKER)
			rspg_execute(&statement, values, NULL, false);
	}
	else if (strcmp(w->stream->cluster_id, answer.cluster_id) != 0)
		stop_for_cluster();
}

static void
stop_for_cluster(void)
{
	rspg_worker_stop(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
					 "the brokers belong to Kafka cluster \"%s\", but offsets are those of "
					 "cluster \"%s\"",
					 answer.cluster_id, rspg_worker.stream->cluster_id);
}

/*
 * Store the offsets that a start or a seek means.  False = not yet.
 */
static bool
resolve(const char *start, bool seek, const StoredOffset *stored, int n_stored)
{
	static RspgStatement store = {
		"INSERT INTO recsys.stream_offset AS o (stream_id, partition, next_offset) "
		"VALUES ($1, $2, $3) ON CONFLICT (stream_id, partition) DO UPDATE "
		"SET next_offset = excluded.next_offset, last_offset = NULL, last_event_time = NULL, "
		"skip = NULL, "
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

	if (w->job.worker != FIRST_WORKER)
	{
		ask_again(ASK_RETRY_MS);
		return false;
	}
	if (time_ms >= 0 && answer.kind != RSK_LOOKUP_TIME)
	{
		w->lookup_open = rsk_consumer_ask(w->consumer, RSK_LOOKUP_TIME, time_ms);
		ask_again(w->lookup_open ? ASK_MS : ASK_RETRY_MS);
		return false;
	}
	/* All or none: a partition that others were stored without is taken for a new one */
	for (int i = 0; i < answer.n_partitions; i++)
	{
		if (!start_offset(start, &answer.partitions[i], &offset))
		{
			ask_again(ASK_RETRY_MS);
			return false;
		}
	}
	for (int i = 0; i < answer.n_partitions; i++)
	{
		const StoredOffset *from = stored_offset(stored, n_stored, answer.partitions[i].partition);

		(void) start_offset(start, &answer.partitions[i], &offset);
		if (from != NULL)
			rspg_loss_seek(w->stream->id, from->partition, from->next, offset);
		values[1] = Int32GetDatum(answer.partitions[i].partition);
		values[2] = Int64GetDatum(offset);
		rspg_execute(&store, values, NULL, false);
	}
	if (seek)
	{
		forget_gone();
		rspg_execute(&done, values, NULL, false);
		rspg_jobs_wake_at_commit("stream"); /* the stream's other workers */
	}
	return true;
}

/*
 * A seek moves all partitions, so those that the topic does not have any more are
 * nothing to go on with.
 */
static void
forget_gone(void)
{
	static RspgStatement statement = {
		"DELETE FROM recsys.stream_offset WHERE stream_id OPERATOR(pg_catalog.=) $1 "
		"AND partition OPERATOR(pg_catalog.>=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	Datum values[2] = {Int64GetDatum(rspg_worker.stream->id), Int32GetDatum(answer.n_partitions)};

	rspg_execute(&statement, values, NULL, false);
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

static const StoredOffset *
stored_offset(const StoredOffset *stored, int n, int32 partition)
{
	for (int i = 0; i < n; i++)
		if (stored[i].partition == partition)
			return &stored[i];
	return NULL;
}

static StoredOffset *
read_offsets(int *n)
{
	static RspgStatement statement = {
		"SELECT partition, next_offset, last_offset, last_event_time, skip, end_offset FROM "
		"recsys.stream_offset "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 ORDER BY partition",
		1,
		{INT8OID},
		NULL};
	Datum id = Int64GetDatum(rspg_worker.stream->id);
	StoredOffset *stored;

	rspg_execute(&statement, &id, NULL, false);
	*n = (int) SPI_processed;
	stored = palloc0((*n + 1) * sizeof(StoredOffset));
	for (int i = 0; i < *n; i++)
	{
		HeapTuple tuple = SPI_tuptable->vals[i];
		TupleDesc desc = SPI_tuptable->tupdesc;
		bool null;
		bool no_time;
		TimestampTz time;

		stored[i].partition = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &null));
		stored[i].next = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &null));
		stored[i].last_offset = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &null));
		time = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 4, &no_time));
		if (null || no_time)
			stored[i].last_offset = -1;
		else
			stored[i].last_time_ms = rspg_time_to_ms(time);
		read_skips(tuple, desc, 5, &stored[i]);
		stored[i].end = DatumGetInt64(SPI_getbinval(tuple, desc, 6, &null));
		if (null)
			stored[i].end = -1;
	}
	return stored;
}

static void
read_skips(HeapTuple tuple, TupleDesc desc, int column, StoredOffset *offset)
{
	bool null;
	Datum value = SPI_getbinval(tuple, desc, column, &null);
	Datum *elements;
	bool *nulls;

	if (null)
		return;
	deconstruct_array(DatumGetArrayTypeP(value), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &elements, &nulls, &offset->n_skips);
	offset->skips =
		MemoryContextAlloc(rspg_worker.stream_context, Max(offset->n_skips, 1) * sizeof(int64));
	for (int i = 0; i < offset->n_skips; i++)
		offset->skips[i] = nulls[i] ? -1 : DatumGetInt64(elements[i]);
}

/*
 * The partitions that are ours, each with where it is read from.
 */
static void
take_partitions(const StoredOffset *stored, int n_stored)
{
	RspgWorker *w = &rspg_worker;
	int workers = w->stream->options.workers;

	w->n_partitions = 0;
	if (w->partitions != NULL)
		pfree(w->partitions);
	w->partitions =
		MemoryContextAllocZero(TopMemoryContext, RSK_MAX_PARTITIONS * sizeof(RspgPartition));
	for (int i = 0; i < answer.n_partitions; i++)
	{
		const RskPartitionInfo *info = &answer.partitions[i];

		if (info->partition % workers == w->job.worker)
			take_partition(info, stored_offset(stored, n_stored, info->partition));
	}
	for (int j = 0; j < n_stored; j++)
		if (stored[j].partition % workers == w->job.worker && stored[j].next > 0 &&
			rspg_worker_partition(stored[j].partition) == NULL)
			rspg_worker_stop(
				ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
				"topic \"%s\" has no partition %d, where the stream goes on: the topic "
				"was created anew, or a seek named it; seek_stream to earliest or latest "
				"forgets it",
				w->stream->topic, stored[j].partition);
}

/*
 * A partition without a stored offset is a new one, whatever option start says:
 * that was for the partitions there were.
 */
static void
take_partition(const RskPartitionInfo *info, const StoredOffset *stored)
{
	static RspgStatement store = {
		"INSERT INTO recsys.stream_offset (stream_id, partition, next_offset) VALUES ($1, $2, 0)",
		2,
		{INT8OID, INT4OID},
		NULL};
	RspgWorker *w = &rspg_worker;
	RspgPartition *partition = &w->partitions[w->n_partitions];
	Datum values[2] = {Int64GetDatum(w->stream->id), Int32GetDatum(info->partition)};

	partition->number = info->partition;
	if (stored == NULL)
		rspg_execute(&store, values, NULL, false);
	else
	{
		partition->next = stored->next;
		partition->n_skips = stored->n_skips;
		partition->skips = stored->skips;
	}
	partition->end = info->high;
	w->n_partitions++;
	if (info->high >= 0 && (stored == NULL || stored->end != info->high))
		rspg_worker_write_end(partition);
	if (info->high >= 0 && info->high < partition->next)
		rspg_worker_stop(
			ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
			"partition %d of topic \"%s\" ends at offset %lld, but the stream goes on at "
			"%lld: it was created anew or cut, or a seek went too far",
			info->partition, w->stream->topic, (long long) info->high, (long long) partition->next);
	if (info->low > partition->next)
		pass_loss(info, &partition->next);
	else if (stored != NULL && stored->last_offset >= 0 && stored->last_offset < stored->next &&
			 info->low >= 0 && stored->last_offset >= info->low)
	{
		partition->verify = true;
		partition->last_offset = stored->last_offset;
		partition->last_time_ms = stored->last_time_ms;
	}
	partition->reached = partition->next;
}

/*
 * The broker has thrown away what comes next: by option on_offset_lost.
 */
static void
pass_loss(const RskPartitionInfo *info, int64 *next)
{
	static RspgStatement move = {
		"UPDATE recsys.stream_offset SET next_offset = $4, last_offset = NULL, "
		"last_event_time = NULL, updated = pg_catalog.clock_timestamp() "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2 "
		"AND next_offset OPERATOR(pg_catalog.=) $3",
		4,
		{INT8OID, INT4OID, INT8OID, INT8OID},
		NULL};
	RspgWorker *w = &rspg_worker;
	bool latest = w->stream->options.on_offset_lost == RSPG_LOST_LATEST;
	int64 to = latest && info->high >= 0 ? info->high : info->low;
	Datum values[4] = {Int64GetDatum(w->stream->id), Int32GetDatum(info->partition),
					   Int64GetDatum(*next), Int64GetDatum(to)};

	if (w->stream->options.on_offset_lost == RSPG_LOST_ERROR)
	{
		w->at_stop = record_losses;
		rspg_worker_stop(ERRCODE_NO_DATA_FOUND,
						 "partition %d of topic \"%s\" was read up to offset %lld, but begins at "
						 "%lld now: the broker has thrown away what is between",
						 info->partition, w->stream->topic, (long long) *next,
						 (long long) info->low);
	}
	rspg_loss_record(w->stream->id, info->partition, *next, to, latest ? "latest" : "earliest");
	rspg_execute(&move, values, NULL, false);
	if (SPI_processed != 1)
		rspg_worker_restart();
	ereport(LOG, (errmsg("recsys stream \"%s\": messages %lld to %lld of partition %d are lost",
						 w->stream->name, (long long) *next, (long long) to - 1, info->partition)));
	*next = to;
}

/*
 * In the transaction of a stop: what all our partitions have lost.
 */
static void
record_losses(void)
{
	RspgWorker *w = &rspg_worker;
	int n;
	StoredOffset *stored = read_offsets(&n);

	for (int i = 0; i < answer.n_partitions; i++)
	{
		const RskPartitionInfo *info = &answer.partitions[i];
		const StoredOffset *from = stored_offset(stored, n, info->partition);

		if (from != NULL && from->next < info->low &&
			info->partition % w->stream->options.workers == w->job.worker)
			rspg_loss_record(w->stream->id, info->partition, from->next, info->low, "error");
	}
}

static void
assign(void)
{
	RspgWorker *w = &rspg_worker;
	RskPosition *positions = palloc0((w->n_partitions + 1) * sizeof(RskPosition));
	char error[512];

	for (int i = 0; i < w->n_partitions; i++)
	{
		const RspgPartition *partition = &w->partitions[i];

		positions[i].partition = partition->number;
		positions[i].next = partition->verify ? partition->last_offset : partition->reached;
	}
	if (!rsk_consumer_assign(w->consumer, positions, w->n_partitions, error, sizeof(error)))
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR), errmsg("could not assign partitions: %s", error)));
	pfree(positions);
	if (!w->positioned)
		claim_shown();
	w->positioned = true;
}

/*
 * Places in shared memory for our partitions.
 */
static void
claim_shown(void)
{
	RspgWorker *w = &rspg_worker;
	int claimed = 0;
	int places;
	RspgShownPartition *shown = rspg_shown_partitions(&places);

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	for (int i = 0; i < places && claimed < w->n_partitions; i++, shown++)
	{
		if (!rspg_shown_is_free(shown))
			continue;
		shown->reader = rspg_job_launch();
		shown->partition = w->partitions[claimed].number;
		shown->end_offset = -1;
		shown->refused = false;
		shown->error_at = 0;
		shown->rows_per_second = 0;
		shown->rate_at = GetCurrentTimestamp();
		w->partitions[claimed++].shown = shown;
	}
	LWLockRelease(rspg_host->lock);
	if (claimed < w->n_partitions)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("no room to show %d partitions of recsys stream \"%s\"",
							 w->n_partitions - claimed, w->stream->name),
					  errhint("Raise recsys.max_stream_partitions.")));
}

/*
 * While messages are read: does the topic still look as it did?
 */
static void
watch(void)
{
	RspgWorker *w = &rspg_worker;
	int workers = w->stream->options.workers;
	bool refused = false;

	if (w->stream->cluster_id != NULL && answer.cluster_id[0] != '\0' &&
		strcmp(w->stream->cluster_id, answer.cluster_id) != 0)
		stop_for_cluster();
	for (int i = 0; i < answer.n_partitions; i++)
	{
		const RskPartitionInfo *info = &answer.partitions[i];
		RspgPartition *partition = rspg_worker_partition(info->partition);

		if (info->partition % workers != w->job.worker)
			continue;
		if (partition == NULL)
			rspg_worker_restart(); /* a new partition */
		partition->end = Max(partition->end, info->high);
		if (!info->led)
			rspg_worker_refused(partition, "it has no leader");
		refused |= info->led && partition->shown != NULL && partition->shown->refused;
		if (info->high >= 0 && info->high < partition->asked_at)
			rspg_worker_stop(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							 "partition %d of topic \"%s\" ends at offset %lld, but was read up to "
							 "%lld: it was created anew or cut",
							 info->partition, w->stream->topic, (long long) info->high,
							 (long long) partition->asked_at);
	}
	/* librdkafka does not say when it gets an empty answer after errors, but does of
	 * what it begins with; all partitions begin anew then, and drop what was fetched
	 * ahead, so not at each look */
	if (!refused)
		w->looks_to_assign = w->looks = 0;
	else if (w->looks++ >= w->looks_to_assign)
	{
		assign();
		w->looks = 0;
		w->looks_to_assign = Min(2 * w->looks_to_assign + 1, MAX_LOOKS);
	}
}
