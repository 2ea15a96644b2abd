/*
 * poll.c
 *		Hand out the messages and events that have come.
 *
 * Messages are taken from librdkafka in handfuls (the stash), for a poll ends at
 * a number of bytes that it cannot know before it sees them.  Ends of partitions
 * and lost offsets come through the same queue, so their order is kept.
 *
 * Whenever something is left behind we write to the pipe ourselves: librdkafka
 * does so only when its queue stops being empty.
 */
#include "kafka/handle.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	n = rsk_api.consume_batch_queue(consumer->queue, 0, consumer->stash, RSK_STASH);
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
		consumer->event_begin = (consumer->event_begin + 1) % RSK_MAX_EVENTS;
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
		rsk_consumer_wake(consumer);
	*n_events = poll.n_events;
	return poll.n_messages;
}

int
rsk_message_headers(const RskMessage *message, RskHeader *headers, int max)
{
	rd_kafka_headers_t *list;
	int n = 0;
	RskHeader header;

	if (message->handle == NULL)
	{
		for (; n < message->n_headers && n < max; n++)
			headers[n] = message->headers[n];
		return message->n_headers;
	}
	if (rsk_api.message_headers(message->handle, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	while (rsk_api.header_get_all(list, n, &header.name, &header.value, &header.length) ==
		   RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		if (n < max)
			headers[n] = header;
		n++;
	}
	return n;
}

void
rsk_messages_free(RskMessage *messages, int n)
{
	for (int i = 0; i < n; i++)
	{
		if (messages[i].handle != NULL)
			rsk_api.message_destroy(messages[i].handle);
		messages[i].handle = NULL;
	}
}
