/*
 * stream_sql.h
 *		What the functions that change streams share.
 */
#ifndef RSPG_STREAM_SQL_H
#define RSPG_STREAM_SQL_H

#include "pg/stream/definition/stream.h"

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

/* Check the row as it is now: options, brokers, owner, secret, and with the
 * owner's rights mapping, transform and target. */
extern void rspg_stream_validate(const char *name);

#endif
