/*
 * launcher.h
 *		What the launcher hands to the processes it starts.
 */
#ifndef RSPG_LAUNCHER_H
#define RSPG_LAUNCHER_H

#include "pg/stream/definition/stream_state.h"

#include "postmaster/bgworker.h"

/* the longest sleep, and how long to wait for a worker slot to become free */
#define RSPG_IDLE_MS 60000
#define RSPG_NO_SLOT_MS 1000

/* In bgw_extra: whom to connect as, and whether the slot is still ours. */
typedef struct RspgLaunch
{
	Oid database;
	Oid owner;
	int64 stream_id;
	int worker;
	int slot;
	uint64 launch;
} RspgLaunch;

StaticAssertDecl(sizeof(RspgLaunch) <= BGW_EXTRALEN, "RspgLaunch fits in bgw_extra");

extern PGDLLEXPORT void recsys_launcher_main(Datum argument);
extern PGDLLEXPORT void recsys_scout_main(Datum argument);
extern PGDLLEXPORT void recsys_stream_main(Datum argument);

/* --- launcher.c, supervisor.c --- */

/* Tend all workers; returns milliseconds to the next time. */
extern long rspg_supervise(TimestampTz now);

/* A process that was asked for at since ended, or never came; frees the handle. */
extern bool rspg_launch_gone(BackgroundWorkerHandle **handle, TimestampTz since, TimestampTz now);

/* With the lock held: the slot's worker is gone; when it may start again. */
extern void rspg_launch_ended(RspgStreamSlot *slot, bool healthy);

#endif
