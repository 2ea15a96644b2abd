/*
 * test_team.c
 *		A team's loops hear of a cancel between pieces and inside of a long one.
 */
#include "unit.h"

#include "core/base/team.h"

#include <stdatomic.h>

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

TEST(every_piece_once)
{
	RsContext ctx = rs_context_malloc();
	Loop loop = {0};

	ctx.threads = 2;
	loop.team = rs_team_start(&ctx);
	for (int round = 0; round < 100; round++)
		CHECK(rs_team_run(&ctx, loop.team, PIECES, short_piece, &loop) == RS_OK);
	CHECK(loop.pieces == 100 * PIECES);
	rs_team_stop(&ctx, loop.team);
}

UNIT_MAIN(canceled, every_piece_once)
