/*
 * lookup.c
 *		The thread that waits for the broker instead of the caller.
 *
 * The caller and the thread pass one question and one answer to and fro under a
 * lock; the calls of librdkafka are made without it.  Each waits CALL_MS at
 * most, and a stop is looked for between them, so a close waits for one call.
 */
#include "kafka/lookup.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kafka/api.h"

#define CALL_MS 1000
#define STACK_BYTES ((size_t) 1024 * 1024)

typedef enum LookupState
{
	LOOKUP_IDLE,
	LOOKUP_ASKED,
	LOOKUP_ANSWERED
} LookupState;

struct RskLookup
{
	rd_kafka_t *kafka;
	const char *topic;
	int wake;
	pthread_t thread;
	rd_kafka_topic_t *handle; /* of the topic; the thread's own */

	pthread_mutex_t lock;
	pthread_cond_t change;
	LookupState state; /* this and stop: under lock */
	bool stop;

	RskLookupKind kind; /* the caller's until asked, the thread's until answered */
	int64_t time_ms;
	RskLookupAnswer answer;
};

static bool
is_stopped(RskLookup *lookup)
{
	bool stop;

	pthread_mutex_lock(&lookup->lock);
	stop = lookup->stop;
	pthread_mutex_unlock(&lookup->lock);
	return stop;
}

/* Enter the partitions, none of them known yet; returns their number. */
static int
note_partitions(RskLookup *lookup, const struct rd_kafka_metadata_topic *topic)
{
	RskLookupAnswer *answer = &lookup->answer;
	int n = topic->partition_cnt;

	if (n > RSK_MAX_PARTITIONS)
		return n;
	answer->n_partitions = n;
	for (int i = 0; i < n; i++)
	{
		answer->partitions[i] = (RskPartitionInfo){i, false, -1, -1, -1};
	}
	for (int i = 0; i < n; i++)
		if (topic->partitions[i].id >= 0 && topic->partitions[i].id < n)
			answer->partitions[topic->partitions[i].id].led = topic->partitions[i].leader >= 0;
	return n;
}

/* Read the topic's partitions into the answer. */
static bool
ask_partitions(RskLookup *lookup, RskLookupAnswer *answer)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
	int n = 0;

	if (lookup->handle == NULL)
		lookup->handle = rsk_api.topic_new(lookup->kafka, lookup->topic, NULL);
	if (lookup->handle != NULL)
		error = rsk_api.metadata(lookup->kafka, 0, lookup->handle, &metadata, CALL_MS);
	if (error == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		error = metadata->topic_cnt == 1 ? metadata->topics[0].err
										 : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
		if (metadata->topic_cnt == 1)
			n = note_partitions(lookup, &metadata->topics[0]);
		rsk_api.metadata_destroy(metadata);
		/* A partition without a leader is one all the same */
		if (error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE && n > 0)
			error = RD_KAFKA_RESP_ERR_NO_ERROR;
	}
	if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
		error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
	{
		answer->no_topic = true;
		snprintf(answer->error, sizeof answer->error, "topic \"%s\" does not exist", lookup->topic);
	}
	else if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
		snprintf(answer->error, sizeof answer->error, "could not look up topic \"%s\": %s",
				 lookup->topic, rsk_api.err2str(error));
	else if (n > RSK_MAX_PARTITIONS)
		snprintf(answer->error, sizeof answer->error,
				 "topic \"%s\" has %d partitions, more than %d", lookup->topic, n,
				 RSK_MAX_PARTITIONS);
	else
	{
		return true;
	}
	return false;
}

static void
ask_cluster(RskLookup *lookup, RskLookupAnswer *answer)
{
	char *id = rsk_api.clusterid(lookup->kafka, CALL_MS);

	if (id == NULL)
		return;
	snprintf(answer->cluster_id, sizeof answer->cluster_id, "%s", id);
	rsk_api.mem_free(lookup->kafka, id);
}

/*
 * Ask each partition's leader for the first offset at a time; the protocol takes
 * RD_KAFKA_OFFSET_BEGINNING and _END for a time too, which saves a call for each
 * partition.  Writes the int64_t at byte field of each RskPartitionInfo: the
 * offset, RD_KAFKA_OFFSET_END when there is none, or NOT_ANSWERED.  A partition
 * without a leader is not asked: the call would wait for it and answer nothing.
 */
#define NOT_ANSWERED (-1000)

static rd_kafka_resp_err_t
ask_offsets(RskLookup *lookup, RskLookupAnswer *answer, int64_t time, size_t field)
{
	rd_kafka_topic_partition_list_t *list = rsk_api.topic_partition_list_new(answer->n_partitions);
	rd_kafka_resp_err_t error;

	for (int i = 0; i < answer->n_partitions; i++)
	{
		*(int64_t *) ((char *) &answer->partitions[i] + field) = NOT_ANSWERED;
		if (answer->partitions[i].led)
			rsk_api.topic_partition_list_add(list, lookup->topic, i)->offset = time;
	}
	error = rsk_api.offsets_for_times(lookup->kafka, list, CALL_MS);
	for (int i = 0; i < list->cnt; i++)
	{
		const rd_kafka_topic_partition_t *from = &list->elems[i];
		RskPartitionInfo *to = &answer->partitions[from->partition];

		if (error == RD_KAFKA_RESP_ERR_NO_ERROR && from->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			*(int64_t *) ((char *) to + field) = from->offset;
	}
	rsk_api.topic_partition_list_destroy(list);
	return error;
}

/* Watermarks; those not answered stay unknown. */
static void
ask_watermarks(RskLookup *lookup, RskLookupAnswer *answer)
{
	ask_offsets(lookup, answer, RD_KAFKA_OFFSET_BEGINNING, offsetof(RskPartitionInfo, low));
	if (!is_stopped(lookup))
		ask_offsets(lookup, answer, RD_KAFKA_OFFSET_END, offsetof(RskPartitionInfo, high));
	for (int i = 0; i < answer->n_partitions; i++)
	{
		RskPartitionInfo *info = &answer->partitions[i];

		if (info->low < 0)
			info->low = -1;
		if (info->high < 0)
			info->high = -1;
	}
}

/*
 * Offsets for a time.  The ends are asked first: a message that comes between
 * the two questions is behind the end we know, so none is skipped where no
 * message is late enough.
 */
static bool
ask_time(RskLookup *lookup, RskLookupAnswer *answer)
{
	rd_kafka_resp_err_t error =
		ask_offsets(lookup, answer, lookup->time_ms, offsetof(RskPartitionInfo, offset));

	for (int i = 0; i < answer->n_partitions; i++)
	{
		RskPartitionInfo *info = &answer->partitions[i];

		if (info->offset == RD_KAFKA_OFFSET_END)
			info->offset = info->high;
		if (info->offset >= 0)
			continue;
		info->offset = -1;
		if (answer->error[0] == '\0')
			snprintf(answer->error, sizeof answer->error,
					 "could not look up the offset of partition %d of topic \"%s\": %s", i,
					 lookup->topic,
					 !info->led                            ? "it has no leader"
					 : error != RD_KAFKA_RESP_ERR_NO_ERROR ? rsk_api.err2str(error)
														   : "its leader did not answer");
	}
	return answer->error[0] == '\0';
}

static void
find_answer(RskLookup *lookup)
{
	RskLookupAnswer *answer = &lookup->answer;

	memset(answer, 0, sizeof *answer);
	answer->kind = lookup->kind;
	answer->ok = ask_partitions(lookup, answer);
	if (answer->ok && !is_stopped(lookup))
		ask_cluster(lookup, answer);
	if (answer->ok && !is_stopped(lookup))
		ask_watermarks(lookup, answer);
	if (answer->ok && answer->kind == RSK_LOOKUP_TIME && !is_stopped(lookup))
		answer->ok = ask_time(lookup, answer);
}

static void *
lookup_main(void *arg)
{
	RskLookup *lookup = arg;
	ssize_t written;

	pthread_mutex_lock(&lookup->lock);
	while (!lookup->stop)
	{
		if (lookup->state != LOOKUP_ASKED)
		{
			pthread_cond_wait(&lookup->change, &lookup->lock);
			continue;
		}
		pthread_mutex_unlock(&lookup->lock);
		find_answer(lookup);
		pthread_mutex_lock(&lookup->lock);
		lookup->state = LOOKUP_ANSWERED;
		written = write(lookup->wake, "l", 1); /* a full pipe is readable already */
		(void) written;
	}
	pthread_mutex_unlock(&lookup->lock);
	if (lookup->handle != NULL)
		rsk_api.topic_destroy(lookup->handle);
	return NULL;
}

static bool
start_thread(RskLookup *lookup)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	bool made;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	made = pthread_create(&lookup->thread, &attr, lookup_main, lookup) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return made;
}

RskLookup *
rsk_lookup_start(rd_kafka_t *kafka, const char *topic, int wake)
{
	RskLookup *lookup = calloc(1, sizeof *lookup);

	if (lookup == NULL)
		return NULL;
	lookup->kafka = kafka;
	lookup->topic = topic;
	lookup->wake = wake;
	pthread_mutex_init(&lookup->lock, NULL);
	pthread_cond_init(&lookup->change, NULL);
	if (start_thread(lookup))
		return lookup;
	pthread_cond_destroy(&lookup->change);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
	return NULL;
}

void
rsk_lookup_stop(RskLookup *lookup)
{
	if (lookup == NULL)
		return;
	pthread_mutex_lock(&lookup->lock);
	lookup->stop = true;
	pthread_cond_signal(&lookup->change);
	pthread_mutex_unlock(&lookup->lock);
	pthread_join(lookup->thread, NULL);
	pthread_cond_destroy(&lookup->change);
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}

bool
rsk_lookup_ask(RskLookup *lookup, RskLookupKind kind, int64_t time_ms)
{
	bool idle;

	pthread_mutex_lock(&lookup->lock);
	idle = lookup->state == LOOKUP_IDLE;
	if (idle)
	{
		lookup->kind = kind;
		lookup->time_ms = time_ms;
		lookup->state = LOOKUP_ASKED;
		pthread_cond_signal(&lookup->change);
	}
	pthread_mutex_unlock(&lookup->lock);
	return idle;
}

bool
rsk_lookup_answer(RskLookup *lookup, RskLookupAnswer *answer)
{
	bool answered;

	pthread_mutex_lock(&lookup->lock);
	answered = lookup->state == LOOKUP_ANSWERED;
	if (answered)
	{
		*answer = lookup->answer;
		lookup->state = LOOKUP_IDLE;
	}
	pthread_mutex_unlock(&lookup->lock);
	return answered;
}
