/*
 * writer.h
 *		Messages into the target table: the half of a batch that a transaction
 *		holds beside the offsets.
 */
#ifndef RSPG_WRITER_H
#define RSPG_WRITER_H

#include "pg/stream/definition/stream.h"

#include "kafka/message.h"

typedef struct RspgWriter RspgWriter;

typedef struct RspgBatchResult
{
	int64 rows;            /* written to the target */
	int64 rejected;        /* written to dead_letter */
	int64 skipped;         /* tombstones and messages that a transform made no row of */
	int64 rejected_at_end; /* rejected in a row up to the last message */
	char sqlstate[6];      /* of the last one rejected, or empty */
	char error[256];
} RspgBatchResult;

/* Checks target, mapping and transform; errors say what is wrong with them.
 * Lives in a child of parent; in an open transaction. */
extern RspgWriter *rspg_writer_create(MemoryContext parent, const RspgStream *stream);

/*
 * In an open transaction with an active snapshot and SPI connected, as the
 * stream's owner: insert rows, write dead letters.  An error that is not a
 * message's fault is raised.  Touches no offsets.
 */
extern void rspg_writer_write(RspgWriter *writer, const RskMessage *messages, int n,
							  RspgBatchResult *result);

/* Raise if a default of the mapping is no value of its column.  To a worker it is
 * the fault of the message that needs it. */
extern void rspg_writer_check_defaults(RspgWriter *writer);

extern void rspg_writer_free(RspgWriter *writer);

#endif
