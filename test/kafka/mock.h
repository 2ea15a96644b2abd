/*
 * mock.h
 *		A mock cluster of librdkafka and a producer for it, in the test's process.
 *
 * The mock keeps at most 5 MiB or 100,000 messages of a partition and drops the
 * oldest; it knows no look-up by time, no transactions that abort, no SASL, no
 * TLS, and no removal of topics.
 */
#ifndef MOCK_H
#define MOCK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define MOCK_UNUSED __attribute__((unused))

typedef struct Mock
{
	rd_kafka_t *producer; /* the cluster lives on its threads */
	rd_kafka_mock_cluster_t *cluster;
	const char *brokers;
} Mock;

static MOCK_UNUSED void
mock_fail(const char *what, const char *text)
{
	fprintf(stderr, "mock: %s: %s\n", what, text);
	exit(1);
}

static MOCK_UNUSED double
mock_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static MOCK_UNUSED void
mock_sleep(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

static MOCK_UNUSED void
mock_on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	(void) kafka;
	(void) opaque;
	if (message->err)
		mock_fail("delivery", rd_kafka_err2str(message->err));
}

static MOCK_UNUSED void
mock_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[512];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK)
		mock_fail("setting", error);
}

/* How our producers send: in order, and each message once. */
static MOCK_UNUSED rd_kafka_conf_t *
mock_conf(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	mock_set(conf, "linger.ms", "5");
	mock_set(conf, "log_level", "2");
	mock_set(conf, "message.max.bytes", "100000000");
	mock_set(conf, "queue.buffering.max.messages", "1000000");
	mock_set(conf, "enable.idempotence", "true");
	mock_set(conf, "reconnect.backoff.max.ms", "1000");
	return conf;
}

/* Takes conf. */
static MOCK_UNUSED rd_kafka_t *
mock_producer_of(rd_kafka_conf_t *conf)
{
	rd_kafka_t *kafka;
	char error[512];

	rd_kafka_conf_set_dr_msg_cb(conf, mock_on_delivery);
	kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
	if (kafka == NULL)
		mock_fail("producer", error);
	return kafka;
}

/* A producer; brokers NULL: one that only hosts a cluster. */
static MOCK_UNUSED rd_kafka_t *
mock_producer(const char *brokers)
{
	rd_kafka_conf_t *conf = mock_conf();

	if (brokers != NULL)
		mock_set(conf, "bootstrap.servers", brokers);
	return mock_producer_of(conf);
}

static MOCK_UNUSED void
mock_start(Mock *mock, int n_brokers, const char *topic, int n_partitions)
{
	rd_kafka_t *host = mock_producer(NULL);

	mock->cluster = rd_kafka_mock_cluster_new(host, n_brokers);
	mock->brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster);
	if (rd_kafka_mock_topic_create(mock->cluster, topic, n_partitions, n_brokers))
		mock_fail("topic", topic);
	mock->producer = mock_producer(mock->brokers);
}

static MOCK_UNUSED void
mock_stop(Mock *mock)
{
	rd_kafka_t *host = rd_kafka_mock_cluster_handle(mock->cluster);

	rd_kafka_destroy(mock->producer);
	rd_kafka_mock_cluster_destroy(mock->cluster);
	rd_kafka_destroy(host);
}

/* One message; NULL payload or key for none.  Waits for room in the queue. */
static MOCK_UNUSED void
mock_send(Mock *mock, const char *topic, int partition, const void *key, size_t key_length,
		  const void *payload, size_t length)
{
	for (;;)
	{
		rd_kafka_resp_err_t error = rd_kafka_producev(
			mock->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
			RD_KAFKA_V_KEY(key, key_length), RD_KAFKA_V_VALUE((void *) payload, length),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);

		if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			mock_fail("produce", rd_kafka_err2str(error));
		rd_kafka_poll(mock->producer, 10);
	}
}

static MOCK_UNUSED void
mock_flush_producer(rd_kafka_t *producer)
{
	if (rd_kafka_flush(producer, 120000))
		mock_fail("flush", "timed out");
}

static MOCK_UNUSED void
mock_flush(Mock *mock)
{
	mock_flush_producer(mock->producer);
}

/* n messages "first" … "first + n - 1" into a partition, all delivered. */
static MOCK_UNUSED void
mock_count(Mock *mock, const char *topic, int partition, long first, long n)
{
	for (long i = first; i < first + n; i++)
	{
		char text[32];
		int length = snprintf(text, sizeof text, "%ld", i);

		mock_send(mock, topic, partition, NULL, 0, text, length);
	}
	mock_flush(mock);
}

#endif
