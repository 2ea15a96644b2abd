/*
 * stream_lock.h
 *		A stream's row, found and locked by a session that changes it.
 */
#ifndef RSPG_STREAM_LOCK_H
#define RSPG_STREAM_LOCK_H

#include "postgres.h"

/* What a change needs to know of a row, whether its options are right or not. */
typedef struct RspgStreamRow
{
	int64 id;
	Oid owner;
	char *topic;
} RspgStreamRow;

/*
 * Find the stream in an open SPI connection and lock its row: that waits for the
 * batch in flight, and no other begins until this transaction ends.  Errors:
 * 42704 unknown, 42501 not the owner.
 */
extern RspgStreamRow rspg_stream_lock(const char *name);

#endif
