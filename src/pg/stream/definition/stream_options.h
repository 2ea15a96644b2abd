/*
 * stream_options.h
 *		Options of a stream, checked.
 */
#ifndef RSPG_STREAM_OPTIONS_H
#define RSPG_STREAM_OPTIONS_H

#include "postgres.h"

#include "nodes/pg_list.h"
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

/* Check and fill; NULL = defaults.  22023 names the key, range and right keys. */
extern void rspg_stream_options(Jsonb *json, RspgStreamOptions *options);

/* An error as above where a null of the changes takes away what is neither an option
 * (in "kafka", a setting) nor in stored (NULL = nothing). */
extern void rspg_stream_option_names(Jsonb *changes, Jsonb *stored);

/* Of option start and of seek_to: milliseconds since 1970, or -1 for earliest
 * and latest; an error for anything else. */
extern int64 rspg_stream_start_time(const char *start);

/* The same text, a time in UTC. */
extern char *rspg_stream_start_utc(const char *start);

#endif
