/*
 * consumer.c
 *		Open, assign, poll and close a consumer.
 *
 * What librdkafka 2.0 asks of us, and what it is not asked:
 * - Its log lines and errors are called back from its own threads unless they go
 *   through the queue that we poll (log.queue); the callbacks only take notes.
 * - Its batch call is not safe beside pause, seek and rebalance (fixed in 2.1.0):
 *   one thread calls it, and partitions move by assign alone.
 * - Its batch call waits until the batch is full, so it is given no time; the
 *   queue writes to a pipe when it stops being empty.
 * - Its fetcher sleeps a second once a partition's queue has reached
 *   queued.min.messages, so that is set high and queued.max.messages.kbytes is
 *   the bound of memory.
 */
#include "kafka/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kafka/configure.h"
#include "kafka/lookup.h"

void
rsk_consumer_wake(RskConsumer *consumer)
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
	if (consumer->event_count == RSK_MAX_EVENTS)
	{
		consumer->events_dropped++;
		return;
	}
	consumer->events[(consumer->event_begin + consumer->event_count) % RSK_MAX_EVENTS] = *event;
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

/* --- close --- */

/* What may take long: it runs on a thread that can be left behind. */
static void *
close_kafka(void *arg)
{
	RskConsumer *consumer = arg;

	rsk_lookup_stop(consumer->lookup);
	change_assignment(consumer, NULL);
	rsk_api.queue_io_event_enable(consumer->queue, -1, NULL, 0);
	rsk_api.queue_destroy(consumer->queue);
	/* No leaving of a group, which would wait for a broker */
	rsk_api.destroy_flags(consumer->kafka, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	return NULL;
}

bool
rsk_consumer_close(RskConsumer *consumer)
{
	pthread_t thread;
	sigset_t all;
	sigset_t old;
	struct timespec deadline;
	int made;

	if (consumer == NULL)
		return true;
	drop_stash(consumer);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	made = pthread_create(&thread, NULL, close_kafka, consumer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (made != 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += RSK_CLOSE_MS / 1000;
	deadline.tv_nsec += RSK_CLOSE_MS % 1000 * 1000000L;
	if (deadline.tv_nsec >= 1000000000)
	{
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	if (pthread_timedjoin_np(thread, NULL, &deadline) != 0)
	{
		pthread_detach(thread); /* consumer is its, for ever */
		return false;
	}
	free_consumer(consumer);
	return true;
}
