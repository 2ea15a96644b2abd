/*
 * reader.h
 *		A consumer with its caller's part: it checks that no message is left out or
 *		comes twice, and remembers ends and errors.
 */
#ifndef READER_H
#define READER_H

#include "unit.h"

#include <poll.h>

#include "kafka/consumer.h"
#include "mock.h"

#define TOPIC "events"
#define MAX_MESSAGES 1000
#define MAX_EVENTS 16
#define MAX_PARTITIONS 8

/* What a partition gave: its payloads must count up from its offsets. */
typedef struct Reader
{
	RskConsumer *consumer;
	int64_t next[MAX_PARTITIONS];
	int64_t eof[MAX_PARTITIONS];
	long messages;
	long bytes;
	bool wrong; /* an offset or payload that is not the next one */
	RskEvent lost;
	int n_lost;
	RskEvent error; /* the last one */
	int n_errors;
	size_t max_bytes;
	bool holes; /* offsets may be left out */
} Reader;

static MOCK_UNUSED RskMessage messages[MAX_MESSAGES];

static MOCK_UNUSED RskConsumer *
open_with(const Mock *mock, const RskSetting *settings, int n)
{
	char error[512] = "";
	RskConsumer *consumer =
		rsk_consumer_open(mock->brokers, TOPIC, settings, n, error, sizeof error);

	if (consumer == NULL)
		mock_fail("open", error);
	return consumer;
}

/* Read partitions 0 … n - 1 from offset. */
static MOCK_UNUSED void
assign_all(Reader *reader, int n, int64_t offset)
{
	RskPosition positions[MAX_PARTITIONS];
	char error[512] = "";

	for (int i = 0; i < n; i++)
	{
		positions[i] = (RskPosition){i, offset};
		reader->next[i] = offset;
		reader->eof[i] = -1;
	}
	CHECK(rsk_consumer_assign(reader->consumer, positions, n, error, sizeof error));
	CHECK_STR(error, "");
}

static MOCK_UNUSED void
start_reader(Reader *reader, const Mock *mock, int n, int64_t offset)
{
	memset(reader, 0, sizeof *reader);
	reader->max_bytes = 8 * 1024 * 1024;
	reader->consumer = open_with(mock, NULL, 0);
	assign_all(reader, n, offset);
}

static MOCK_UNUSED void
heed_messages(Reader *reader, int n)
{
	size_t bytes = 0;

	for (int i = 0; i < n; i++)
	{
		const RskMessage *m = &messages[i];

		bytes += m->payload_length + m->key_length;
		if (m->offset != reader->next[m->partition] &&
			!(reader->holes && m->offset > reader->next[m->partition]))
			reader->wrong = true;
		reader->next[m->partition] = m->offset + 1;
	}
	reader->messages += n;
	reader->bytes += bytes;
	CHECK(n <= 1 || bytes <= reader->max_bytes);
	rsk_messages_free(messages, n);
}

static MOCK_UNUSED void
heed_events(Reader *reader, const RskEvent *events, int n)
{
	for (int i = 0; i < n; i++)
	{
		const RskEvent *e = &events[i];

		if (e->kind == RSK_EVENT_EOF)
		{
			if (e->offset < reader->next[e->partition])
				reader->wrong = true;
			reader->next[e->partition] = e->offset;
			reader->eof[e->partition] = e->offset;
		}
		else if (e->kind == RSK_EVENT_OFFSET_LOST)
		{
			reader->lost = *e;
			reader->n_lost++;
		}
		else if (e->kind == RSK_EVENT_ERROR)
		{
			reader->error = *e;
			reader->n_errors++;
		}
	}
}

/* Wait up to ms for the descriptor, then poll once; the number of messages and events. */
static MOCK_UNUSED int
read_once(Reader *reader, int ms)
{
	struct pollfd fd = {.fd = rsk_consumer_fd(reader->consumer), .events = POLLIN};
	RskEvent events[MAX_EVENTS];
	int n_events = MAX_EVENTS;
	int n;

	poll(&fd, 1, ms);
	n = rsk_consumer_poll(reader->consumer, messages, MAX_MESSAGES, reader->max_bytes, events,
						  &n_events);
	heed_messages(reader, n);
	heed_events(reader, events, n_events);
	return n + n_events;
}

/* Until so many messages are read, or seconds passed; true when they are. */
static MOCK_UNUSED bool
read_messages(Reader *reader, long n, double seconds)
{
	double end = mock_seconds() + seconds;

	while (reader->messages < n && mock_seconds() < end)
		read_once(reader, 100);
	return reader->messages >= n;
}

/* Until partitions 0 … n - 1 said that their end is offset. */
static MOCK_UNUSED bool
read_ends(Reader *reader, int n, int64_t offset, double seconds)
{
	double end = mock_seconds() + seconds;

	for (;;)
	{
		bool all = true;

		for (int i = 0; i < n; i++)
			all = all && reader->eof[i] == offset;
		if (all || mock_seconds() > end)
			return all;
		read_once(reader, 100);
	}
}

#endif
