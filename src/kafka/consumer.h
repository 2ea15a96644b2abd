/*
 * consumer.h
 *		A Kafka consumer of one topic with partitions assigned by hand.
 *
 * It keeps no offsets: the caller says where each partition starts, and nothing
 * is ever committed to the broker.  All calls come from one thread, none blocks,
 * none longjmps; librdkafka's own threads stay behind this file.
 *
 * librdkafka is loaded by rsk_consumer_open(), so only a process that calls it
 * has it.  A consumer does not survive fork().
 */
#ifndef RSK_CONSUMER_H
#define RSK_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kafka/lookup.h"
#include "kafka/message.h"
#include "kafka/settings.h"

typedef struct RskConsumer RskConsumer;

/* Where a partition is read from. */
typedef struct RskPosition
{
	int32_t partition;
	int64_t next; /* offset of the next message wanted */
} RskPosition;

typedef enum RskEventKind
{
	RSK_EVENT_EOF,         /* partition, offset: the end was reached, next offset */
	RSK_EVENT_OFFSET_LOST, /* partition, offset: the broker has no message there; the
							* partition rests until it is assigned again */
	RSK_EVENT_ERROR,       /* code, text; the consumer goes on by itself unless fatal */
	RSK_EVENT_LOG          /* level as in syslog(3), text */
} RskEventKind;

typedef struct RskEvent
{
	RskEventKind kind;
	int32_t partition; /* -1 = none */
	int64_t offset;
	bool fatal;
	int level;
	char code[64]; /* librdkafka's name of the error, e.g. _ALL_BROKERS_DOWN */
	char text[512];
} RskEvent;

/*
 * Open a consumer of topic.  settings are applied over our own (which win for
 * what exactly-once needs); each must be one that rsk_setting_check() lets a
 * stream or a secret give.  NULL with a message in error on failure: the library
 * is missing, a setting is refused.  It names settings, never their values.  A
 * broker that does not answer is no failure; that comes as an event.
 */
extern RskConsumer *rsk_consumer_open(const char *brokers, const char *topic,
									  const RskSetting *settings, int n_settings, char *error,
									  size_t error_size);

/* Read these partitions from now on, no others; n = 0 reads nothing.  What was
 * fetched for earlier positions is dropped. */
extern bool rsk_consumer_assign(RskConsumer *consumer, const RskPosition *positions, int n,
								char *error, size_t error_size);

/* Readable when rsk_consumer_poll or rsk_consumer_answer may have something. */
extern int rsk_consumer_fd(const RskConsumer *consumer);

/*
 * What has come: up to max_messages messages of about max_bytes together (at
 * least one), in order within a partition, none below the position assigned;
 * and up to *n_events events (in: room, out: number).  Returns the number of
 * messages.
 *
 * Handle the messages first, then the events: an EOF or OFFSET_LOST is never
 * given out before the messages of its partition that precede it, and an EOF is
 * left out when messages of the same call are past it.  Offsets have holes: next
 * is the offset after the last message, or an EOF's.
 *
 * There must be room for an event at least.
 */
extern int rsk_consumer_poll(RskConsumer *consumer, RskMessage *messages, int max_messages,
							 size_t max_bytes, RskEvent *events, int *n_events);

/* Low and high watermark as last told by the broker; false when not known yet. */
extern bool rsk_consumer_watermarks(RskConsumer *consumer, int32_t partition, int64_t *low,
									int64_t *high);

/* Ask about the topic; false while an earlier question is open. */
extern bool rsk_consumer_ask(RskConsumer *consumer, RskLookupKind kind, int64_t time_ms);

/* The answer, once; false while there is none. */
extern bool rsk_consumer_answer(RskConsumer *consumer, RskLookupAnswer *answer);

/*
 * Free messages first.  It waits until librdkafka's threads have ended, which may
 * take seconds; a process that ends need not wait, but then it should end by
 * _exit(), past the destructors of libraries.  NULL is allowed.
 */
extern void rsk_consumer_close(RskConsumer *consumer);

#endif
