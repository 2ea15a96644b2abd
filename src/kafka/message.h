/*
 * message.h
 *		A message as it came, or as a table kept it.
 */
#ifndef RSK_MESSAGE_H
#define RSK_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RskHeader
{
	const char *name;
	const void *value; /* NULL = null */
	size_t length;
} RskHeader;

/* A view of a message; its memory stays until rsk_messages_free(). */
typedef struct RskMessage
{
	int32_t partition;
	int64_t offset;
	int64_t timestamp_ms; /* -1 = none */
	const void *key;      /* NULL = none */
	size_t key_length;
	const void *payload; /* NULL = tombstone */
	size_t payload_length;
	bool skip;    /* to be a dead letter unread: whoever asked for it says so */
	void *handle; /* librdkafka's message; NULL for one made from a table */
	/* Of a message made from a table; of all, rsk_message_headers() gives them */
	const RskHeader *headers;
	int n_headers;
} RskMessage;

/* Headers of a message, in order; returns their number (up to max are filled). */
extern int rsk_message_headers(const RskMessage *message, RskHeader *headers, int max);

extern void rsk_messages_free(RskMessage *messages, int n);

#endif
