/*
 * threads.h
 *		Loops on several threads, with the main thread watching for cancel.
 *
 * A team's threads are made once and wait between its loops, for a while awake;
 * rs_parallel_for is one loop of a team of its own.  All signals are blocked
 * while threads are made, so the host's handlers never run on them.  Where a
 * thread cannot be made there are fewer.  Nothing stays behind: rs_parallel_for
 * has joined its threads when it returns, whatever happened, and rs_team_stop
 * must be reached before anything can jump out of the core.
 */
#ifndef RS_THREADS_H
#define RS_THREADS_H

#include "core/base/context.h"

#define RS_MAX_THREADS 64
#define RS_LOOP_POLL 4194304 /* cheap steps between two questions for cancel */

/* Work on items [begin, end); thread is 0 .. threads-1, for scratch space.
 * No allocation and no callback of the context in here. */
typedef void (*RsLoopBody)(void *arg, uint64_t begin, uint64_t end, int thread);

/*
 * Call body over [0, count) in pieces of at most grain items, fewer than 2^32 (a
 * piece should take well under 10 ms: the main thread asks for cancel between its
 * own).  Which thread gets which piece is not defined, so a result must not
 * depend on it.  Returns RS_ERR_CANCELED with all threads joined, or RS_OK.
 */
extern RsStatus rs_parallel_for(RsContext *ctx, uint64_t count, uint64_t grain, RsLoopBody body,
								void *arg);

/* Threads that a loop uses at most: clamp of ctx->threads. */
extern int rs_parallel_threads(const RsContext *ctx);

/* For loops of a millisecond, which making threads anew would not repay. */
typedef struct RsTeam RsTeam;

/* Up to ctx->threads, the main thread included; fewer where they cannot be
 * made.  NULL on failure. */
extern RsTeam *rs_team_start(RsContext *ctx);

/* rs_parallel_for in pieces of one item, without the join: no piece is running
 * any more. */
extern RsStatus rs_team_run(RsContext *ctx, RsTeam *team, uint32_t count, RsLoopBody body,
							void *arg);

/* For a long piece to ask, from the thread that it was given: is it to end early? */
extern bool rs_team_canceled(RsTeam *team, int thread);

/* The same for code that knows no team; outside of a loop: no. */
extern bool rs_loop_canceled(void);

/* The same once in a while: steps done are counted in *done. */
static inline bool
rs_loop_worked(uint64_t *done, uint64_t steps)
{
	*done += steps;
	if (*done < RS_LOOP_POLL)
		return false;
	*done = 0;
	return rs_loop_canceled();
}

/* End the threads and wait for them; NULL is allowed. */
extern void rs_team_stop(RsContext *ctx, RsTeam *team);

#endif
