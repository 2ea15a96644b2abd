/*
 * parallel.h
 *		Run a loop on several threads, with the main thread watching for cancel.
 *
 * Threads are made per call and joined before it returns, whatever happens:
 * nothing stays behind.  All signals are blocked while they are made, so the
 * host's handlers never run on them.  Where a thread cannot be made the loop
 * runs on fewer.
 */
#ifndef RS_PARALLEL_H
#define RS_PARALLEL_H

#include "core/base/context.h"

#define RS_MAX_THREADS 64

/* Work on items [begin, end); thread is 0 .. threads-1, for scratch space.
 * No allocation and no callback of the context in here. */
typedef void (*RsLoopBody)(void *arg, uint64_t begin, uint64_t end, int thread);

/*
 * Call body over [0, count) in pieces of at most grain items (a piece should
 * take well under 10 ms: the main thread asks for cancel between its own).
 * Which thread gets which piece is not defined, so a result must not depend on
 * it.  Returns RS_ERR_CANCELED with all threads joined, or RS_OK.
 */
extern RsStatus rs_parallel_for(RsContext *ctx, uint64_t count, uint64_t grain, RsLoopBody body,
								void *arg);

/* Threads that rs_parallel_for would use at most: clamp of ctx->threads. */
extern int rs_parallel_threads(const RsContext *ctx);

#endif
