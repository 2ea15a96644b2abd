/*
 * test_threads.c
 *		Loops do each item once on any number of threads, and hear of a cancel between
 *		pieces and inside of a long one.
 */
#include "unit.h"

#include "core/base/threads.h"

#include <stdatomic.h>
#include <time.h>

#define PIECES 64
#define LONG 20000000 /* turns of a piece that nobody stops */

typedef struct Loop
{
	RsTeam *team;
	_Atomic uint64_t turns;
	_Atomic uint32_t pieces;
} Loop;

static void
long_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Loop *loop = arg;
	uint64_t turns = 0;

	(void) begin;
	(void) end;
	while (turns < LONG && !rs_team_canceled(loop->team, thread))
		turns++;
	atomic_fetch_add(&loop->turns, turns);
	atomic_fetch_add(&loop->pieces, 1);
}

static void
short_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Loop *loop = arg;

	(void) begin;
	(void) end;
	(void) thread;
	atomic_fetch_add(&loop->pieces, 1);
}

/* The main thread hears of it at its hundredth question. */
static void
check_canceled(int threads)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 100);
	Loop loop = {0};

	ctx->threads = threads;
	loop.team = rs_team_start(ctx);
	CHECK(loop.team != NULL);
	CHECK(rs_team_run(ctx, loop.team, 2, long_piece, &loop) == RS_ERR_CANCELED);
	CHECK(loop.turns < LONG);
	CHECK(rs_team_run(ctx, loop.team, PIECES, short_piece, &loop) == RS_ERR_CANCELED);
	CHECK(loop.pieces <= 2);
	rs_team_stop(ctx, loop.team);
	CHECK(heap.live == 0);
}

TEST(canceled)
{
	check_canceled(1);
	check_canceled(2);
}

static void
slow_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	const struct timespec nap = {0, 1000000};

	nanosleep(&nap, NULL);
	short_piece(arg, begin, end, thread);
}

/* Pieces that do not ask themselves: between them somebody does. */
TEST(canceled_between_pieces)
{
	for (int threads = 1; threads <= 2; threads++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 3);
		Loop loop = {0};

		ctx->threads = threads;
		CHECK(rs_parallel_for(ctx, 2000, 1, slow_piece, &loop) == RS_ERR_CANCELED);
		CHECK(loop.pieces < 1000);
	}
}

/* Rounds of different lengths, so short that threads come late to them. */
TEST(a_team_does_each_piece_once)
{
	RsContext ctx = rs_context_malloc();

	for (int threads = 1; threads <= 4; threads++)
	{
		Loop loop = {0};
		uint32_t expected = 0;

		ctx.threads = threads;
		loop.team = rs_team_start(&ctx);
		for (uint32_t round = 0; round < 2000; round++)
		{
			uint32_t count = round % 7 == 6 ? PIECES : round % 7;

			CHECK(rs_team_run(&ctx, loop.team, count, short_piece, &loop) == RS_OK);
			expected += count;
			CHECK(loop.pieces == expected);
		}
		rs_team_stop(&ctx, loop.team);
	}
	CHECK(ctx.memory_used == 0);
}

typedef struct Items
{
	atomic_int seen[1000];
	atomic_int most_thread;
	atomic_bool piece_too_large;
} Items;

static void
count_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Items *loop = arg;
	uint64_t i;

	if (end - begin > 7)
		loop->piece_too_large = true;
	for (i = begin; i < end; i++)
		loop->seen[i]++;
	if (thread > loop->most_thread)
		loop->most_thread = thread;
}

TEST(a_loop_does_each_item_once)
{
	int threads;

	for (threads = 1; threads <= 4; threads++)
	{
		RsContext ctx = rs_context_malloc();
		Items *loop = calloc(1, sizeof *loop);
		int i;

		ctx.threads = threads;
		CHECK(rs_parallel_threads(&ctx) == threads);
		CHECK(rs_parallel_for(&ctx, 1000, 7, count_piece, loop) == RS_OK);
		for (i = 0; i < 1000; i++)
			CHECK(loop->seen[i] == 1);
		CHECK(loop->most_thread < threads);
		CHECK(!loop->piece_too_large);
		CHECK(rs_parallel_for(&ctx, 0, 7, count_piece, loop) == RS_OK);
		free(loop);
	}
}

TEST(a_loop_can_be_canceled)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 1);
	Items *loop = calloc(1, sizeof *loop);

	ctx->threads = 2;
	CHECK(rs_parallel_for(ctx, 1000, 1, count_piece, loop) == RS_ERR_CANCELED);
	free(loop);
}

TEST(thread_counts_are_clamped)
{
	RsContext ctx = rs_context_malloc();

	ctx.threads = 0;
	CHECK(rs_parallel_threads(&ctx) == 1);
	ctx.threads = 100000;
	CHECK(rs_parallel_threads(&ctx) == RS_MAX_THREADS);
}

UNIT_MAIN(canceled, canceled_between_pieces, a_team_does_each_piece_once,
		  a_loop_does_each_item_once, a_loop_can_be_canceled, thread_counts_are_clamped)
