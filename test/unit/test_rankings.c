/*
 * test_rankings.c
 *		Rankings cut into pages of random sizes, under random masks, against all
 *		scores sorted.
 */
#include "given.h"

#include "hits.h"

#include "core/math/vec.h"

/* What the scores say, sorted. */
static uint32_t
sorted(const float *score, uint32_t n, const RsMask *mask, RsHit *hits)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		if (!isnan(score[i]) && rs_mask_allows(mask, i))
			hits[count++] = (RsHit){i, score[i]};
	qsort(hits, count, sizeof(RsHit), compare_hits);
	return count;
}

/* The scores that a history gives, NaN where nothing is to appear. */
static void
expect_scores(RsContext *ctx, const RsServing *serving, const RsHistory *history, float *score)
{
	const RsModel *model = rs_serving_model(serving);
	bool by_scores = model->algorithm->kind == RS_QUERY_SCORES;
	float query[MAX_DIM] = {0};
	bool any = by_scores;

	CHECK(rs_score_all(ctx, model, history, score) == RS_OK);
	if (!by_scores)
		given_query(ctx, model, history, query);
	for (int d = 0; d < MAX_DIM; d++)
		any = any || query[d] != 0;
	for (uint32_t i = 0; i < model->ids.n; i++)
		if (!any || history->n == 0 || (model->algorithm == &rows && score[i] == 0))
			score[i] = NAN;
}

/* The same for items like this one. */
static void
expect_similar(RsContext *ctx, const RsServing *serving, uint32_t item, float *score)
{
	const RsModel *model = rs_serving_model(serving);
	RsHistory history = {.n = 1, .item = &item, .weight = (const float[]){1}};
	float query[MAX_DIM];
	RsFactors factors;
	double norm;

	if (model->algorithm->kind == RS_QUERY_SCORES)
		CHECK(rs_score_all(ctx, model, &history, score) == RS_OK);
	else
	{
		factors = rs_model_factors(model);
		norm = rs_norm(rs_factors_row(&factors, item), factors.dim);
		for (uint32_t d = 0; d < factors.dim; d++)
			query[d] = (float) (rs_factors_row(&factors, item)[d] / norm);
		for (uint32_t i = 0; i < factors.n; i++)
			score[i] = rs_dot(query, rs_factors_row(&factors, i), factors.dim) /
					   factors.norm[factors.row_of[i]];
	}
	for (uint32_t i = 0; i < model->ids.n; i++)
		if (!isfinite(score[i]) || model->algorithm == &everybody ||
			(model->algorithm == &rows && score[i] == 0))
			score[i] = NAN;
	score[item] = NAN;
}

/* Pages of random sizes until nothing comes, put together. */
static void
check_pages(RsContext *ctx, RsRanking *ranking, const RsHit *expected, uint32_t n_expected)
{
	RsHit hits[3 * ITEMS];
	uint32_t n = 0;
	uint32_t largest = 1 + below(below(2) ? 20 : 2 * ITEMS);

	for (;;)
	{
		uint32_t size = below(20) == 0 ? 0 : 1 + below(largest);
		uint32_t n_hits;

		CHECK(rs_ranking_next(ctx, ranking, size, hits + n, &n_hits) == RS_OK);
		CHECK(n_hits == (size < n_expected - n ? size : n_expected - n));
		n += n_hits;
		if (n_hits < size || n > n_expected)
			break;
	}
	CHECK(n == n_expected && (n == 0 || memcmp(hits, expected, n * sizeof(RsHit)) == 0));
}

/* Scores of all and of some. */
static void
check_scores(RsContext *ctx, const RsRanking *ranking, const float *expected, uint32_t n)
{
	float all[ITEMS], some[ITEMS];
	uint32_t items[ITEMS];

	CHECK(rs_ranking_score_all(ctx, ranking, all) == RS_OK);
	for (uint32_t i = 0; i < n; i++)
	{
		items[i] = below(n);
		CHECK(all[i] == expected[i] || (isnan(all[i]) && isnan(expected[i])));
	}
	CHECK(rs_ranking_scores(ctx, ranking, items, n, some) == RS_OK);
	for (uint32_t i = 0; i < n; i++)
		CHECK(some[i] == all[items[i]] || (isnan(some[i]) && isnan(all[items[i]])));
	items[0] = n;
	CHECK(rs_ranking_scores(ctx, ranking, items, 1, some) == RS_ERR_PARAM);
}

TEST(pages_are_the_order)
{
	for (int round = 0; round < 1500 && unit_failed_checks < 20; round++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		uint32_t n = 1 + below(below(2) ? 40 : ITEMS);
		Bytes bytes = random_model(table[below(3)], n);
		RsServing *serving = rs_serving_open(ctx, table, bytes.data, bytes.n);
		RsScratch *scratch = rs_scratch_create(ctx, serving);
		static float score[ITEMS];
		static RsHit expected[ITEMS];

		for (int again = 0; again < 3; again++)
		{
			static Asked asked;
			uint32_t item = below(n);
			uint32_t n_expected;
			RsRanking *ranking;

			random_asked(&asked, n);
			expect_scores(ctx, serving, &asked.history, score);
			n_expected = sorted(score, n, &asked.mask, expected);
			ranking = rs_ranking_open(ctx, serving, scratch, &asked.history, &asked.mask);
			check_scores(ctx, ranking, score, n);
			check_pages(ctx, ranking, expected, n_expected);
			check_scores(ctx, ranking, score, n);
			expect_similar(ctx, serving, item, score);
			n_expected = sorted(score, n, NULL, expected);
			ranking = rs_ranking_open_similar(ctx, serving, scratch, item, NULL);
			check_scores(ctx, ranking, score, n);
			check_pages(ctx, ranking, expected, n_expected);
			if (below(2))
				rs_ranking_close(ctx, ranking);
		}
		rs_ranking_close(ctx, NULL);
		rs_scratch_free(ctx, scratch);
		rs_serving_close(ctx, serving);
		CHECK(heap.live == 0);
		free(bytes.data);
	}
}

TEST(wrong_items)
{
	RsContext ctx = rs_context_malloc();
	Bytes bytes = random_model(&given, 5);
	RsServing *serving = rs_serving_open(&ctx, table, bytes.data, bytes.n);
	RsScratch *scratch = rs_scratch_create(&ctx, serving);
	RsHistory history = {.n = 1, .item = (const uint32_t[]){5}, .weight = (const float[]){1}};

	CHECK(rs_ranking_open(&ctx, serving, scratch, &history, NULL) == NULL);
	CHECK(ctx.status == RS_ERR_PARAM);
	CHECK(rs_ranking_open_similar(&ctx, serving, scratch, 5, NULL) == NULL);
	CHECK(ctx.status == RS_ERR_PARAM);
	rs_scratch_free(&ctx, scratch);
	rs_serving_close(&ctx, serving);
	free(bytes.data);
}

/* What fails on the way frees what it took, and the scratch stays usable. */
TEST(out_of_memory)
{
	Bytes bytes = random_model(&given, 300);
	bool done = false;

	for (long at = 1; !done; at++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, at, 0);
		RsServing *serving = rs_serving_open(ctx, table, bytes.data, bytes.n);
		RsScratch *scratch = serving != NULL ? rs_scratch_create(ctx, serving) : NULL;
		RsStatus status = scratch != NULL ? RS_OK : RS_ERR_NOMEM;

		for (int again = 0; again < 2 && scratch != NULL; again++)
		{
			RsRanking *ranking = rs_ranking_open_similar(ctx, serving, scratch, 3, NULL);
			RsHit hits[10];
			uint32_t n = 10;

			CHECK(ranking != NULL);
			for (status = RS_OK; status == RS_OK && n == 10;)
				status = rs_ranking_next(ctx, ranking, 10, hits, &n);
			CHECK(status == RS_OK ||
				  (rs_ranking_next(ctx, ranking, 10, hits, &n) == RS_OK && n == 0));
		}
		CHECK(status == (heap.failed ? RS_ERR_NOMEM : RS_OK));
		rs_scratch_free(ctx, scratch);
		rs_serving_close(ctx, serving);
		CHECK(heap.live == 0);
		done = !heap.failed;
	}
	free(bytes.data);
}

/* Deep pages stop early where they can, and are not found one by one. */
TEST(passes_grow)
{
	enum
	{
		N = 20000,
		DIM = 8
	};
	RsContext ctx = rs_context_malloc();
	float *factors = rs_alloc(&ctx, (size_t) N * DIM * sizeof(float));
	RsModel model = {.ids.n = N};
	RsFactors sorted_factors;
	float query[DIM];
	RsHit hits[100];
	RsTop top = {.k = 100, .hits = hits};
	RsHit last;

	for (uint32_t i = 0; i < N * DIM; i++)
		factors[i] = (float) (exp(-3.0 * (i / DIM) / N) * unit_normal(&seed));
	for (uint32_t d = 0; d < DIM; d++)
		query[d] = (float) unit_normal(&seed);
	CHECK(rs_factors_add(&ctx, &model, factors, DIM) == RS_OK);
	sorted_factors = rs_model_factors(&model);
	CHECK(rs_topk_factors(&ctx, &sorted_factors, query, &top) == RS_OK);
	CHECK(top.n == 100 && top.read < N / 2);
	last = hits[99];
	top.after = &last;
	CHECK(rs_topk_factors(&ctx, &sorted_factors, query, &top) == RS_OK);
	CHECK(top.n == 100 && top.read < N / 2 && rs_hit_after(hits[0], last));
	rs_model_free(&ctx, &model);
}

UNIT_MAIN(pages_are_the_order, wrong_items, out_of_memory, passes_grow)
