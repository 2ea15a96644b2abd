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
	bool hunted; /* the error tells of no message's fault, but others were written */
} RspgReject;

/*
 * A batch that failed again and again by an error that is no message's fault by
 * what it says: a time-out, say.  It is bisected all the same.  Messages that fail
 * alone are suspects, until another one is written: then it was their fault.  When
 * none is, it is everybody's, and the error is raised.
 */
typedef struct RspgHunt
{
	void (*attempting)(void); /* called before each attempt */
	int n_suspects;           /* since one was written */
	ErrorData *error;         /* of the first of them */
} RspgHunt;

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

	RspgHunt *hunt; /* or NULL */
} RspgBatch;

/* In CurrentMemoryContext */
extern void rspg_batch_reject(RspgBatch *batch, int message, int sqlstate, const char *format, ...)
	pg_attribute_printf(4, 5);
extern void rspg_batch_reject_error(RspgBatch *batch, int message, const ErrorData *error,
									const char *column);

/* Of a hunt: the message failed alone, and error, which is kept, is no fault by what
 * it says; raised when there are too many.  Messages are not bad after all. */
extern void rspg_batch_suspect(RspgBatch *batch, int message, ErrorData *error, const char *column);
extern void rspg_batch_success(RspgBatch *batch);

/* Messages rejected in a row up to the last one */
extern int rspg_batch_rejected_at_end(const RspgBatch *batch);

/* Of the last message that was rejected, NULL if none was */
extern const RspgReject *rspg_batch_last_reject(const RspgBatch *batch);

#endif
