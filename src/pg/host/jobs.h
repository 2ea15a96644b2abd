/*
 * jobs.h
 *		Jobs: what databases want to be running all the time, each in a process of
 *		its own; what the launcher, workers and sessions share about them.
 *
 * A job is a row of one of the extension's tables.  Its kind says which workers a
 * row wants (scout.h) and what they run (job_process.h).  The launcher starts
 * them, starts them again when they end, later after each failure, and stops
 * those that are not wanted any more.
 *
 * Fixed shared memory, there only when the library was preloaded.  A slot is a
 * worker of a job; an entry of databases is a database that is to be looked
 * through, or that nobody of ours may be connected to right now.  One lock, held
 * for instants, guards all of it, and what kinds keep about their workers.
 */
#ifndef RSPG_JOBS_H
#define RSPG_JOBS_H

#include "postgres.h"

#include "access/htup.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/relcache.h"
#include "utils/timestamp.h"

#define RSPG_RESTART_MAX_MS 60000

typedef struct RspgJobKind
{
	const char *name;  /* in names of processes, in the log and in errors */
	const char *table; /* of schema recsys; a row is a job */
	const char *main;  /* exported function that its workers run */
	/* in a scout: rspg_job_want() for each worker that the row wants */
	void (*want)(Relation table, HeapTuple row);
} RspgJobKind;

typedef enum RspgJobState
{
	RSPG_JOB_STARTING,
	RSPG_JOB_RUNNING,
	RSPG_JOB_RETRYING,
	RSPG_JOB_WAITING, /* for something that is not the server's */
	RSPG_JOB_WAITING_FOR_SLOT,
	RSPG_JOB_NOT_RESPONDING,
	RSPG_JOB_FAILED /* must not run as it is */
} RspgJobState;

/* A worker of a job. */
typedef struct RspgJob
{
	Oid database;
	int kind; /* number of the kind, from rspg_job_kind_add() */
	int64 id; /* of the job in its kind and database */
	int worker;
	Oid owner; /* whom the worker connects as */
	char name[NAMEDATALEN];
} RspgJob;

/* A process that the postmaster was asked for. */
typedef struct RspgProcess
{
	uint64 launch; /* never used twice: an earlier process can tell that it is; 0 = none */
	TimestampTz launched_at;
	pid_t pid; /* 0 = not there, or not yet */
	int failures;
	TimestampTz start_at; /* the next one, not before */
} RspgProcess;

/* In bgw_extra: the slot, or entry of databases, and whether it is still ours. */
typedef struct RspgLaunch
{
	int slot;
	uint64 launch;
} RspgLaunch;

typedef struct RspgSlot
{
	RspgJob job; /* free without a database */
	RspgProcess process;

	/* what the scout wants, what sessions ask */
	bool wanted;
	bool seen; /* by the scout that is at work */
	bool reread;
	bool stop;

	int memo; /* from a worker to those that come after it; at first 0 */

	/* what the worker says of itself */
	Latch *latch;
	TimestampTz alive_at;
	RspgJobState state;
	char error[512];
	char sqlstate[6];
	TimestampTz error_at; /* 0 = none */
} RspgSlot;

typedef struct RspgDatabase
{
	Oid database; /* InvalidOid = free */
	bool scan;
	int holds;
	RspgProcess scout;
} RspgDatabase;

typedef struct RspgHost
{
	LWLock *lock;
	Latch *launcher_latch;
	bool scan_all; /* a wake that found no room among databases */
	int n_slots;
	int n_databases;
	uint64 launches;
	RspgSlot *slots;
	RspgDatabase *databases;
} RspgHost;

/* NULL when the library was not preloaded */
extern RspgHost *rspg_host;

extern char *recsys_databases;    /* recsys.databases */
extern int recsys_max_workers;    /* recsys.max_workers: number of slots */
extern int recsys_worker_timeout; /* recsys.worker_timeout, ms; 0 = none */

/* Settings and shared memory, while libraries are preloaded. */
extern void rspg_jobs_init(void);

/* Another kind of job, while libraries are preloaded; returns its number. */
extern int rspg_job_kind_add(const RspgJobKind *kind);
extern const RspgJobKind *rspg_job_kind(int number); /* NULL = there are not so many */

/* Preloaded: is the database one of recsys.databases? */
extern bool rspg_jobs_database_allowed(const char *name);

/*
 * At the commit of this transaction, have a scout look through the database and
 * its workers read their rows again.  Nothing when not preloaded.  what, if not
 * NULL, is a thing that was certainly changed: then the transaction cannot be
 * prepared, for nobody would be woken by who commits it.
 */
extern void rspg_jobs_wake_at_commit(const char *what);

/* --- of the host's own files --- */

extern void rspg_wake_launcher(void);

/* With the lock held: the database's entry, made if need be; NULL = no room. */
extern RspgDatabase *rspg_database(Oid database, bool create);
extern void rspg_database_release(RspgDatabase *entry);

/* With the lock held: ask the slot's worker to end. */
extern void rspg_slot_stop(RspgSlot *slot);

/* With the lock held: the slot's worker is gone; when it may start again. */
extern void rspg_slot_ended(RspgSlot *slot, bool healthy);

extern void rspg_slot_state(RspgSlot *slot, RspgJobState state);
extern void rspg_slot_error(RspgSlot *slot, const char *sqlstate, const char *text);

/* Milliseconds to wait after so many failures in a row. */
extern int rspg_wait_after(int failures);

#endif
