/*
 * test_trouble.c
 *		The consumer of a mock cluster that is not well: leaders move, brokers go,
 *		messages are dropped before they were read, and it is closed meanwhile.
 */
#include "reader.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

TEST(leader_moves)
{
	Mock mock;
	Reader reader;

	mock_start(&mock, 3, TOPIC, 2);
	start_reader(&reader, &mock, 2, 0);
	for (int round = 0; round < 4; round++)
	{
		for (int p = 0; p < 2; p++)
		{
			mock_count(&mock, TOPIC, p, round * 1000, 1000);
			rd_kafka_mock_partition_set_leader(mock.cluster, TOPIC, p, 1 + (round + p) % 3);
		}
	}
	CHECK(read_messages(&reader, 8000, 30));
	CHECK(read_ends(&reader, 2, 4000, 10));
	CHECK(reader.messages == 8000);
	CHECK(!reader.wrong);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/* Errors that brokers give in passing lose nothing and repeat nothing. */
TEST(errors_pass)
{
	static const rd_kafka_resp_err_t errors[] = {
		RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		RD_KAFKA_RESP_ERR__TRANSPORT,
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
		RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
		RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
		RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
		RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
		RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
		RD_KAFKA_RESP_ERR_UNKNOWN,
	};
	Mock mock;
	Reader reader;

	mock_start(&mock, 1, TOPIC, 1);
	start_reader(&reader, &mock, 1, 0);
	for (int i = 0; i < (int) (sizeof errors / sizeof errors[0]); i++)
	{
		for (int n = 0; n < 3; n++)
			rd_kafka_mock_push_request_errors(mock.cluster, 1, 1, errors[i]);
		mock_count(&mock, TOPIC, 0, i * 100, 100);
		CHECK(read_messages(&reader, (i + 1) * 100, 20));
	}
	CHECK(read_ends(&reader, 1, reader.next[0], 10));
	CHECK(reader.messages == 900);
	CHECK(!reader.wrong);
	CHECK(reader.n_lost == 0);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

TEST(broker_goes_and_comes)
{
	Mock mock;
	Reader reader;
	double up;

	mock_start(&mock, 1, TOPIC, 1);
	mock_count(&mock, TOPIC, 0, 0, 1000);
	start_reader(&reader, &mock, 1, 0);
	CHECK(read_messages(&reader, 1000, 10));
	rd_kafka_mock_broker_set_down(mock.cluster, 1);
	for (int i = 0; i < 100 && reader.n_errors == 0; i++)
		read_once(&reader, 100);
	CHECK(reader.n_errors > 0); /* it is told, within ten seconds */
	CHECK(!reader.error.fatal);
	CHECK(strstr(reader.error.code, "ALL_BROKERS_DOWN") != NULL ||
		  strstr(reader.error.code, "TRANSPORT") != NULL);
	mock_sleep(3000);
	rd_kafka_mock_broker_set_up(mock.cluster, 1);
	up = mock_seconds();
	mock_count(&mock, TOPIC, 0, 1000, 1000);
	CHECK(read_messages(&reader, 2000, 15));
	printf("read again %.2f s after the broker was back\n", mock_seconds() - up);
	CHECK(!reader.wrong);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/* That all brokers are down is told with the reason of the last one. */
TEST(says_why_all_are_down)
{
	Mock nowhere = {.brokers = "127.0.0.1:1"};
	Reader reader;

	start_reader(&reader, &nowhere, 1, 0);
	for (int i = 0; i < 50 && strcmp(reader.error.code, "_ALL_BROKERS_DOWN") != 0; i++)
		read_once(&reader, 100);
	CHECK_STR(reader.error.code, "_ALL_BROKERS_DOWN");
	CHECK(strstr(reader.error.text, "Connection refused") != NULL);
	rsk_consumer_close(reader.consumer);
}

/* The mock keeps 5 MiB of a partition: offset 0 is gone. */
TEST(offset_lost)
{
	Mock mock;
	Reader reader;
	int64_t low;
	int64_t high;
	char payload[1000] = "";

	mock_start(&mock, 1, TOPIC, 2);
	for (int i = 0; i < 20000; i++)
		mock_send(&mock, TOPIC, 0, NULL, 0, payload, sizeof payload);
	mock_flush(&mock);
	mock_count(&mock, TOPIC, 1, 0, 100);
	start_reader(&reader, &mock, 2, 0);
	for (int i = 0; i < 100 && reader.n_lost == 0; i++)
		read_once(&reader, 100);
	CHECK(reader.n_lost == 1);
	CHECK(reader.lost.partition == 0);
	CHECK(reader.lost.offset == 0);
	CHECK(strcmp(reader.lost.code, "_AUTO_OFFSET_RESET") == 0);

	/* the other partition goes on, this one rests */
	CHECK(read_messages(&reader, 100, 5));
	for (int i = 0; i < 10; i++)
		read_once(&reader, 100);
	CHECK(reader.messages == 100);
	CHECK(reader.next[0] == 0);
	CHECK(reader.n_lost == 1);

	/* from what is there, as the policy of the caller says */
	CHECK(rsk_consumer_watermarks(reader.consumer, 1, &low, &high));
	CHECK(high == 100);
	assign_all(&reader, 1, 18000);
	CHECK(read_ends(&reader, 1, 20000, 10));
	CHECK(!reader.wrong);
	CHECK(reader.messages == 100 + 2000);

	/* behind the end: as when the topic was made anew */
	assign_all(&reader, 1, 999999);
	for (int i = 0; i < 100 && reader.n_lost == 1; i++)
		read_once(&reader, 100);
	CHECK(reader.n_lost == 2);
	CHECK(reader.lost.offset == 999999);

	/* at the end is no loss */
	assign_all(&reader, 1, 20000);
	CHECK(read_ends(&reader, 1, 20000, 5));
	CHECK(reader.n_lost == 2);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

TEST(no_such_topic)
{
	Mock mock;
	Reader reader;

	mock_start(&mock, 1, "another", 1);
	start_reader(&reader, &mock, 1, 0);
	for (int i = 0; i < 50; i++)
		read_once(&reader, 100);
	CHECK(reader.messages == 0);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/* Close in each state in which librdkafka may be busy. */
TEST(closes_when_busy)
{
	Mock mock;
	Reader reader;
	char error[512];

	mock_start(&mock, 2, TOPIC, 4);
	for (int p = 0; p < 4; p++)
		mock_count(&mock, TOPIC, p, 0, 30000);

	for (int ms = 0; ms < 500; ms += 20) /* while it connects, asks and fetches */
	{
		start_reader(&reader, &mock, 4, 0);
		mock_sleep(ms);
		if (ms % 40 == 0)
			read_once(&reader, 0);
		rsk_consumer_close(reader.consumer);
	}
	rd_kafka_mock_broker_set_rtt(mock.cluster, -1, 3000);
	start_reader(&reader, &mock, 4, 0);
	mock_sleep(500);
	rsk_consumer_close(reader.consumer);
	rd_kafka_mock_broker_set_rtt(mock.cluster, -1, 0);

	start_reader(&reader, &mock, 4, 0);
	read_messages(&reader, 1000, 5);
	rd_kafka_mock_broker_set_down(mock.cluster, -1);
	mock_sleep(300);
	rsk_consumer_close(reader.consumer);

	start_reader(&reader, &mock, 4, 0); /* all brokers down from the start */
	mock_sleep(300);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);

	/* a broker that nothing answers for, and a name that is none */
	for (int i = 0; i < 2; i++)
	{
		static const char *const brokers[] = {"192.0.2.1:9092", "no-such-host.invalid:9092"};

		reader.consumer = rsk_consumer_open(brokers[i], TOPIC, NULL, 0, error, sizeof error);
		CHECK(reader.consumer != NULL);
		mock_sleep(200);
		rsk_consumer_close(reader.consumer);
	}
}

/* Signals come to our thread, and a poll of the descriptor ends by them. */
static volatile sig_atomic_t signalled_thread;

static void
on_signal(int number)
{
	(void) number;
	signalled_thread = (sig_atomic_t) syscall(SYS_gettid);
}

TEST(signals_are_ours)
{
	Mock mock;
	Reader reader;
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction old;

	mock_start(&mock, 1, TOPIC, 1);
	start_reader(&reader, &mock, 1, 0);
	read_ends(&reader, 1, 0, 5);
	sigaction(SIGUSR1, &action, &old);
	for (int i = 0; i < 200; i++)
	{
		signalled_thread = 0;
		kill(getpid(), SIGUSR1);
		CHECK(signalled_thread == (sig_atomic_t) syscall(SYS_gettid));
	}
	sigaction(SIGUSR1, &old, NULL);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

/* From the delivery to the descriptor, while the caller sleeps. */
static void *
send_later(void *arg)
{
	static double sent;
	Mock *mock = arg;

	mock_sleep(150);
	sent = mock_seconds();
	mock_count(mock, TOPIC, 0, 0, 1);
	return &sent;
}

TEST(wakes_soon)
{
	Mock mock;
	Reader reader;
	double worst = 0;

	mock_start(&mock, 1, TOPIC, 1);
	mock_count(&mock, TOPIC, 0, 0, 1); /* the first one waits for the producer's id */
	start_reader(&reader, &mock, 1, 1);
	read_ends(&reader, 1, 1, 5);
	for (int i = 0; i < 20; i++)
	{
		pthread_t thread;
		void *sent;
		double t;

		pthread_create(&thread, NULL, send_later, &mock);
		while (reader.messages == i)
			read_once(&reader, 5000);
		t = mock_seconds();
		pthread_join(thread, &sent);
		t -= *(double *) sent;
		worst = t > worst ? t : worst;
	}
	printf("slowest of 20 messages came after %.0f ms\n", worst * 1000);
	CHECK(worst < 0.5);
	rsk_consumer_close(reader.consumer);
	mock_stop(&mock);
}

UNIT_MAIN(leader_moves, errors_pass, broker_goes_and_comes, says_why_all_are_down, offset_lost,
		  no_such_topic, closes_when_busy, signals_are_ours, wakes_soon)
