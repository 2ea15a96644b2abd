/*
 * parallel.c
 *		A loop on several threads that the main thread can cancel.
 *
 * Pieces are handed out by an atomic counter, so a slow piece holds nobody up.
 * The main thread works too; between its pieces, and while it waits for the
 * others to finish theirs, it asks the caller whether to stop.
 */
#include "core/base/parallel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#define STACK_BYTES ((size_t) 2 * 1024 * 1024)
#define POLL_NANOSECONDS 5000000

typedef struct Loop
{
	uint64_t count;
	uint64_t grain;
	RsLoopBody body;
	void *arg;
	_Atomic uint64_t next; /* first item not handed out */
	atomic_bool canceled;

	pthread_mutex_t lock;
	pthread_cond_t done;
	int running; /* threads still at work, under lock */
} Loop;

typedef struct Worker
{
	Loop *loop;
	int thread;
	pthread_t id;
} Worker;

int
rs_parallel_threads(const RsContext *ctx)
{
	if (ctx->threads < 1)
		return 1;
	return ctx->threads > RS_MAX_THREADS ? RS_MAX_THREADS : ctx->threads;
}

/* Run the next piece; false when there is none or the loop is canceled. */
static bool
run_piece(Loop *loop, int thread)
{
	uint64_t begin;
	uint64_t end;

	if (atomic_load_explicit(&loop->canceled, memory_order_relaxed))
		return false;
	begin = atomic_fetch_add_explicit(&loop->next, loop->grain, memory_order_relaxed);
	if (begin >= loop->count)
		return false;
	end = loop->count - begin > loop->grain ? begin + loop->grain : loop->count;
	loop->body(loop->arg, begin, end, thread);
	return true;
}

static void *
worker_main(void *arg)
{
	Worker *worker = arg;
	Loop *loop = worker->loop;

	while (run_piece(loop, worker->thread))
		;
	pthread_mutex_lock(&loop->lock);
	if (--loop->running == 0)
		pthread_cond_signal(&loop->done);
	pthread_mutex_unlock(&loop->lock);
	return NULL;
}

/* Make up to n threads; returns how many there are. */
static int
start_workers(Loop *loop, Worker *workers, int n)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;
	int made = 0;

	if (n < 1 || pthread_attr_init(&attr) != 0)
		return 0;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (made < n)
	{
		Worker *worker = &workers[made];

		worker->loop = loop;
		worker->thread = made + 1;
		pthread_mutex_lock(&loop->lock);
		loop->running++;
		pthread_mutex_unlock(&loop->lock);
		if (pthread_create(&worker->id, &attr, worker_main, worker) != 0)
		{
			pthread_mutex_lock(&loop->lock);
			loop->running--;
			pthread_mutex_unlock(&loop->lock);
			break;
		}
		made++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return made;
}

/* The monotonic time a poll interval from now. */
static struct timespec
next_poll(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += POLL_NANOSECONDS;
	if (t.tv_nsec >= 1000000000)
	{
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

static bool
reached(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* Ask the caller; on cancel tell the threads. */
static RsStatus
poll_caller(RsContext *ctx, Loop *loop)
{
	RsStatus status = rs_check_interrupt(ctx);

	if (status != RS_OK)
		atomic_store_explicit(&loop->canceled, true, memory_order_relaxed);
	return status;
}

/* The main thread's share of the work. */
static RsStatus
work(RsContext *ctx, Loop *loop)
{
	RsStatus status = poll_caller(ctx, loop);
	struct timespec poll = next_poll();

	while (status == RS_OK && run_piece(loop, 0))
	{
		if (reached(&poll))
		{
			status = poll_caller(ctx, loop);
			poll = next_poll();
		}
	}
	return status;
}

/* Wait until no thread is at work, still asking the caller. */
static RsStatus
wait_workers(RsContext *ctx, Loop *loop, RsStatus status)
{
	pthread_mutex_lock(&loop->lock);
	while (loop->running > 0)
	{
		struct timespec poll = next_poll();

		pthread_cond_timedwait(&loop->done, &loop->lock, &poll);
		if (loop->running > 0 && status == RS_OK)
		{
			pthread_mutex_unlock(&loop->lock);
			status = poll_caller(ctx, loop);
			pthread_mutex_lock(&loop->lock);
		}
	}
	pthread_mutex_unlock(&loop->lock);
	return status;
}

RsStatus
rs_parallel_for(RsContext *ctx, uint64_t count, uint64_t grain, RsLoopBody body, void *arg)
{
	Loop loop = {.count = count, .grain = grain > 0 ? grain : 1, .body = body, .arg = arg};
	Worker workers[RS_MAX_THREADS];
	pthread_condattr_t attr;
	uint64_t pieces;
	int threads = rs_parallel_threads(ctx);
	int made;
	RsStatus status;

	if (count == 0)
		return rs_check_interrupt(ctx);
	pieces = (count - 1) / loop.grain + 1;
	if (pieces < (uint64_t) threads)
		threads = (int) pieces;
	if (threads == 1)
		return work(ctx, &loop);

	pthread_mutex_init(&loop.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&loop.done, &attr);
	pthread_condattr_destroy(&attr);
	made = start_workers(&loop, workers, threads - 1);
	status = work(ctx, &loop);
	status = wait_workers(ctx, &loop, status);
	for (int i = 0; i < made; i++)
		pthread_join(workers[i].id, NULL);
	pthread_cond_destroy(&loop.done);
	pthread_mutex_destroy(&loop.lock);
	return status;
}
