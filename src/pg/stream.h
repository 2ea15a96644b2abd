/*
 * stream.h
 *		What the files of streams share: a row of recsys.stream, its options, and
 *		how a change of it reaches the worker.
 */
#ifndef RSPG_STREAM_H
#define RSPG_STREAM_H

#include "rspg.h"

#include "nodes/pg_list.h"

#include "kafka/consumer.h"

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
	char *start;    /* "earliest", "latest" or a timestamp's text */
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
	char *brokers;
	char *topic;
	Oid target;
	Jsonb *mapping; /* NULL = columns by name */
	RspgStreamOptions options;
	bool enabled;
	bool cloned; /* written by another cluster or database: must not run */
	int64 generation;
	char *seek_to;    /* NULL, or a seek the worker has yet to resolve */
	char *cluster_id; /* NULL = not known yet */
} RspgStream;

/* --- stream_row.c --- */

/* By id or name, as the current user, by the active snapshot, in an open SPI
 * connection; in CurrentMemoryContext.  NULL when there is none to see.  Errors
 * for options that are not right. */
extern RspgStream *rspg_stream_read(int64 id);
extern RspgStream *rspg_stream_find(const char *name);

/* Check and fill; NULL = defaults.  22023 names the key, range and right keys. */
extern void rspg_stream_options(Jsonb *json, RspgStreamOptions *options);

/* --- secrets.c --- */

/* Settings of the named entry of recsys.secrets_file, for a stream of this owner
 * and brokers; errors never quote a value. */
extern int rspg_secret_settings(const char *name, Oid owner, const char *brokers,
								RskSetting **settings);

/* --- stream_state.c --- */

/* At the commit of this transaction, tell launcher and workers that streams of
 * this database changed.  Nothing when the library was not preloaded. */
extern void rspg_stream_wake_at_commit(void);

/* Is the launcher there (shared_preload_libraries)? */
extern bool rspg_stream_preloaded(void);

/*
 * recsys.stream_state_rows(): what workers say of themselves, a row a partition
 * (partition NULL where a worker has none yet):
 *	database oid, stream_id bigint, worker integer, pid integer, state text,
 *	partition integer, end_offset bigint, rows_per_second double precision,
 *	error text, sqlstate text, error_at timestamptz, since timestamptz
 * state: starting, running, retrying, waiting for a worker slot
 */

#endif
