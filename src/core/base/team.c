/*
 * team.c
 *		Threads that stay for many short loops.
 *
 * A loop is announced by a new round number.  Idle threads look for it awake for
 * some microseconds, then sleep on a condition variable; the main thread wakes
 * them only if one sleeps.  Pieces are handed out by an atomic counter that
 * carries the round in its upper half, so that a thread which comes late to a
 * round can take nothing of the next one.
 */
#include "core/base/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define STACK_BYTES ((size_t) 2 * 1024 * 1024)
#define SPINS 500 /* looks at the round number before sleeping: some 30 µs */

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
	RsContext *ctx;         /* the main thread's alone */
	_Atomic uint32_t count; /* a late thread of the last round may look at it */

	_Atomic uint32_t round;
	_Atomic uint64_t next;     /* round << 32 | first piece not handed out */
	_Atomic uint32_t finished; /* pieces done or given up */
	atomic_bool canceled;
	atomic_bool stop;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic int sleeping;
	int n; /* threads beside the main one */
	Member member[RS_MAX_THREADS];
};

static inline void
pause_cpu(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Take pieces of that round until there are none. */
static bool
run_piece(RsTeam *team, uint32_t round, int thread)
{
	uint64_t next = atomic_load_explicit(&team->next, memory_order_acquire);

	do
	{
		if ((uint32_t) (next >> 32) != round || (uint32_t) next >= team->count)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&team->next, &next, next + 1,
													memory_order_acq_rel, memory_order_acquire));
	if (!atomic_load_explicit(&team->canceled, memory_order_relaxed))
		team->body(team->arg, (uint32_t) next, (uint64_t) (uint32_t) next + 1, thread);
	atomic_fetch_add_explicit(&team->finished, 1, memory_order_release);
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

	for (;;)
	{
		round = wait_round(team, round);
		if (atomic_load(&team->stop))
			return NULL;
		while (run_piece(team, round, member->thread))
			;
	}
}

/* Make up to n threads with all signals blocked. */
static void
start_members(RsTeam *team, int n)
{
	pthread_attr_t attr;
	sigset_t all;
	sigset_t old;

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

RsTeam *
rs_team_start(RsContext *ctx)
{
	RsTeam *team = rs_calloc(ctx, 1, sizeof(RsTeam));

	if (team == NULL)
		return NULL;
	pthread_mutex_init(&team->lock, NULL);
	pthread_cond_init(&team->wake, NULL);
	start_members(team, rs_parallel_threads(ctx) - 1);
	return team;
}

/* Until all pieces are done: awake at first, then leaving the CPU to the others,
 * for where there are more threads than CPUs, theirs may be the one we are on. */
static RsStatus
wait_finished(RsContext *ctx, RsTeam *team, RsStatus status)
{
	for (uint64_t turns = 0;
		 atomic_load_explicit(&team->finished, memory_order_acquire) < team->count; turns++)
	{
		if (turns < SPINS)
			pause_cpu();
		else
		{
			/* on a busy machine each of these may be some milliseconds */
			sched_yield();
			if (status == RS_OK)
				status = rs_check_interrupt(ctx);
		}
		if (status != RS_OK)
			atomic_store_explicit(&team->canceled, true, memory_order_relaxed);
	}
	return status;
}

RsStatus
rs_team_run(RsContext *ctx, RsTeam *team, uint32_t count, RsLoopBody body, void *arg)
{
	RsStatus status = rs_check_interrupt(ctx);
	uint32_t round = atomic_load_explicit(&team->round, memory_order_relaxed) + 1;

	if (status != RS_OK || count == 0)
		return status;
	team->body = body;
	team->arg = arg;
	team->ctx = ctx;
	team->count = count;
	atomic_store_explicit(&team->canceled, false, memory_order_relaxed);
	atomic_store_explicit(&team->finished, 0, memory_order_relaxed);
	atomic_store_explicit(&team->next, (uint64_t) round << 32, memory_order_release);
	announce(team);
	while (run_piece(team, round, 0))
	{
		if (status == RS_OK && (status = rs_check_interrupt(ctx)) != RS_OK)
			atomic_store_explicit(&team->canceled, true, memory_order_relaxed);
	}
	return wait_finished(ctx, team, status);
}

bool
rs_team_canceled(RsTeam *team, int thread)
{
	if (thread == 0 && rs_check_interrupt(team->ctx) != RS_OK)
		atomic_store_explicit(&team->canceled, true, memory_order_relaxed);
	return atomic_load_explicit(&team->canceled, memory_order_relaxed);
}

void
rs_team_stop(RsContext *ctx, RsTeam *team)
{
	if (team == NULL)
		return;
	atomic_store(&team->stop, true);
	announce(team);
	for (int i = 0; i < team->n; i++)
		pthread_join(team->member[i].id, NULL);
	pthread_cond_destroy(&team->wake);
	pthread_mutex_destroy(&team->lock);
	rs_free(ctx, team);
}
