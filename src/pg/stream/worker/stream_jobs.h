/*
 * stream_jobs.h
 *		Streams as jobs of the host, and what their workers show in shared memory.
 */
#ifndef RSPG_STREAM_JOBS_H
#define RSPG_STREAM_JOBS_H

#include "pg/host/jobs.h"

/* A partition that a worker reads; guarded by the host's lock. */
typedef struct RspgShownPartition
{
	RspgLaunch reader; /* in use as long as its slot has that launch */
	int32 partition;
	bool refused;    /* the broker does not give it out */
	char error[256]; /* why, the last time; in force as long as refused */
	char sqlstate[6];
	TimestampTz error_at; /* 0 = never */
	int64 end_offset;     /* -1 = not known */
	double rows_per_second;
	TimestampTz rate_at;
} RspgShownPartition;

/* Number of the kind, -1 when the library was not preloaded. */
extern int rspg_stream_kind;

/* From _PG_init, after rspg_host_init(): shared memory and the kind.  Nothing when
 * not preloaded. */
extern void rspg_stream_jobs_init(void);

/* Preloaded: all places for partitions. */
extern RspgShownPartition *rspg_shown_partitions(int *n);

/* Does the worker of this launch (0 = none) read it? */
extern bool rspg_shown_is_of(const RspgShownPartition *shown, uint64 launch);

/* With the host's lock held */
extern bool rspg_shown_is_free(const RspgShownPartition *shown);

/* With the host's lock held: so many rows were written; rows per second now. */
extern void rspg_shown_add(RspgShownPartition *shown, int64 rows);
extern double rspg_shown_rate(const RspgShownPartition *shown);

#endif
