/*
 * consumer.c
 *		A consumer: opened, told what to read, asked what has come.
 *
 * What librdkafka 2.0 asks of us, and what it is not asked:
 * - Its log lines and errors are called back from its own threads unless they go
 *   through the queue that we poll (log.queue); the callbacks only take notes.
 * - Its batch call is not safe beside pause, seek and rebalance (fixed in 2.1.0):
 *   one thread calls it, and partitions move by assign alone.
 * - Its batch call waits until the batch is full, so it is given no time; the
 *   queue writes to a pipe when it stops being empty.
 * - Its fetcher sleeps a second once the queue has reached a bound (configure.c).
 */
#include "kafka/consumer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka/api.h"
#include "kafka/configure.h"

#define STASH 512      /* messages taken from librdkafka at a time */
#define MAX_EVENTS 256 /* kept until they are polled; more are counted and dropped */

struct RskConsumer
{
	rd_kafka_t *kafka;
	rd_kafka_queue_t *queue;
	char *topic;
	int wake[2]; /* a pipe: librdkafka, the lookup and we ourselves write, poll reads */

	/* Next offset wanted, by partition; -1 = not assigned */
	int64_t *expected;
	int32_t n_expected;

	/* Taken from librdkafka, not yet given out */
	rd_kafka_message_t *stash[STASH];
	int stash_begin;
	int stash_end;

	/* A ring of what the callbacks noted */
	RskEvent events[MAX_EVENTS];
	int event_begin;
	int event_count;
	long events_dropped;
	char reason[384]; /* of the last error of a broker; says why all of them are down */

	RskLookup *lookup; /* NULL until the first question */
};

/* Make the descriptor readable. */
static void
wake(RskConsumer *consumer)
{
	/* A full pipe is readable already */
	ssize_t written = write(consumer->wake[1], "w", 1);

	(void) written;
}

int
rsk_consumer_fd(const RskConsumer *consumer)
{
	return consumer->wake[0];
}

/* --- notes of the callbacks; they run within rsk_consumer_poll --- */

static void
note_event(RskConsumer *consumer, const RskEvent *event)
{
	if (consumer->event_count == MAX_EVENTS)
	{
		consumer->events_dropped++;
		return;
	}
	consumer->events[(consumer->event_begin + consumer->event_count) % MAX_EVENTS] = *event;
	consumer->event_count++;
}

static void
on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
	RskEvent event = {.kind = RSK_EVENT_LOG, .partition = -1, .offset = -1, .level = level};

	snprintf(event.code, sizeof event.code, "%s", facility);
	snprintf(event.text, sizeof event.text, "%s", text);
	note_event(rsk_api.opaque(kafka), &event);
}

static void
on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
	RskEvent event = {.kind = RSK_EVENT_ERROR, .partition = -1, .offset = -1, .level = 3};
	rd_kafka_resp_err_t error = code;
	RskConsumer *consumer = opaque;

	snprintf(event.text, sizeof event.text, "%s", reason);
	if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		snprintf(consumer->reason, sizeof consumer->reason, "%s", reason);
	else if (consumer->reason[0] != '\0')
		snprintf(event.text, sizeof event.text, "%s, the last one for: %s", reason,
				 consumer->reason);
	if (error == RD_KAFKA_RESP_ERR__FATAL)
	{
		event.fatal = true;
		error = rsk_api.fatal_error(kafka, event.text, sizeof event.text);
	}
	snprintf(event.code, sizeof event.code, "%s", rsk_api.err2name(error));
	note_event(consumer, &event);
}

/* --- open --- */

static bool
make_pipe(RskConsumer *consumer)
{
	if (pipe(consumer->wake) != 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (fcntl(consumer->wake[i], F_SETFL, O_NONBLOCK) != 0 ||
			fcntl(consumer->wake[i], F_SETFD, FD_CLOEXEC) != 0)
			return false;
	return true;
}

static void
free_consumer(RskConsumer *consumer)
{
	for (int i = 0; i < 2; i++)
		if (consumer->wake[i] >= 0)
			close(consumer->wake[i]);
	free(consumer->expected);
	free(consumer->topic);
	free(consumer);
}

/* Start librdkafka; it owns the configuration then. */
static bool
start_kafka(RskConsumer *consumer, const char *brokers, const RskSetting *settings, int n_settings,
			char *error, size_t error_size)
{
	rd_kafka_conf_t *conf = rsk_configure(brokers, settings, n_settings, error, error_size);
	char reason[512];

	if (conf == NULL)
		return false;
	rsk_api.conf_set_opaque(conf, consumer);
	rsk_api.conf_set_log_cb(conf, on_log);
	rsk_api.conf_set_error_cb(conf, on_error);
	consumer->kafka = rsk_api.new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
	if (consumer->kafka == NULL)
	{
		rsk_api.conf_destroy(conf);
		rsk_hide_values(settings, n_settings, reason, sizeof reason);
		snprintf(error, error_size, "could not start the Kafka consumer: %s", reason);
		return false;
	}
	rsk_api.set_log_queue(consumer->kafka, NULL);
	rsk_api.poll_set_consumer(consumer->kafka);
	consumer->queue = rsk_api.queue_get_consumer(consumer->kafka);
	rsk_api.queue_io_event_enable(consumer->queue, consumer->wake[1], "q", 1);
	return true;
}

RskConsumer *
rsk_consumer_open(const char *brokers, const char *topic, const RskSetting *settings,
				  int n_settings, char *error, size_t error_size)
{
	RskConsumer *consumer;

	if (!rsk_api_load(error, error_size))
		return NULL;
	consumer = calloc(1, sizeof *consumer);
	if (consumer != NULL)
	{
		consumer->wake[0] = consumer->wake[1] = -1;
		consumer->topic = strdup(topic);
	}
	if (consumer == NULL || consumer->topic == NULL || !make_pipe(consumer))
		snprintf(error, error_size, "could not open a Kafka consumer: %s", strerror(errno));
	else if (start_kafka(consumer, brokers, settings, n_settings, error, error_size))
		return consumer;
	if (consumer != NULL)
		free_consumer(consumer);
	return NULL;
}

/* --- assign --- */

static void
drop_stash(RskConsumer *consumer)
{
	while (consumer->stash_begin < consumer->stash_end)
		rsk_api.message_destroy(consumer->stash[consumer->stash_begin++]);
}

/* Remember what is expected of each partition. */
static bool
set_expected(RskConsumer *consumer, const RskPosition *positions, int n)
{
	int32_t n_expected = 0;

	for (int i = 0; i < n; i++)
		if (positions[i].partition >= n_expected)
			n_expected = positions[i].partition + 1;
	free(consumer->expected);
	consumer->expected = NULL;
	consumer->n_expected = 0;
	if (n_expected == 0)
		return true;
	consumer->expected = malloc(n_expected * sizeof *consumer->expected);
	if (consumer->expected == NULL)
		return false;
	consumer->n_expected = n_expected;
	for (int32_t i = 0; i < n_expected; i++)
		consumer->expected[i] = -1;
	for (int i = 0; i < n; i++)
		consumer->expected[positions[i].partition] = positions[i].next;
	return true;
}

/*
 * Change the assignment and wait until the partitions of the one before are
 * stopped; librdkafka's main thread does that at once, without a broker.  When
 * it is told of another change in between, it stops them twice and then aborts
 * the process by an assertion (all versions up to 2.15 at least; mended by
 * confluentinc/librdkafka#5574).  Its orders are carried out in turn: the first
 * answer means that the stops are, the second that their answers are too.
 */
static rd_kafka_resp_err_t
change_assignment(RskConsumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t result = rsk_api.assign(consumer->kafka, list);

	for (int i = 0; i < 2; i++)
	{
		rd_kafka_topic_partition_list_t *ignored;

		if (rsk_api.assignment(consumer->kafka, &ignored) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rsk_api.topic_partition_list_destroy(ignored);
	}
	return result;
}

bool
rsk_consumer_assign(RskConsumer *consumer, const RskPosition *positions, int n, char *error,
					size_t error_size)
{
	rd_kafka_topic_partition_list_t *list = NULL;
	rd_kafka_resp_err_t result;

	for (int i = 0; i < n; i++)
	{
		if (positions[i].partition < 0 || positions[i].next < 0)
		{
			snprintf(error, error_size, "partition %d cannot start at offset %lld",
					 (int) positions[i].partition, (long long) positions[i].next);
			return false;
		}
	}
	drop_stash(consumer);
	if (!set_expected(consumer, positions, n))
	{
		snprintf(error, error_size, "out of memory");
		return false;
	}
	if (n > 0)
		list = rsk_api.topic_partition_list_new(n);
	for (int i = 0; i < n; i++)
		rsk_api.topic_partition_list_add(list, consumer->topic, positions[i].partition)->offset =
			positions[i].next;
	result = change_assignment(consumer, list);
	if (list != NULL)
		rsk_api.topic_partition_list_destroy(list);
	if (result == RD_KAFKA_RESP_ERR_NO_ERROR)
		return true;
	set_expected(consumer, NULL, 0);
	snprintf(error, error_size, "could not assign partitions of topic \"%s\": %s", consumer->topic,
			 rsk_api.err2str(result));
	return false;
}

bool
rsk_consumer_watermarks(RskConsumer *consumer, int32_t partition, int64_t *low, int64_t *high)
{
	*low = *high = -1;
	if (rsk_api.get_watermark_offsets(consumer->kafka, consumer->topic, partition, low, high) !=
			RD_KAFKA_RESP_ERR_NO_ERROR ||
		*high < 0)
		return false;
	if (*low < 0)
		*low = -1;
	return true;
}

/* --- poll --- */

/*
 * Messages are taken from librdkafka in handfuls (the stash), for a poll ends at
 * a number of bytes that it cannot know before it sees them.  Ends of partitions
 * and lost offsets come through the same queue, so their order is kept.
 *
 * Whenever something is left behind we write to the pipe ourselves: librdkafka
 * does so only when its queue stops being empty.
 */
typedef struct Poll
{
	RskConsumer *consumer;
	RskMessage *messages;
	int n_messages;
	int max_messages;
	size_t bytes;
	size_t max_bytes;
	RskEvent *events;
	int n_events;
	int max_events;
	bool full; /* the next one does not fit */
} Poll;

static void
drain_pipe(RskConsumer *consumer)
{
	char buffer[64];

	while (read(consumer->wake[0], buffer, sizeof buffer) > 0)
		;
}

/* Take a handful when there is none; false when librdkafka has none either. */
static bool
fill_stash(RskConsumer *consumer)
{
	ssize_t n;

	if (consumer->stash_begin < consumer->stash_end)
		return true;
	n = rsk_api.consume_batch_queue(consumer->queue, 0, consumer->stash, STASH);
	consumer->stash_begin = 0;
	consumer->stash_end = n > 0 ? (int) n : 0;
	return n > 0;
}

/* Where the offset expected of a partition is kept; NULL when it is not assigned. */
static int64_t *
expected_of(RskConsumer *consumer, int32_t partition)
{
	if (partition < 0 || partition >= consumer->n_expected || consumer->expected[partition] < 0)
		return NULL;
	return &consumer->expected[partition];
}

static void
give_message(Poll *poll, rd_kafka_message_t *from)
{
	int64_t *expected = expected_of(poll->consumer, from->partition);
	size_t bytes = from->len + from->key_len;
	rd_kafka_timestamp_type_t type;
	RskMessage *to;

	/* Fetched for an earlier position, or again: offset validation does that */
	if (expected == NULL || from->offset < *expected)
	{
		rsk_api.message_destroy(from);
		return;
	}
	if (poll->n_messages == poll->max_messages ||
		(poll->n_messages > 0 && poll->bytes + bytes > poll->max_bytes))
	{
		poll->full = true;
		return;
	}
	*expected = from->offset + 1;
	poll->bytes += bytes;
	to = &poll->messages[poll->n_messages++];
	memset(to, 0, sizeof *to);
	to->partition = from->partition;
	to->offset = from->offset;
	to->timestamp_ms = rsk_api.message_timestamp(from, &type);
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
		to->timestamp_ms = -1;
	to->key = from->key;
	to->key_length = from->key_len;
	to->payload = from->payload;
	to->payload_length = from->len;
	to->handle = from;
}

/* After these librdkafka goes on behind what it could not read; we do not. */
static bool
is_unreadable(rd_kafka_resp_err_t error)
{
	return error == RD_KAFKA_RESP_ERR__BAD_MSG || error == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
		   error == RD_KAFKA_RESP_ERR_INVALID_MSG || error == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED;
}

/* Fill the event that a message with an error means; false when it means none. */
static bool
make_event(RskConsumer *consumer, const rd_kafka_message_t *from, RskEvent *event)
{
	int64_t *expected = expected_of(consumer, from->partition);
	const char *text = from->payload != NULL ? from->payload : rsk_api.err2str(from->err);

	memset(event, 0, sizeof *event);
	event->kind = RSK_EVENT_ERROR;
	event->partition = from->partition;
	event->offset = from->offset >= 0 ? from->offset : -1;
	event->level = 3;
	snprintf(event->code, sizeof event->code, "%s", rsk_api.err2name(from->err));
	snprintf(event->text, sizeof event->text, "%s", text);
	if (from->partition >= 0 && expected == NULL)
		return false; /* of an earlier assignment */
	if (from->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
	{
		if (expected == NULL || from->offset < *expected)
			return false;
		*expected = from->offset;
		event->kind = RSK_EVENT_EOF;
		event->level = 7;
	}
	else if (from->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && expected != NULL)
	{
		event->kind = RSK_EVENT_OFFSET_LOST;
		event->offset = *expected;
		*expected = -1;
	}
	else if (from->err == RD_KAFKA_RESP_ERR__FATAL)
		event->fatal = true;
	else if (is_unreadable(from->err) && expected != NULL)
	{
		event->fatal = true;
		event->offset = *expected;
		*expected = -1;
	}
	return true;
}

static void
give_event(Poll *poll, rd_kafka_message_t *from)
{
	if (poll->n_events == poll->max_events)
	{
		poll->full = true;
		return;
	}
	if (make_event(poll->consumer, from, &poll->events[poll->n_events]))
		poll->n_events++;
	rsk_api.message_destroy(from);
}

/* What the callbacks noted, as far as there is room. */
static void
give_notes(Poll *poll)
{
	RskConsumer *consumer = poll->consumer;

	while (consumer->event_count > 0 && poll->n_events < poll->max_events)
	{
		poll->events[poll->n_events++] = consumer->events[consumer->event_begin];
		consumer->event_begin = (consumer->event_begin + 1) % MAX_EVENTS;
		consumer->event_count--;
	}
	if (consumer->events_dropped > 0 && poll->n_events < poll->max_events)
	{
		RskEvent *event = &poll->events[poll->n_events++];

		memset(event, 0, sizeof *event);
		event->kind = RSK_EVENT_LOG;
		event->partition = -1;
		event->offset = -1;
		event->level = 4;
		snprintf(event->text, sizeof event->text, "%ld log lines were dropped",
				 consumer->events_dropped);
		consumer->events_dropped = 0;
	}
}

/* Drop ends that messages given out by the same call are past. */
static void
drop_passed_ends(Poll *poll)
{
	int n = 0;

	for (int i = 0; i < poll->n_events; i++)
	{
		const RskEvent *event = &poll->events[i];
		const int64_t *expected = expected_of(poll->consumer, event->partition);

		if (event->kind == RSK_EVENT_EOF && expected != NULL && event->offset < *expected)
			continue;
		if (n < i)
			poll->events[n] = *event;
		n++;
	}
	poll->n_events = n;
}

int
rsk_consumer_poll(RskConsumer *consumer, RskMessage *messages, int max_messages, size_t max_bytes,
				  RskEvent *events, int *n_events)
{
	Poll poll = {.consumer = consumer,
				 .messages = messages,
				 .max_messages = max_messages,
				 .max_bytes = max_bytes,
				 .events = events,
				 .max_events = *n_events};

	drain_pipe(consumer); /* before the look, or a wake between the two is lost */
	give_notes(&poll);
	while (!poll.full && fill_stash(consumer))
	{
		while (!poll.full && consumer->stash_begin < consumer->stash_end)
		{
			rd_kafka_message_t *message = consumer->stash[consumer->stash_begin];

			if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
				give_message(&poll, message);
			else
				give_event(&poll, message);
			if (!poll.full)
				consumer->stash_begin++;
		}
	}
	drop_passed_ends(&poll);
	give_notes(&poll);
	if (poll.full || consumer->event_count > 0)
		wake(consumer);
	*n_events = poll.n_events;
	return poll.n_messages;
}

/* --- questions --- */

bool
rsk_consumer_ask(RskConsumer *consumer, RskLookupKind kind, int64_t time_ms)
{
	if (consumer->lookup == NULL)
		consumer->lookup = rsk_lookup_start(consumer->kafka, consumer->topic, consumer->wake[1]);
	return consumer->lookup != NULL && rsk_lookup_ask(consumer->lookup, kind, time_ms);
}

/* A call that got no answer knows not why; a broker's last error may. */
static void
add_reason(RskConsumer *consumer, RskLookupAnswer *answer)
{
	size_t length = strlen(answer->error);

	if (answer->ok)
		consumer->reason[0] = '\0';
	else if (!answer->no_topic && consumer->reason[0] != '\0')
		snprintf(answer->error + length, sizeof answer->error - length, "; %s", consumer->reason);
}

bool
rsk_consumer_answer(RskConsumer *consumer, RskLookupAnswer *answer)
{
	if (consumer->lookup == NULL || !rsk_lookup_answer(consumer->lookup, answer))
		return false;
	add_reason(consumer, answer);
	return true;
}

/* --- close --- */

void
rsk_consumer_close(RskConsumer *consumer)
{
	if (consumer == NULL)
		return;
	drop_stash(consumer);
	rsk_lookup_stop(consumer->lookup);
	change_assignment(consumer, NULL);
	rsk_api.queue_io_event_enable(consumer->queue, -1, NULL, 0);
	rsk_api.queue_destroy(consumer->queue);
	/* No leaving of a group, which would wait for a broker */
	rsk_api.destroy_flags(consumer->kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	free_consumer(consumer);
}
