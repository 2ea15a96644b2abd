/*
 * team.h
 *		Threads that stay for many short loops, with the main thread watching for
 *		cancel.
 *
 * rs_parallel_for makes its threads anew for each loop, which a loop of a
 * millisecond does not repay.  A team's threads wait between the loops, for a
 * while awake.  The same rules hold: signals are blocked, nothing of the context
 * is called on them, and rs_team_stop must be reached before anything can jump
 * out of the core.
 */
#ifndef RS_TEAM_H
#define RS_TEAM_H

#include "core/base/parallel.h"

typedef struct RsTeam RsTeam;

/* Up to ctx->threads, the main thread included; fewer where they cannot be
 * made.  NULL on failure. */
extern RsTeam *rs_team_start(RsContext *ctx);

/* Call body for each of count pieces (begin = the piece, end = begin + 1).  Which
 * thread gets which piece is not defined.  RS_ERR_CANCELED or RS_OK, when no
 * piece is running any more. */
extern RsStatus rs_team_run(RsContext *ctx, RsTeam *team, uint32_t count, RsLoopBody body,
							void *arg);

/* For a long piece to ask, from the thread that it was given: is it to end early? */
extern bool rs_team_canceled(RsTeam *team, int thread);

/* End the threads and wait for them; NULL is allowed. */
extern void rs_team_stop(RsContext *ctx, RsTeam *team);

#endif
