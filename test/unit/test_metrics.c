/*
 * test_metrics.c
 *		Ranking metrics against values worked out by hand.
 */
#include "unit.h"

#include "core/serving/metrics.h"

static const bool hits[] = {true, false, true, false, false};

TEST(by_hand)
{
	CHECK_NEAR(rs_recall_at_k(hits, 5, 4, 5), 0.5, 0);
	CHECK_NEAR(rs_recall_at_k(hits, 5, 4, 2), 0.25, 0);
	CHECK_NEAR(rs_precision_at_k(hits, 5, 4, 5), 0.4, 1e-15);
	CHECK_NEAR(rs_precision_at_k(hits, 5, 4, 10), 0.2, 1e-15);
	CHECK_NEAR(rs_hit_rate_at_k(hits, 5, 4, 1), 1, 0);
	CHECK_NEAR(rs_hit_rate_at_k(hits + 3, 2, 4, 5), 0, 0);
	/* DCG = 1 + 1/2; the ideal with two relevant items is 1 + 1/log2(3) */
	CHECK_NEAR(rs_ndcg_at_k(hits, 5, 2, 5), 1.5 / 1.6309297535714575, 1e-12);
	CHECK_NEAR(rs_ndcg_at_k(hits, 5, 9, 1), 1, 0);
	/* (1/1 + 2/3) / min(R, k) */
	CHECK_NEAR(rs_average_precision_at_k(hits, 5, 2, 5), 5.0 / 6, 1e-15);
	CHECK_NEAR(rs_average_precision_at_k(hits, 5, 10, 3), 5.0 / 9, 1e-15);
	CHECK_NEAR(rs_reciprocal_rank_at_k(hits, 5, 2, 5), 1, 0);
	CHECK_NEAR(rs_reciprocal_rank_at_k(hits + 1, 4, 2, 5), 0.5, 0);
	CHECK_NEAR(rs_reciprocal_rank_at_k(hits + 1, 4, 2, 1), 0, 0);
}

typedef double (*Metric)(const bool *, uint32_t, uint32_t, uint32_t);

TEST(edges)
{
	static const Metric all[] = {
		rs_recall_at_k, rs_precision_at_k,         rs_hit_rate_at_k,
		rs_ndcg_at_k,   rs_average_precision_at_k, rs_reciprocal_rank_at_k};
	static const bool full[] = {true, true, true};

	for (int i = 0; i < 6; i++)
	{
		CHECK(isnan(all[i](hits, 5, 0, 5)));
		CHECK_NEAR(all[i](hits, 5, 3, 0), 0, 0);
		CHECK_NEAR(all[i](NULL, 0, 3, 5), 0, 0);
		CHECK_NEAR(all[i](full, 3, 3, 3), 1, 1e-12);
		CHECK_NEAR(all[i](full, 3, 1, 3), 1, 0); /* more hits than relevant */
	}
}

UNIT_MAIN(by_hand, edges)
