/*
 * test_lookup.c
 *		Questions that block, asked without blocking.  Offsets for a time are for
 *		the real broker's tests: the mock does not know them.
 */
#include "reader.h"

static RskLookupAnswer answer;

/* Wait for the answer by the descriptor alone; the seconds it took, -1 = none came. */
static double
wait_answer(RskConsumer *consumer, double seconds)
{
	double begin = mock_seconds();
	RskEvent events[MAX_EVENTS];

	for (;;)
	{
		int left = (int) ((begin + seconds - mock_seconds()) * 1000);
		struct pollfd fd = {.fd = rsk_consumer_fd(consumer), .events = POLLIN};
		int n_events = MAX_EVENTS;

		if (rsk_consumer_answer(consumer, &answer))
			return mock_seconds() - begin;
		if (left <= 0 || poll(&fd, 1, left) == 0)
			return -1;
		rsk_messages_free(messages, rsk_consumer_poll(consumer, messages, MAX_MESSAGES, 1000000,
													  events, &n_events));
	}
}

TEST(tells_partitions)
{
	Mock mock;
	RskConsumer *consumer;
	double t;

	mock_start(&mock, 3, TOPIC, 5);
	mock_count(&mock, TOPIC, 0, 0, 100);
	mock_count(&mock, TOPIC, 4, 0, 7);
	consumer = open_with(&mock, NULL, 0);
	CHECK(!rsk_consumer_answer(consumer, &answer));
	for (int i = 0; i < 3; i++)
	{
		double begin = mock_seconds();

		CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
		CHECK(!rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0)); /* one at a time */
		CHECK(mock_seconds() - begin < 0.1);
		t = wait_answer(consumer, 5);
		CHECK(t >= 0 && t < 3);
		CHECK(answer.kind == RSK_LOOKUP_TOPIC);
		CHECK(answer.ok);
		CHECK(!answer.no_topic);
		CHECK_STR(answer.error, "");
		CHECK(answer.cluster_id[0] != '\0');
		CHECK(answer.n_partitions == 5);
		for (int p = 0; p < 5; p++)
		{
			CHECK(answer.partitions[p].partition == p);
			CHECK(answer.partitions[p].low == 0);
			CHECK(answer.partitions[p].high == (p == 0 ? 100 : p == 4 ? 7 : 0));
		}
		CHECK(!rsk_consumer_answer(consumer, &answer)); /* once */
	}
	rsk_consumer_close(consumer);
	mock_stop(&mock);
}

/* Beside a consumer that waits for messages, whose requests the broker answers in turn. */
TEST(beside_fetches)
{
	Mock mock;
	Reader reader;
	double worst = 0;

	mock_start(&mock, 1, TOPIC, 8);
	start_reader(&reader, &mock, 8, 0);
	read_ends(&reader, 8, 0, 5);
	for (int i = 0; i < 10; i++)
	{
		double t;

		CHECK(rsk_consumer_ask(reader.consumer, RSK_LOOKUP_TOPIC, 0));
		t = wait_answer(reader.consumer, 5);
		CHECK(answer.ok);
		worst = t > worst || t < 0 ? t : worst;
	}
	printf("slowest of 10 answers beside fetches came after %.0f ms\n", worst * 1000);
	CHECK(worst >= 0 && worst < 1.0);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

TEST(tells_what_is_lost)
{
	Mock mock;
	RskConsumer *consumer;
	char payload[1000] = "";

	mock_start(&mock, 1, TOPIC, 1);
	for (int i = 0; i < 20000; i++)
		mock_send(&mock, TOPIC, 0, NULL, 0, payload, sizeof payload);
	mock_flush(&mock);
	consumer = open_with(&mock, NULL, 0);
	CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
	CHECK(wait_answer(consumer, 5) >= 0);
	CHECK(answer.ok && answer.partitions[0].high == 20000);
	CHECK(answer.partitions[0].low > 10000 && answer.partitions[0].low < 20000);
	rsk_consumer_close(consumer);
	mock_stop(&mock);
}

TEST(tells_there_is_none)
{
	Mock mock;
	RskConsumer *consumer;

	mock_start(&mock, 1, TOPIC, 1);
	rd_kafka_mock_topic_set_error(mock.cluster, TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	consumer = open_with(&mock, NULL, 0);
	CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
	CHECK(wait_answer(consumer, 5) >= 0);
	CHECK(!answer.ok);
	CHECK(answer.no_topic);
	CHECK_STR(answer.error, "topic \"events\" does not exist");

	rd_kafka_mock_topic_set_error(mock.cluster, TOPIC,
								  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
	CHECK(wait_answer(consumer, 5) >= 0);
	CHECK(!answer.ok);
	CHECK(!answer.no_topic);
	CHECK(strstr(answer.error, "Topic authorization failed") != NULL);

	/* and when it is there at last */
	rd_kafka_mock_topic_set_error(mock.cluster, TOPIC, RD_KAFKA_RESP_ERR_NO_ERROR);
	CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
	CHECK(wait_answer(consumer, 5) >= 0);
	CHECK(answer.ok);
	rsk_consumer_close(consumer);
	mock_stop(&mock);
}

/* A partition without a leader is told, with its watermarks unknown. */
TEST(leaderless_partition)
{
	Mock mock;
	RskConsumer *consumer;

	mock_start(&mock, 2, TOPIC, 2);
	mock_count(&mock, TOPIC, 0, 0, 10);
	rd_kafka_mock_partition_set_leader(mock.cluster, TOPIC, 1, -1);
	consumer = open_with(&mock, NULL, 0);
	CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
	CHECK(wait_answer(consumer, 6) >= 0);
	CHECK(answer.ok);
	CHECK(answer.n_partitions == 2);
	CHECK(answer.partitions[0].high == 10);
	CHECK(answer.partitions[1].low == -1);
	CHECK(answer.partitions[1].high == -1);
	CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TIME, 0));
	CHECK(wait_answer(consumer, 6) >= 0);
	CHECK(!answer.ok);
	CHECK(strstr(answer.error, "partition 1 of topic \"events\": it has no leader") != NULL);
	rsk_consumer_close(consumer);
	mock_stop(&mock);
}

TEST(broker_down)
{
	Mock mock;
	RskConsumer *consumer;
	double t;

	mock_start(&mock, 1, TOPIC, 3);
	for (int round = 0; round < 2; round++) /* known before, and never seen */
	{
		consumer = open_with(&mock, NULL, 0);
		if (round == 0)
		{
			CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
			CHECK(wait_answer(consumer, 5) >= 0);
			CHECK(answer.ok);
		}
		rd_kafka_mock_broker_set_down(mock.cluster, 1);
		mock_sleep(100);
		CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
		t = wait_answer(consumer, 10);
		CHECK(t >= 0 && t < 4);
		CHECK(!answer.ok);
		CHECK(!answer.no_topic);
		CHECK(answer.error[0] != '\0');
		/* in the words of the broker's connection too */
		for (int i = 0; i < 5 && strstr(answer.error, " 127.0.0.1:") == NULL; i++)
		{
			CHECK(rsk_consumer_ask(consumer, RSK_LOOKUP_TOPIC, 0));
			wait_answer(consumer, 10);
		}
		CHECK(strstr(answer.error, " 127.0.0.1:") != NULL);
		for (int ms = 0; ms < 900; ms += 300) /* close while it waits */
		{
			RskConsumer *another = open_with(&mock, NULL, 0);

			CHECK(rsk_consumer_ask(another, RSK_LOOKUP_TOPIC, 0));
			mock_sleep(ms);
			rsk_consumer_close(another);
		}
		rd_kafka_mock_broker_set_up(mock.cluster, 1);
		rsk_consumer_close(consumer);
	}
	mock_stop(&mock);
}

UNIT_MAIN(tells_partitions, beside_fetches, tells_what_is_lost, tells_there_is_none,
		  leaderless_partition, broker_down)
