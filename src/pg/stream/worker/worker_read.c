/*
 * worker_read.c
 *		What the broker sends: messages into the batch, ends of partitions,
 *		trouble.
 */
#include "pg/stream/worker/worker_read.h"
#include "pg/stream/worker/worker_partitions.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"

#include "pg/stream/write/times.h"

#define EVENTS 32
/* ends alone are written at most this often, lest an idle stream write */
#define ENDS_MS 5000
/* the same line of librdkafka's log is written at most this often */
#define SAME_LOG_MS (10 * 60 * 1000)
#define SYSLOG_WARNING 4

static bool take_messages(RskMessage *messages, int n);
static bool take_message(const RskMessage *message, bool *recreated);
static void take_event(const RskEvent *event);
static void take_error(const RskEvent *event);
static void take_log(const RskEvent *event);

bool
rspg_worker_poll(void)
{
	RspgWorker *w = &rspg_worker;
	RskEvent events[EVENTS];
	int n_events = EVENTS;
	Size bytes = (Size) w->stream->options.batch_bytes;
	int n;

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
take_message(const RskMessage *message, bool *recreated)
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
	if (message->offset < partition->reached)
		return false;
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
	char text[640];

	snprintf(text, sizeof(text), "%s (%s)", event->text, event->code);
	rspg_job_set_error("08000", text);
	if (event->fatal)
	{
		ereport(LOG, (errmsg("recsys stream \"%s\": %s", w->stream->name, text)));
		proc_exit(1);
	}
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
