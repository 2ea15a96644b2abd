/*
 * handle.h
 *		What consumer.c and lookup.c share.  For files of src/kafka only.
 */
#ifndef RSK_HANDLE_H
#define RSK_HANDLE_H

#include "kafka/api.h"
#include "kafka/consumer.h"

#define RSK_STASH 512      /* messages taken from librdkafka at a time */
#define RSK_MAX_EVENTS 256 /* kept until they are polled; more are counted and dropped */

typedef struct RskLookup RskLookup;

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
	rd_kafka_message_t *stash[RSK_STASH];
	int stash_begin;
	int stash_end;

	/* A ring of what the callbacks noted */
	RskEvent events[RSK_MAX_EVENTS];
	int event_begin;
	int event_count;
	long events_dropped;
	char reason[384]; /* of the last error of a broker; says why all of them are down */

	RskLookup *lookup; /* NULL until the first question */
};

/* Make rsk_consumer_fd() readable; for any thread. */
extern void rsk_consumer_wake(RskConsumer *consumer);

/* Stop and join the lookup's thread, free it; NULL is allowed. */
extern void rsk_lookup_stop(RskLookup *lookup);

#endif
