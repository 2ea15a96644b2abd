/*
 * job_process.h
 *		What a worker of any kind does with its slot.
 *
 * A worker that is asked to stop ends with 0 as soon as nothing is half done; one
 * that is in the way of a command gets SIGTERM after half a second.  One that is
 * asked to read again looks whether its row still is what it runs.  Whatever it
 * finds, it may end with 0: a scout looks again, and what is still wanted starts
 * anew, at once.  One that ends with anything else waits longer each time.
 */
#ifndef RSPG_JOB_PROCESS_H
#define RSPG_JOB_PROCESS_H

#include "pg/host/jobs.h"

/*
 * At the start of a worker's main function: take the slot, handle signals, and
 * connect as the owner.  Ends the process where the slot was given to somebody
 * else meanwhile, or the database is to be left alone.  Returns what is to be run.
 */
extern RspgJob rspg_job_begin(void);

/* Which slot it is, and which launch of it. */
extern RspgLaunch rspg_job_launch(void);

/* What it leaves to those that come after it, in shared memory. */
extern int *rspg_job_memo(void);

/* Is it to end: asked to, or taken for dead? */
extern bool rspg_job_stop_asked(void);

/* Is it to read its row again?  Asked once, answered once. */
extern bool rspg_job_reread_asked(void);

/* It lives, and may be silent for so long beyond recsys.worker_timeout. */
extern void rspg_job_alive(int ms);

extern RspgJobState rspg_job_state(void);
extern void rspg_job_set_state(RspgJobState state);
extern void rspg_job_set_error(const char *sqlstate, const char *text);

#endif
