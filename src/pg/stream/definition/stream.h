/*
 * stream.h
 *		A stream: a row of recsys.stream, read and checked.
 */
#ifndef RSPG_STREAM_H
#define RSPG_STREAM_H

#include "postgres.h"

#include "storage/lockdefs.h"

#include "pg/stream/definition/stream_options.h"

/* A row of recsys.stream. */
typedef struct RspgStream
{
	int64 id;
	char *name;
	Oid owner;
	char *brokers; /* normalized */
	char *topic;
	Oid target;
	Jsonb *mapping; /* NULL = columns by name */
	RspgStreamOptions options;
	bool enabled;
	bool cloned; /* written by another cluster or database: must not run */
	int64 generation;
	char *seek_to;    /* NULL, or a seek the worker has yet to resolve: see
						 rspg_stream_start_time() */
	char *cluster_id; /* NULL = not known yet */
} RspgStream;

/*
 * By id or name, as the current user, by a snapshot taken now, in an open SPI
 * connection; in CurrentMemoryContext.  NULL when there is none to see.  Errors
 * for options that are not right.
 */
extern RspgStream *rspg_stream_read(int64 id);
extern RspgStream *rspg_stream_find(const char *name);

/* Raise: there is no stream of that name to see. */
extern _Noreturn void rspg_stream_unknown(const char *name);

/* Why no worker can run a stream of this owner. */
typedef enum RspgOwnerFault
{
	RSPG_OWNER_RIGHT, /* it can */
	RSPG_OWNER_GONE,
	RSPG_OWNER_SUPERUSER,
	RSPG_OWNER_NO_LOGIN
} RspgOwnerFault;

extern RspgOwnerFault rspg_stream_owner_fault(Oid owner);

/*
 * What depends on the server and not on the row: the owner is no superuser and
 * may log in, recsys.allowed_brokers has the brokers, the secret is for this
 * stream.  The worker calls it before it opens a consumer.
 */
extern void rspg_stream_check(const RspgStream *stream);

/*
 * Settings of librdkafka for the stream's consumer, in the order to apply them:
 * the stream's, then its secret's.  Returns their number.
 */
extern int rspg_stream_settings(const RspgStream *stream, RskSetting **settings);

/*
 * The queue before the stream's row: held until the end of the transaction.  A
 * worker takes it in RowShareLock before it looks at the row, a session
 * that changes the stream in ExclusiveLock.  Without it, workers of one stream
 * whose batches overlap would share the row on and on, and the session starve.
 */
extern void rspg_stream_queue(int64 id, LOCKMODE mode);

/* Does the row belong to this database of this cluster? */
extern bool rspg_stream_is_here(int64 system_id, Oid database_id);

#endif
