/*
 * batch.h
 *		A batch on its way through the writer.
 */
#ifndef RSPG_BATCH_H
#define RSPG_BATCH_H

#include "pg/stream/write/writer.h"

#include "pg/stream/write/insert.h"
#include "pg/stream/write/mapping.h"
#include "pg/stream/write/transform.h"

struct RspgWriter
{
	MemoryContext context;
	MemoryContext shape_context;   /* what follows from the target's columns */
	MemoryContext batch_context;   /* reset before each batch */
	MemoryContext attempt_context; /* reset after each attempt to write */
	const RspgStream *stream;
	TupleDesc target_desc; /* as they were; NULL = not read yet */
	int n_triggers;
	int n_indexes;
	RspgMapping *mapping; /* NULL with a transform */
	RspgTransform *transform;
	RspgInsert *insert;
	RspgColumn event; /* with a transform: the payload as jsonb */
	bool headers_wanted;
	RskPaths no_paths;
	RskNode root;
};

typedef enum RspgMessageState
{
	RSPG_MESSAGE_PENDING, /* converted, to be written */
	RSPG_MESSAGE_SKIPPED,
	RSPG_MESSAGE_REJECTED
} RspgMessageState;

typedef struct RspgReject
{
	int message;
	int sqlstate;
	char *error;
} RspgReject;

typedef struct RspgBatch
{
	RspgWriter *writer;
	const RskMessage *messages;
	int n;
	int n_columns; /* per message below; with a transform 1: the event */
	char *states;  /* RspgMessageState */
	Datum *values;
	char *cells; /* RspgCell */
	int *pending;
	int n_pending;
	List *rejects; /* RspgReject *, as they were found */
	RspgBatchResult *result;
} RspgBatch;

/* --- writer.c --- */

/* Write what can be written; the rejects are left to the caller. */
extern RspgBatch *rspg_batch_write(RspgWriter *writer, const RskMessage *messages, int n,
								   RspgBatchResult *result);
extern void rspg_batch_reject(RspgBatch *batch, int message, int sqlstate, const char *format, ...)
	pg_attribute_printf(4, 5);
extern void rspg_batch_reject_error(RspgBatch *batch, int message, const ErrorData *error,
									const char *column);

/* --- decoding.c --- */

/* Decode and convert all messages: fills states, values, cells. */
extern void rspg_batch_convert(RspgBatch *batch);

/* --- fault.c --- */

/* Is the error the message's fault, or the server's, the table's, the rights'? */
extern bool rspg_message_fault(const ErrorData *error, bool converting);

/* Run in a subtransaction.  An error that is the message's fault rolls it back
 * and is returned; others are raised again. */
typedef void (*RspgAttempt)(void *opaque);
extern ErrorData *rspg_attempt(RspgAttempt attempt, void *opaque, bool converting);

/* --- dead_letters.c --- */

/* Insert a row of recsys.dead_letter for each reject. */
extern void rspg_dead_letters_write(RspgBatch *batch);

/* All headers of a message. */
extern RskHeader *rspg_message_headers(const RskMessage *message, int *n);

#endif
