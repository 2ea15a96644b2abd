/*
 * batch.h
 *		A batch of messages on its way into the target.
 */
#ifndef RSPG_BATCH_H
#define RSPG_BATCH_H

#include "pg/stream/definition/stream.h"

#include "kafka/message.h"

typedef enum RspgMessageState
{
	RSPG_MESSAGE_PENDING, /* converted, to be written */
	RSPG_MESSAGE_SKIPPED,
	RSPG_MESSAGE_REJECTED
} RspgMessageState;

/* Why a message is not written */
typedef struct RspgReject
{
	int message; /* its number in the batch */
	int sqlstate;
	char *error;
} RspgReject;

typedef struct RspgBatch
{
	const RspgStream *stream;
	const RskMessage *messages;
	int n;
	char *states;  /* RspgMessageState of each */
	List *rejects; /* RspgReject *, as they were found */

	/* the rows that messages were converted to: n_columns per message */
	int n_columns;
	Datum *values;
	char *cells; /* RspgCell */

	int64 rows; /* written to the target */
} RspgBatch;

/* In CurrentMemoryContext */
extern void rspg_batch_reject(RspgBatch *batch, int message, int sqlstate, const char *format, ...)
	pg_attribute_printf(4, 5);
extern void rspg_batch_reject_error(RspgBatch *batch, int message, const ErrorData *error,
									const char *column);

/* Messages rejected in a row up to the last one */
extern int rspg_batch_rejected_at_end(const RspgBatch *batch);

/* Of the last message that was rejected, NULL if none was */
extern const RspgReject *rspg_batch_last_reject(const RspgBatch *batch);

#endif
