/*
 * stream.h
 *		What the files of streams share: a row of recsys.stream and its options.
 */
#ifndef RSPG_STREAM_H
#define RSPG_STREAM_H

#include "pg/base/rspg.h"

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "kafka/settings.h"

#define RSPG_MAX_STREAM_WORKERS 16

/* 1970 as a TimestampTz */
#define RSPG_UNIX_EPOCH ((TimestampTz) (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)

typedef enum RspgFormat
{
	RSPG_FORMAT_JSON,
	RSPG_FORMAT_CSV
} RspgFormat;

typedef enum RspgOffsetLost
{
	RSPG_LOST_ERROR,
	RSPG_LOST_EARLIEST,
	RSPG_LOST_LATEST
} RspgOffsetLost;

typedef enum RspgUpsert
{
	RSPG_UPSERT_UPDATE,
	RSPG_UPSERT_NOTHING
} RspgUpsert;

typedef enum RspgTombstone
{
	RSPG_TOMBSTONE_REJECT,
	RSPG_TOMBSTONE_SKIP
} RspgTombstone;

/* Options of a stream, checked; see docs/reference.md for ranges. */
typedef struct RspgStreamOptions
{
	RspgFormat format;
	List *columns;  /* csv: names of target columns by position (char *) */
	char delimiter; /* csv */
	char quote;     /* csv */
	char *start;    /* see rspg_stream_start_time() */
	RspgOffsetLost on_offset_lost;
	char *transform;  /* NULL, or name of a function (jsonb) RETURNS SETOF target */
	List *upsert_key; /* NIL, or names of columns (char *) */
	RspgUpsert upsert;
	RspgTombstone tombstone;
	int batch_rows;
	int batch_bytes;
	int batch_ms;
	int max_rejects; /* in a row; 0 = no limit */
	int max_message_bytes;
	int lock_timeout_ms;
	int statement_timeout_ms;
	bool synchronous_commit;
	int workers;
	bool read_committed;
	char *secret; /* NULL, or a name in recsys.secrets_file */
	int n_kafka;
	RskSetting *kafka; /* whitelisted settings of librdkafka */
} RspgStreamOptions;

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

/* --- stream_row.c --- */

/*
 * By id or name, as the current user, by a snapshot taken now, in an open SPI
 * connection; in CurrentMemoryContext.  NULL when there is none to see.  Errors
 * for options that are not right.
 */
extern RspgStream *rspg_stream_read(int64 id);
extern RspgStream *rspg_stream_find(const char *name);

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
 * worker takes it in RowShareLock before it locks the row FOR SHARE, a session
 * that changes the stream in ExclusiveLock.  Without it, workers of one stream
 * whose batches overlap would share the row on and on, and the session starve.
 */
extern void rspg_stream_queue(int64 id, LOCKMODE mode);

/* Does the row belong to this database of this cluster? */
extern bool rspg_stream_is_here(int64 system_id, Oid database_id);

/* --- stream_options.c --- */

/* Check and fill; NULL = defaults.  22023 names the key, range and right keys. */
extern void rspg_stream_options(Jsonb *json, RspgStreamOptions *options);

/* Of option start and of seek_to: milliseconds since 1970, or -1 for earliest
 * and latest; an error for anything else. */
extern int64 rspg_stream_start_time(const char *start);

/* The same text, a time in UTC. */
extern char *rspg_stream_start_utc(const char *start);

/* --- stream_brokers.c --- */
extern void rspg_brokers_init(void); /* defines recsys.allowed_brokers */

/* "host:port,host:port" with every port and no blanks, or an error. */
extern char *rspg_brokers_normalize(const char *brokers);

/* Error unless recsys.allowed_brokers has each of these normalized brokers. */
extern void rspg_brokers_check(const char *brokers);

/* Error unless it is a name that Kafka allows a topic. */
extern void rspg_topic_check(const char *topic);

/* --- secrets.c --- */
extern void rspg_secrets_init(void); /* defines recsys.secrets_file */

/* Settings of the named entry of recsys.secrets_file, for a stream of this owner
 * and normalized brokers; errors never quote a value.  Returns their number. */
extern int rspg_secret_settings(const char *name, Oid owner, const char *brokers,
								RskSetting **settings);

#endif
