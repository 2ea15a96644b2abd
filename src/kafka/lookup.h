/*
 * lookup.h
 *		Questions to the broker that block, asked from a thread of their own.
 *
 * librdkafka answers these only in calls that wait.  One thread, with all
 * signals blocked, waits instead of the caller.  One question at a time.
 * Callers outside of src/kafka ask by rsk_consumer_ask().
 */
#ifndef RSK_LOOKUP_H
#define RSK_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#define RSK_MAX_PARTITIONS 1024

typedef enum RskLookupKind
{
	RSK_LOOKUP_TOPIC, /* partitions there are, with both watermarks, and the cluster's id */
	RSK_LOOKUP_TIME   /* first offset of each partition at or after time_ms */
} RskLookupKind;

typedef struct RskPartitionInfo
{
	int32_t partition;
	bool led;       /* it has a leader, whom the offsets were asked of */
	int64_t low;    /* -1 = not known */
	int64_t high;   /* next offset to be written; -1 = not known */
	int64_t offset; /* RSK_LOOKUP_TIME: the answer; high where no message is that new */
} RskPartitionInfo;

typedef struct RskLookupAnswer
{
	RskLookupKind kind;
	bool ok;
	bool no_topic; /* the broker answered that there is no such topic */
	char error[512];
	char cluster_id[64]; /* empty = not told */
	int n_partitions;
	RskPartitionInfo partitions[RSK_MAX_PARTITIONS];
} RskLookupAnswer;

typedef struct RskLookup RskLookup;
struct rd_kafka_s; /* librdkafka's handle */

/* Start the thread; topic and handle must stay.  A byte is written to the pipe
 * wake when an answer is there.  NULL when there is no thread to be had. */
extern RskLookup *rsk_lookup_start(struct rd_kafka_s *kafka, const char *topic, int wake);

/* Ask; false while an earlier question is open. */
extern bool rsk_lookup_ask(RskLookup *lookup, RskLookupKind kind, int64_t time_ms);

/* The answer, once; false while there is none. */
extern bool rsk_lookup_answer(RskLookup *lookup, RskLookupAnswer *answer);

/* Stop and join the thread, free it; NULL is allowed. */
extern void rsk_lookup_stop(RskLookup *lookup);

#endif
