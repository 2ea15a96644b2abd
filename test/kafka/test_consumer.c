/*
 * test_consumer.c
 *		The consumer of a mock cluster that is well: what is read, and from where.
 */
#include "reader.h"

TEST(reads_all)
{
	Mock mock;
	Reader reader;

	mock_start(&mock, 3, TOPIC, 4);
	for (int p = 0; p < 4; p++)
		mock_count(&mock, TOPIC, p, 0, 5000);
	start_reader(&reader, &mock, 4, 0);
	CHECK(read_messages(&reader, 20000, 20));
	CHECK(read_ends(&reader, 4, 5000, 5));
	CHECK(reader.messages == 20000);
	CHECK(!reader.wrong);
	for (int p = 0; p < 4; p++)
		CHECK(reader.next[p] == 5000);

	/* again after the end: the descriptor wakes by itself */
	mock_count(&mock, TOPIC, 2, 5000, 10);
	CHECK(read_messages(&reader, 20010, 5));
	CHECK(reader.next[2] == 5010);
	CHECK(!reader.wrong);
	CHECK(reader.n_errors == 0);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/* A poll gives at most max_bytes, but one message however large. */
TEST(bounds_bytes)
{
	Mock mock;
	Reader reader;
	size_t large = 3 * 1024 * 1024;
	char *payload = malloc(large);

	memset(payload, 'x', large);
	mock_start(&mock, 1, TOPIC, 1);
	for (int i = 0; i < 40; i++)
		mock_send(&mock, TOPIC, 0, "k", 1, payload, 20000);
	mock_send(&mock, TOPIC, 0, NULL, 0, payload, large);
	mock_send(&mock, TOPIC, 0, NULL, 0, payload, 5);
	mock_flush(&mock);
	start_reader(&reader, &mock, 1, 0);
	reader.max_bytes = 100000;
	CHECK(read_messages(&reader, 42, 20)); /* CHECKs the bound of each poll */
	CHECK(reader.bytes == 40 * 20001 + (long) large + 5);
	CHECK(!reader.wrong);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
	free(payload);
}

/* What max left behind makes the descriptor readable again at once. */
TEST(wakes_for_the_rest)
{
	Mock mock;
	Reader reader;
	int n_left = 0;

	mock_start(&mock, 1, TOPIC, 1);
	mock_count(&mock, TOPIC, 0, 0, 5000); /* one batch, for it waited for the producer's id */
	start_reader(&reader, &mock, 1, 0);
	while (reader.messages < 500)
	{
		struct pollfd fd = {.fd = rsk_consumer_fd(reader.consumer), .events = POLLIN};
		RskEvent events[MAX_EVENTS];
		int n_events = MAX_EVENTS;
		int n;

		/* after the first of them all are in librdkafka's queue, whose pipe wrote once */
		if (poll(&fd, 1, reader.messages == 0 ? 10000 : 0) == 0)
			n_left++;
		n = rsk_consumer_poll(reader.consumer, messages, 1, 1000, events, &n_events);
		heed_messages(&reader, n);
		if (n == 0 && n_events == 0 && ++n_left > 10)
			break;
	}
	CHECK(reader.messages == 500);
	CHECK(n_left <= 1); /* one wake may be spurious, before the first */
	CHECK(!reader.wrong);

	/* and nothing left: it is not readable, so that the caller sleeps */
	read_ends(&reader, 1, 5000, 2);
	while (read_once(&reader, 0) > 0)
		;
	CHECK(poll(&(struct pollfd){.fd = rsk_consumer_fd(reader.consumer), .events = POLLIN}, 1,
			   300) == 0);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

TEST(keys_tombstones_headers)
{
	Mock mock;
	Reader reader;
	RskEvent events[MAX_EVENTS];
	RskHeader headers[4];
	int n = 0;
	double end = mock_seconds() + 10;

	mock_start(&mock, 1, TOPIC, 1);
	CHECK(rd_kafka_producev(mock.producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(0),
							RD_KAFKA_V_KEY("k\0y", 3), RD_KAFKA_V_VALUE("{}", 2),
							RD_KAFKA_V_TIMESTAMP(1700000000123), RD_KAFKA_V_HEADER("a", "1\0", 2),
							RD_KAFKA_V_HEADER("b", NULL, 0), RD_KAFKA_V_HEADER("a", "", 0),
							RD_KAFKA_V_END) == 0);
	CHECK(rd_kafka_producev(mock.producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(0),
							RD_KAFKA_V_KEY("gone", 4), RD_KAFKA_V_END) == 0);
	CHECK(rd_kafka_producev(mock.producer, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_PARTITION(0),
							RD_KAFKA_V_VALUE("", 0), RD_KAFKA_V_END) == 0);
	mock_flush(&mock);
	start_reader(&reader, &mock, 1, 0);
	while (n < 3 && mock_seconds() < end)
	{
		int n_events = MAX_EVENTS;

		n +=
			rsk_consumer_poll(reader.consumer, messages + n, MAX_MESSAGES, 1000, events, &n_events);
		mock_sleep(10);
	}
	CHECK(n == 3);
	CHECK(messages[0].key_length == 3 && memcmp(messages[0].key, "k\0y", 3) == 0);
	CHECK(messages[0].payload_length == 2 && memcmp(messages[0].payload, "{}", 2) == 0);
	CHECK(messages[0].timestamp_ms == 1700000000123);
	CHECK(rsk_message_headers(&messages[0], headers, 4) == 3);
	CHECK_STR(headers[0].name, "a");
	CHECK(headers[0].length == 2 && memcmp(headers[0].value, "1\0", 2) == 0);
	CHECK_STR(headers[1].name, "b");
	CHECK(headers[1].value == NULL);
	CHECK_STR(headers[2].name, "a");
	CHECK(headers[2].value != NULL && headers[2].length == 0);
	memset(headers, 0, sizeof headers);
	CHECK(rsk_message_headers(&messages[0], headers, 1) == 3);
	CHECK(headers[1].name == NULL);

	CHECK(messages[1].payload == NULL && messages[1].key != NULL);
	CHECK(rsk_message_headers(&messages[1], headers, 4) == 0);
	CHECK(messages[2].key == NULL);
	CHECK(messages[2].payload != NULL && messages[2].payload_length == 0);
	rsk_messages_free(messages, 3);
	CHECK(messages[0].handle == NULL);
	rsk_messages_free(messages, 3); /* twice does no harm */

	/* one made from a table gives its own headers, and is left alone */
	messages[0] = (RskMessage){.headers = headers, .n_headers = 1};
	headers[0].name = "mine";
	CHECK(rsk_message_headers(&messages[0], &headers[1], 1) == 1);
	CHECK_STR(headers[1].name, "mine");
	rsk_messages_free(messages, 1);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/*
 * To and fro while librdkafka's queue is full: no message of an earlier position
 * may come through, for the caller would go on behind it and lose what is between.
 */
TEST(assigns_again)
{
	Mock mock;
	Reader reader;
	uint64_t random = 7;

	mock_start(&mock, 3, TOPIC, 4);
	for (int p = 0; p < 4; p++)
		mock_count(&mock, TOPIC, p, 0, 20000);
	start_reader(&reader, &mock, 4, 0);
	for (int i = 0; i < 100; i++)
	{
		long wanted = unit_random(&random) % 3000;

		reader.messages = 0;
		CHECK(read_messages(&reader, wanted, 5));
		assign_all(&reader, 1 + unit_random(&random) % 4, unit_random(&random) % 15000);
	}
	CHECK(!reader.wrong);
	assign_all(&reader, 4, 0);
	reader.messages = 0;
	CHECK(read_messages(&reader, 80000, 20));
	CHECK(read_ends(&reader, 4, 20000, 5));
	CHECK(reader.messages == 80000);
	CHECK(!reader.wrong);

	/* none */
	assign_all(&reader, 4, 0);
	assign_all(&reader, 0, 0);
	reader.messages = 0;
	for (int i = 0; i < 5; i++)
		read_once(&reader, 100);
	CHECK(reader.messages == 0);

	/* the middle of a batch of the broker */
	assign_all(&reader, 1, 1234);
	CHECK(read_messages(&reader, 100, 5));
	CHECK(!reader.wrong);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/*
 * One assignment right after another: librdkafka aborts the process when it is
 * told of the second before the partitions of the first are stopped.
 */
TEST(assigns_at_once)
{
	Mock mock;
	Reader reader;
	double begin;

	mock_start(&mock, 1, TOPIC, 8);
	for (int p = 0; p < 8; p++)
		mock_count(&mock, TOPIC, p, 0, 1000);
	start_reader(&reader, &mock, 8, 0);
	begin = mock_seconds();
	for (int i = 0; i < 3000; i++)
	{
		assign_all(&reader, 1 + i % 8, i % 900);
		if (i % 3 == 0)
			read_once(&reader, 0);
	}
	printf("a change of the assignment takes %.3f ms\n", (mock_seconds() - begin) / 3000 * 1000);
	assign_all(&reader, 8, 0);
	reader.messages = 0;
	CHECK(read_messages(&reader, 8000, 20));
	CHECK(reader.messages == 8000);
	CHECK(!reader.wrong);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

TEST(refuses_positions)
{
	Mock mock;
	Reader reader;
	RskPosition wrong[] = {{0, -1}, {-1, 0}};
	char error[512];

	mock_start(&mock, 1, TOPIC, 1);
	start_reader(&reader, &mock, 1, 0);
	CHECK(!rsk_consumer_assign(reader.consumer, &wrong[0], 1, error, sizeof error));
	CHECK_STR(error, "partition 0 cannot start at offset -1");
	CHECK(!rsk_consumer_assign(reader.consumer, &wrong[1], 1, error, sizeof error));
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

UNIT_MAIN(reads_all, bounds_bytes, wakes_for_the_rest, keys_tombstones_headers, assigns_again,
		  assigns_at_once, refuses_positions)
