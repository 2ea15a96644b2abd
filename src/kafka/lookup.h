/*
 * lookup.h
 *		Questions to the broker that block, asked from a thread of their own.
 *
 * librdkafka answers these only in calls that wait.  One thread, with all
 * signals blocked, waits instead of the caller; the answer makes
 * rsk_consumer_fd() readable.  One question at a time.
 */
#ifndef RSK_LOOKUP_H
#define RSK_LOOKUP_H

#include "kafka/consumer.h"

#define RSK_MAX_PARTITIONS 1024

typedef enum RskLookupKind
{
	RSK_LOOKUP_TOPIC, /* partitions there are, with both watermarks, and the cluster's id */
	RSK_LOOKUP_TIME   /* first offset of each partition at or after time_ms */
} RskLookupKind;

typedef struct RskPartitionInfo
{
	int32_t partition;
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

/* Ask; false while an earlier question is open. */
extern bool rsk_lookup_ask(RskConsumer *consumer, RskLookupKind kind, int64_t time_ms);

/* The answer, once; false while there is none. */
extern bool rsk_lookup_answer(RskConsumer *consumer, RskLookupAnswer *answer);

#endif
