/*
 * test_many.c
 *		Answers for many users against those of one by one.
 */
#include "given.h"

#include "core/serving/many.h"

#define USERS 300

/* Histories and masks of many users. */
typedef struct Crowd
{
	uint32_t n;
	Asked asked[USERS];
	RsHistory histories[USERS];
	RsMask masks[USERS];
} Crowd;

static void
random_crowd(Crowd *crowd, uint32_t n_items)
{
	bool masked = below(2);

	crowd->n = below(below(2) ? 3 : USERS + 1);
	for (uint32_t user = 0; user < crowd->n; user++)
	{
		random_asked(&crowd->asked[user], n_items);
		crowd->histories[user] = crowd->asked[user].history;
		crowd->masks[user] = masked ? crowd->asked[user].mask : (RsMask){NULL, NULL};
	}
}

/* The same hits, to the bit, as one by one. */
static void
check_batch(RsContext *ctx, const RsServing *serving, const Crowd *crowd, bool masks, uint32_t k)
{
	RsHit *hits = malloc(((size_t) crowd->n * k + 1) * sizeof(RsHit));
	RsHit *expected = malloc(((size_t) k + 1) * sizeof(RsHit));
	RsScratch *scratch = rs_scratch_create(ctx, serving);
	uint32_t n_hits[USERS];

	CHECK(rs_serving_batch(ctx, serving, crowd->n, crowd->histories, masks ? crowd->masks : NULL, k,
						   hits, n_hits) == RS_OK);
	for (uint32_t user = 0; user < crowd->n; user++)
	{
		uint32_t n;

		CHECK(rs_serving_recommend(ctx, serving, scratch, &crowd->histories[user],
								   masks ? &crowd->masks[user] : NULL, k, expected, &n) == RS_OK);
		CHECK(n == n_hits[user] &&
			  memcmp(hits + (size_t) user * k, expected, n * sizeof(RsHit)) == 0);
	}
	rs_scratch_free(ctx, scratch);
	free(hits);
	free(expected);
}

TEST(equals_one_by_one)
{
	static Crowd crowd;

	for (int round = 0; round < 150 && unit_failed_checks < 20; round++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		uint32_t n = 1 + below(below(2) ? 40 : ITEMS);
		Bytes bytes = random_model(table[below(5) % 3], n);
		RsServing *serving = rs_serving_open(ctx, table, bytes.data, bytes.n);

		ctx->threads = 1 + (int) below(3);
		random_crowd(&crowd, n);
		check_batch(ctx, serving, &crowd, below(2), below(3) ? below(12) : n + below(9));
		rs_serving_close(ctx, serving);
		CHECK(heap.live == 0);
		free(bytes.data);
	}
}

/* Numbers at which sums overflow, or vanish. */
TEST(extreme_numbers)
{
	static Crowd crowd;
	static const float sizes[] = {1e-40f, 1e-22f, 1e18f, 3e38f};

	for (int round = 0; round < 40; round++)
	{
		RsContext ctx = rs_context_malloc();
		Bytes bytes = random_model(&given, 1 + below(ITEMS));
		RsServing *serving = rs_serving_open(&ctx, table, bytes.data, bytes.n);

		random_crowd(&crowd, rs_serving_model(serving)->ids.n);
		for (uint32_t user = 0; user < crowd.n; user++)
			for (uint32_t i = 0; i < crowd.histories[user].n; i++)
				crowd.asked[user].weight[i] *= sizes[below(4)];
		check_batch(&ctx, serving, &crowd, true, 5);
		rs_serving_close(&ctx, serving);
		free(bytes.data);
	}
}

/* Each allocation fails once, each poll cancels once; what is wrong is told. */
TEST(failures)
{
	static Crowd crowd;

	for (int a = 0; a < 2; a++)
	{
		Bytes bytes = random_model(table[a], 50);
		RsContext plain = rs_context_malloc();
		RsServing *serving = rs_serving_open(&plain, table, bytes.data, bytes.n);
		RsHit hits[USERS * 3];
		uint32_t n_hits[USERS];
		UnitHeap heap;

		do
			random_crowd(&crowd, 50);
		while (crowd.n < 100);
		for (int cancel = 0; cancel <= 1; cancel++)
			for (long at = 1;; at++)
			{
				RsContext *ctx = unit_heap(&heap, cancel ? 0 : at, cancel ? at : 0);
				RsStatus status;

				ctx->threads = 2;
				status =
					rs_serving_batch(ctx, serving, crowd.n, crowd.histories, NULL, 3, hits, n_hits);
				CHECK(status == (heap.failed     ? RS_ERR_NOMEM
								 : heap.canceled ? RS_ERR_CANCELED
												 : RS_OK));
				CHECK(heap.live == 0);
				if (!heap.failed && !heap.canceled)
					break;
			}
		crowd.histories[7] =
			(RsHistory){.n = 1, .item = (const uint32_t[]){50}, .weight = (const float[]){1}};
		CHECK(rs_serving_batch(&plain, serving, crowd.n, crowd.histories, NULL, 3, hits, n_hits) ==
			  RS_ERR_PARAM);
		rs_serving_close(&plain, serving);
		free(bytes.data);
	}
}

UNIT_MAIN(equals_one_by_one, extreme_numbers, failures)
