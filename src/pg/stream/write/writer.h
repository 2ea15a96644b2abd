/*
 * writer.h
 *		Messages into the target table: what a transaction writes beside offsets.
 */
#ifndef RSPG_WRITER_H
#define RSPG_WRITER_H

#include "pg/stream/write/batch.h"

typedef struct RspgWriter RspgWriter;

/* Checks target, mapping and transform; errors say what is wrong with them.
 * Lives in a child of parent; in an open transaction. */
extern RspgWriter *rspg_writer_create(MemoryContext parent, const RspgStream *stream);

/*
 * In an open transaction with an active snapshot and SPI connected, as the
 * stream's owner: write what can be written.  Rejects are left to the caller, and
 * so are offsets.  An error that is not a message's fault is raised.  The batch
 * lives until the next one, or rspg_writer_clear().  attempting, if not NULL: hunt
 * for messages that fail for other errors where others do not, and call it before
 * each attempt.
 */
extern RspgBatch *rspg_writer_write(RspgWriter *writer, const RskMessage *messages, int n,
									void (*attempting)(void));
extern void rspg_writer_clear(RspgWriter *writer);

/* Raise if a default of the mapping is no value of its column.  To a worker it is
 * the fault of the message that needs it. */
extern void rspg_writer_check_defaults(RspgWriter *writer);

/* The transaction goes on after the writer, and what it defers stays deferred: what
 * messages defer is checked with them and again when that is due. */
extern void rspg_writer_keep_deferred(RspgWriter *writer);

extern void rspg_writer_free(RspgWriter *writer);

#endif
