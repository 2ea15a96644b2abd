/*
 * stream_state.h
 *		What launcher, workers and sessions share about streams while they run.
 *
 * Fixed shared memory, there only when the library was preloaded.  A slot is a
 * worker of a stream, named by (database, stream, worker number); an entry of
 * databases is a database that is to be looked through, or that nobody of ours
 * may be connected to right now.  One lock, held for instants, guards all of it.
 */
#ifndef RSPG_STREAM_STATE_H
#define RSPG_STREAM_STATE_H

#include "pg/stream/definition/stream.h"

#include "storage/latch.h"
#include "storage/lwlock.h"

#define RSPG_MAX_WORKERS 16
#define RSPG_RESTART_MIN_MS 100
#define RSPG_RESTART_MAX_MS 60000

typedef enum RspgWorkerState
{
	RSPG_WORKER_STARTING,
	RSPG_WORKER_RUNNING,
	RSPG_WORKER_RETRYING,
	RSPG_WORKER_WAITING_FOR_BROKER,
	RSPG_WORKER_WAITING_FOR_SLOT,
	RSPG_WORKER_NOT_RESPONDING,
	RSPG_WORKER_FAILED /* must not run as it is, e.g. owned by a superuser */
} RspgWorkerState;

typedef struct RspgStreamSlot
{
	Oid database; /* InvalidOid = free */
	Oid owner;
	int64 stream_id;
	int worker;
	char name[NAMEDATALEN];

	/* what the scout wants, what sessions ask */
	bool wanted;
	bool seen; /* by the scout that is at work */
	bool reread;
	bool stop;

	/* supervision */
	bool launched; /* registered with the postmaster, not yet known to be gone */
	uint64 launch; /* counts up: an earlier worker of this slot can tell that it is */
	TimestampTz launched_at;
	int failures;
	TimestampTz restart_at;

	/* rows of a batch that are not too slow; 0 = as many as the stream allows */
	int batch_rows;

	/* what the worker says of itself */
	pid_t pid; /* 0 = none */
	Latch *latch;
	TimestampTz alive_at;
	RspgWorkerState state;
	TimestampTz since;
	char error[512];
	char sqlstate[6];
	TimestampTz error_at; /* 0 = none */
} RspgStreamSlot;

typedef struct RspgStreamPartition
{
	int slot; /* -1 = free */
	int32 partition;
	int64 end_offset; /* -1 = not known */
	double rows_per_second;
	TimestampTz rate_at;
} RspgStreamPartition;

typedef struct RspgStreamDatabase
{
	Oid database; /* InvalidOid = free */
	bool scan;
	int holds;
	bool scouting;
	pid_t scout_pid;
	int failures;
	TimestampTz scan_at; /* not before */
} RspgStreamDatabase;

typedef struct RspgStreamState
{
	LWLock *lock;
	pid_t launcher_pid;
	Latch *launcher_latch;
	bool scan_all; /* a wake that found no room among databases */
	int n_slots;
	int n_databases;
	int n_partitions;
	uint64 launches;
	RspgStreamSlot *slots;
	RspgStreamDatabase *databases;
	RspgStreamPartition *partitions;
} RspgStreamState;

/* NULL when the library was not preloaded */
extern RspgStreamState *rspg_stream_state;

extern char *recsys_databases;    /* recsys.databases */
extern int recsys_worker_timeout; /* recsys.worker_timeout, ms; 0 = none */

extern void rspg_stream_state_init(void); /* from _PG_init */
extern void rspg_launcher_init(void);     /* from _PG_init, preloaded */
extern void rspg_stream_utility_init(void);

/* With the lock held: the database's entry, made if need be; NULL = no room. */
extern RspgStreamDatabase *rspg_stream_database(Oid database, bool create);
extern void rspg_stream_database_release(RspgStreamDatabase *entry);

/* Look through the database soon; its workers read their row again. */
extern void rspg_stream_wake(Oid database);
extern void rspg_stream_wake_launcher(void);

/* With the lock held: free a slot and its partitions. */
extern void rspg_stream_slot_free(RspgStreamSlot *slot);
extern void rspg_stream_partitions_free(int slot);

/* Of a worker about one of its partitions, with the lock held. */
extern void rspg_stream_partition_add(RspgStreamPartition *partition, int64 rows);

/* Of a worker about itself. */
extern void rspg_stream_set_state(RspgStreamSlot *slot, RspgWorkerState state);
extern void rspg_stream_set_error(RspgStreamSlot *slot, const char *sqlstate, const char *text);

#endif
