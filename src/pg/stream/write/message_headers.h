/*
 * message_headers.h
 *		Headers of messages, and their form in SQL: [["name", value], …].
 */
#ifndef RSPG_MESSAGE_HEADERS_H
#define RSPG_MESSAGE_HEADERS_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "kafka/message.h"

/* All headers of a message, in CurrentMemoryContext. */
extern RskHeader *rspg_message_headers(const RskMessage *message, int *n);

/* As JSON: text as a string, other bytes as {"base64": "…"}. */
extern char *rspg_headers_json(const RskHeader *headers, int n);

/* What rspg_headers_json() wrote, into the message. */
extern void rspg_headers_read(Jsonb *json, RskMessage *message);

#endif
