/*
 * threads.c
 *		Loops on several threads that the main thread can cancel.
 *
 * A loop is announced by a new round number.  Idle threads look for it awake for
 * some microseconds, then sleep on a condition variable; the main thread wakes
 * them only if one sleeps.  Pieces are handed out by an atomic counter of those
 * that are left, so a slow piece holds nobody up.  It carries the round in its
 * upper half: a thread that comes late to a round can take nothing of the next
 * one, whose body and arg it reads only once it has a piece.
 *
 * The main thread works too; between its pieces, and while it waits for the
 * others to finish theirs, it asks the caller whether to stop.
 */
#include "core/base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define STACK_BYTES ((size_t) 2 * 1024 * 1024)
#define SPINS 500   /* looks at a number before leaving the CPU to others: some 30 µs */
#define YIELDS 5000 /* then before sleeping between them: some 2 ms */
#define NAP_NANOSECONDS 200000
#define POLL_NANOSECONDS 5000000

typedef struct Member
{
	RsTeam *team;
	int thread;
	pthread_t id;
} Member;

struct RsTeam
{
	/* of the round: written by the main thread while nobody works */
	RsLoopBody body;
	void *arg;
	uint64_t count;
	uint64_t grain;
	uint32_t pieces;
	RsContext *ctx; /* the main thread's alone */

	_Atomic uint32_t round;
	_Atomic uint64_t left;       /* round << 32 | pieces not handed out */
	_Atomic uint32_t unfinished; /* pieces neither done nor given up */
	atomic_bool canceled;
	atomic_bool stop; /* end after the round */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic int sleeping;
	int n; /* threads beside the main one */
	Member member[RS_MAX_THREADS];
};

int
rs_parallel_threads(const RsContext *ctx)
{
	if (ctx->threads < 1)
		return 1;
	return ctx->threads > RS_MAX_THREADS ? RS_MAX_THREADS : ctx->threads;
}

static uint32_t
count_pieces(uint64_t count, uint64_t grain)
{
	return (uint32_t) ((count + grain - 1) / grain);
}

/* --- the threads --- */

static inline void
pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Whose piece this thread runs, and as which of its threads. */
static _Thread_local RsTeam *running;
static _Thread_local int running_as;

/* Run the next piece of that round; false when none is left. */
static bool
run_piece(RsTeam *team, uint32_t round, int thread)
{
	uint64_t left = atomic_load_explicit(&team->left, memory_order_acquire);
	uint64_t begin;
	uint64_t end;

	do
	{
		if ((uint32_t) (left >> 32) != round || (uint32_t) left == 0)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&team->left, &left, left - 1,
													memory_order_acq_rel, memory_order_acquire));
	begin = (uint64_t) (team->pieces - (uint32_t) left) * team->grain;
	end = team->count - begin > team->grain ? begin + team->grain : team->count;
	running = team;
	running_as = thread;
	team->body(team->arg, begin, end, thread);
	running = NULL;
	atomic_fetch_sub_explicit(&team->unfinished, 1, memory_order_release);
	return true;
}

/* Wait for a round other than the last one; its number. */
static uint32_t
wait_round(RsTeam *team, uint32_t last)
{
	uint32_t round = last;

	for (int i = 0; i < SPINS; i++)
	{
		round = atomic_load_explicit(&team->round, memory_order_acquire);
		if (round != last)
			return round;
		pause_cpu();
	}
	pthread_mutex_lock(&team->lock);
	atomic_fetch_add(&team->sleeping, 1);
	while ((round = atomic_load(&team->round)) == last)
		pthread_cond_wait(&team->wake, &team->lock);
	atomic_fetch_sub(&team->sleeping, 1);
	pthread_mutex_unlock(&team->lock);
	return round;
}

static void
announce(RsTeam *team)
{
	atomic_fetch_add(&team->round, 1);
	if (atomic_load(&team->sleeping) > 0)
	{
		pthread_mutex_lock(&team->lock);
		pthread_cond_broadcast(&team->wake);
		pthread_mutex_unlock(&team->lock);
	}
}

static void *
member_main(void *arg)
{
	Member *member = arg;
	RsTeam *team = member->team;
	uint32_t round = 0;

	do
	{
		round = wait_round(team, round);
		while (run_piece(team, round, member->thread))
			;
	} while (!atomic_load(&team->stop));
	return NULL;
}

/* Make up to n threads with all signals blocked. */
static void
start_members(RsTeam *team, int n)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;

	pthread_mutex_init(&team->lock, NULL);
	pthread_cond_init(&team->wake, NULL);
	if (n < 1 || pthread_attr_init(&attr) != 0)
		return;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (team->n < n)
	{
		Member *member = &team->member[team->n];

		member->team = team;
		member->thread = team->n + 1;
		if (pthread_create(&member->id, &attr, member_main, member) != 0)
			break;
		team->n++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
}

static void
join_members(RsTeam *team)
{
	for (int i = 0; i < team->n; i++)
		pthread_join(team->member[i].id, NULL);
	pthread_cond_destroy(&team->wake);
	pthread_mutex_destroy(&team->lock);
}

/* --- the main thread --- */

static bool
is_canceled(RsTeam *team)
{
	return atomic_load_explicit(&team->canceled, memory_order_relaxed);
}

/* Ask the caller; on cancel nobody gets another piece. */
static void
poll_caller(RsTeam *team)
{
	uint64_t left = atomic_load_explicit(&team->left, memory_order_relaxed);

	if (is_canceled(team) || rs_check_interrupt(team->ctx) == RS_OK)
		return;
	atomic_store_explicit(&team->canceled, true, memory_order_relaxed);
	left = atomic_exchange_explicit(&team->left, left >> 32 << 32, memory_order_acq_rel);
	atomic_fetch_sub_explicit(&team->unfinished, (uint32_t) left, memory_order_relaxed);
}

bool
rs_team_canceled(RsTeam *team, int thread)
{
	if (thread == 0)
		poll_caller(team);
	return is_canceled(team);
}

bool
rs_loop_canceled(void)
{
	return running != NULL && rs_team_canceled(running, running_as);
}

static int64_t
nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The main thread's share of the work. */
static void
work(RsTeam *team, uint32_t round)
{
	int64_t asked = nanoseconds();

	while (run_piece(team, round, 0))
	{
		int64_t now = nanoseconds();

		if (now - asked >= POLL_NANOSECONDS)
		{
			poll_caller(team);
			asked = now;
		}
	}
}

/* Until all pieces are done: awake at first, then leaving the CPU to the others,
 * for where there are more threads than CPUs, theirs may be the one we are on. */
static void
wait_finished(RsTeam *team)
{
	const struct timespec nap = {0, NAP_NANOSECONDS};

	for (uint64_t turns = 0; atomic_load_explicit(&team->unfinished, memory_order_acquire) > 0;
		 turns++)
	{
		if (turns < SPINS)
		{
			pause_cpu();
			continue;
		}
		/* on a busy machine each of these may be some milliseconds */
		if (turns < SPINS + YIELDS)
			sched_yield();
		else
			nanosleep(&nap, NULL);
		poll_caller(team);
	}
}

/* One round of count items. */
static RsStatus
run(RsContext *ctx, RsTeam *team, uint64_t count, uint64_t grain, RsLoopBody body, void *arg)
{
	uint32_t round = atomic_load_explicit(&team->round, memory_order_relaxed) + 1;

	team->body = body;
	team->arg = arg;
	team->count = count;
	team->grain = grain;
	team->pieces = count_pieces(count, grain);
	team->ctx = ctx;
	atomic_store_explicit(&team->canceled, false, memory_order_relaxed);
	atomic_store_explicit(&team->unfinished, team->pieces, memory_order_relaxed);
	atomic_store_explicit(&team->left, (uint64_t) round << 32 | team->pieces, memory_order_release);
	announce(team);
	work(team, round);
	wait_finished(team);
	return is_canceled(team) ? RS_ERR_CANCELED : RS_OK;
}

RsStatus
rs_parallel_for(RsContext *ctx, uint64_t count, uint64_t grain, RsLoopBody body, void *arg)
{
	RsStatus status = rs_check_interrupt(ctx);
	uint32_t threads = (uint32_t) rs_parallel_threads(ctx);
	uint32_t pieces = count_pieces(count, grain);
	RsTeam team;

	if (status != RS_OK || count == 0)
		return status;
	memset(&team, 0, sizeof(team));
	team.stop = true;
	start_members(&team, (int) (pieces < threads ? pieces : threads) - 1);
	status = run(ctx, &team, count, grain, body, arg);
	join_members(&team);
	return status;
}

RsTeam *
rs_team_start(RsContext *ctx)
{
	RsTeam *team = rs_calloc(ctx, 1, sizeof(RsTeam));

	if (team != NULL)
		start_members(team, rs_parallel_threads(ctx) - 1);
	return team;
}

RsStatus
rs_team_run(RsContext *ctx, RsTeam *team, uint32_t count, RsLoopBody body, void *arg)
{
	RsStatus status = rs_check_interrupt(ctx);

	if (status != RS_OK || count == 0)
		return status;
	return run(ctx, team, count, 1, body, arg);
}

void
rs_team_stop(RsContext *ctx, RsTeam *team)
{
	if (team == NULL)
		return;
	atomic_store(&team->stop, true);
	announce(team);
	join_members(team);
	rs_free(ctx, team);
}
