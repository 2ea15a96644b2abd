/*
 * real.c
 *		What tests do to a real broker: topics, partitions, records deleted, and
 *		messages with times, keys and transactions.
 *
 *	real BROKERS create TOPIC PARTITIONS [name=value …]
 *	real BROKERS delete TOPIC
 *	real BROKERS partitions TOPIC TOTAL
 *	real BROKERS truncate TOPIC PARTITION OFFSET	(what is below goes away)
 *	real BROKERS count TOPIC	(prints how many offsets it holds, or none)
 *	real BROKERS produce TOPIC PARTITION [keyed] [time=MS] [commit|abort]
 *
 * produce reads a message a line.  keyed: key, tab, payload; nothing after the
 * tab is a tombstone.  commit and abort make the lines one transaction.  Prints
 * the number of messages.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define TIMEOUT_MS 20000

static char error[512];

static void
fail(const char *what, const char *text)
{
	fprintf(stderr, "real: %s: %s\n", what, text);
	exit(1);
}

static void
check(const char *what, rd_kafka_error_t *e)
{
	if (e != NULL)
		fail(what, rd_kafka_error_string(e));
}

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void) rk;
	(void) opaque;
	/* What an aborted transaction purges is no failure */
	if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE)
		fail("delivery", rd_kafka_err2str(message->err));
}

static rd_kafka_t *
open_producer(const char *brokers, bool transactional)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof(error)) ||
		rd_kafka_conf_set(conf, "linger.ms", "5", error, sizeof(error)) ||
		rd_kafka_conf_set(conf, "log_level", "3", error, sizeof(error)) ||
		(transactional &&
		 rd_kafka_conf_set(conf, "transactional.id", "real", error, sizeof(error))))
		fail("setting", error);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
		fail("producer", error);
	return rk;
}

/* --- topics --- */

static void
check_topics(const char *what, const rd_kafka_topic_result_t **topics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_topic_result_error(topics[i]))
			fail(what, rd_kafka_topic_result_error_string(topics[i]));
}

static void
check_result(const char *what, rd_kafka_event_t *event)
{
	const rd_kafka_topic_result_t **topics;
	size_t n;

	if (event == NULL)
		fail(what, "no answer");
	if (rd_kafka_event_error(event))
		fail(what, rd_kafka_event_error_string(event));
	switch (rd_kafka_event_type(event))
	{
		case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
			topics =
				rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
			check_topics(what, topics, n);
			break;
		case RD_KAFKA_EVENT_DELETETOPICS_RESULT:
			topics =
				rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
			check_topics(what, topics, n);
			break;
		case RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT:
			topics = rd_kafka_CreatePartitions_result_topics(
				rd_kafka_event_CreatePartitions_result(event), &n);
			check_topics(what, topics, n);
			break;
		default: /* DeleteRecords: the partition's error is in its own list */
			break;
	}
}

static rd_kafka_NewTopic_t *
new_topic(int argc, char **argv)
{
	rd_kafka_NewTopic_t *topic =
		rd_kafka_NewTopic_new(argv[0], atoi(argv[1]), -1, error, sizeof(error));

	if (topic == NULL)
		fail("create", error);
	for (int i = 2; i < argc; i++)
	{
		char *value = strchr(argv[i], '=');

		if (value == NULL)
			fail("create: not name=value", argv[i]);
		*value++ = '\0';
		rd_kafka_NewTopic_set_config(topic, argv[i], value);
	}
	return topic;
}

static void
truncate_partition(rd_kafka_t *rk, char **argv, rd_kafka_queue_t *queue)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_DeleteRecords_t *request;

	rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))->offset = atoll(argv[2]);
	request = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
}

static void
administer(rd_kafka_t *rk, const char *what, int argc, char **argv)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_event_t *event;

	if (strcmp(what, "create") == 0 && argc >= 2)
	{
		rd_kafka_NewTopic_t *topic = new_topic(argc, argv);

		rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
		rd_kafka_NewTopic_destroy(topic);
	}
	else if (strcmp(what, "delete") == 0 && argc == 1)
	{
		rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[0]);

		rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
		rd_kafka_DeleteTopic_destroy(topic);
	}
	else if (strcmp(what, "partitions") == 0 && argc == 2)
	{
		rd_kafka_NewPartitions_t *parts =
			rd_kafka_NewPartitions_new(argv[0], atoi(argv[1]), error, sizeof(error));

		if (parts == NULL)
			fail(what, error);
		rd_kafka_CreatePartitions(rk, &parts, 1, NULL, queue);
		rd_kafka_NewPartitions_destroy(parts);
	}
	else if (strcmp(what, "truncate") == 0 && argc == 3)
		truncate_partition(rk, argv, queue);
	else
		fail(what, "no such command, or wrong arguments");
	event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	check_result(what, event);
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
}

static void
count(rd_kafka_t *rk, const char *name)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	const rd_kafka_metadata_t *metadata;
	rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, topic, &metadata, TIMEOUT_MS);
	long n = 0;

	if (err)
		fail("count", rd_kafka_err2str(err));
	if (metadata->topics[0].err)
		printf("none\n");
	else
	{
		for (int p = 0; p < metadata->topics[0].partition_cnt; p++)
		{
			int64_t low;
			int64_t high;

			err = rd_kafka_query_watermark_offsets(rk, name, p, &low, &high, TIMEOUT_MS);
			if (err)
				fail("count", rd_kafka_err2str(err));
			n += high - low;
		}
		printf("%ld\n", n);
	}
	rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(topic);
}

/* --- messages --- */

static void
produce_line(rd_kafka_t *rk, const char *topic, int partition, char *line, size_t length,
			 bool keyed, int64_t time_ms)
{
	char *payload = line;
	char *tab = keyed ? memchr(line, '\t', length) : NULL;
	size_t key_length = 0;
	rd_kafka_resp_err_t err;

	if (keyed)
	{
		if (tab == NULL)
			fail("produce: no tab", line);
		key_length = tab - line;
		payload = tab + 1;
		length -= key_length + 1;
	}
	do
	{
		err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
								RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
								RD_KAFKA_V_KEY(keyed ? line : NULL, key_length),
								RD_KAFKA_V_VALUE(keyed && length == 0 ? NULL : payload, length),
								RD_KAFKA_V_TIMESTAMP(time_ms), RD_KAFKA_V_END);
		rd_kafka_poll(rk, err == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 50 : 0);
	} while (err == RD_KAFKA_RESP_ERR__QUEUE_FULL);
	if (err)
		fail("produce", rd_kafka_err2str(err));
}

static void
produce(rd_kafka_t *rk, int argc, char **argv, const char *transaction)
{
	bool keyed = false;
	int64_t time_ms = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	long n = 0;

	for (int i = 2; i < argc; i++)
	{
		keyed |= strcmp(argv[i], "keyed") == 0;
		if (strncmp(argv[i], "time=", 5) == 0)
			time_ms = atoll(argv[i] + 5);
	}
	if (transaction)
	{
		check("transaction", rd_kafka_init_transactions(rk, TIMEOUT_MS));
		check("transaction", rd_kafka_begin_transaction(rk));
	}
	while ((length = getline(&line, &room, stdin)) > 0)
	{
		if (line[length - 1] == '\n')
			line[--length] = '\0';
		produce_line(rk, argv[0], atoi(argv[1]), line, length, keyed, time_ms);
		n++;
	}
	free(line);
	if (rd_kafka_flush(rk, TIMEOUT_MS))
		fail("produce", "messages not delivered in time");
	if (transaction && strcmp(transaction, "commit") == 0)
		check("commit", rd_kafka_commit_transaction(rk, TIMEOUT_MS));
	else if (transaction)
		check("abort", rd_kafka_abort_transaction(rk, TIMEOUT_MS));
	printf("%ld\n", n);
}

int
main(int argc, char **argv)
{
	const char *transaction = NULL;
	rd_kafka_t *rk;

	if (argc < 4)
		fail("usage", "real BROKERS create|delete|partitions|truncate|produce TOPIC …");
	for (int i = 4; i < argc; i++)
		if (strcmp(argv[i], "commit") == 0 || strcmp(argv[i], "abort") == 0)
			transaction = argv[i];
	rk = open_producer(argv[1], transaction != NULL);
	if (strcmp(argv[2], "produce") == 0 && argc >= 5)
		produce(rk, argc - 3, argv + 3, transaction);
	else if (strcmp(argv[2], "count") == 0)
		count(rk, argv[3]);
	else
		administer(rk, argv[2], argc - 3, argv + 3);
	rd_kafka_destroy(rk);
	return 0;
}
