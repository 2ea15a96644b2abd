/*
 * supervisor.h
 *		The launcher's care for processes.
 */
#ifndef RSPG_SUPERVISOR_H
#define RSPG_SUPERVISOR_H

#include "pg/host/jobs.h"

#include "postmaster/bgworker.h"

/* the longest sleep, and how long to wait for a worker slot to become free */
#define RSPG_IDLE_MS 60000
#define RSPG_NO_SLOT_MS 1000

/* Start, free and watch workers.  Returns milliseconds to the next look. */
extern long rspg_supervise(TimestampTz now);

/* Ask the postmaster for a process with this number of a slot (or of an entry of
 * databases); the handle is replaced.  False = no worker slot is free: it may be
 * tried again in RSPG_NO_SLOT_MS. */
extern bool rspg_launch(RspgProcess *process, int slot, BackgroundWorkerHandle **handle,
						const char *name, const char *main);

/* With the lock held: a process that was asked for ended before it showed up, or
 * never came; frees the handle. */
extern bool rspg_launch_gone(const RspgProcess *process, BackgroundWorkerHandle **handle,
							 TimestampTz now);

#endif
