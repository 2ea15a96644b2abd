/*
 * test_variety.c
 *		Likeness of items against its formula, lists of variety against brute force:
 *		determinants by enumeration, MMR as it is written.
 */
#include "models.h"

#include "core/math/vec.h"
#include "core/serving/variety.h"

#define N MODEL_ITEMS

/* The vector of an item in the likeness of a model, at most N wide, by the formula. */
static uint32_t
vector_of(RsContext *ctx, const RsModel *model, uint32_t item, double *out)
{
	float row[N] = {0};
	const float one = 1;
	RsHistory history = {.n = 1, .item = &item, .weight = &one};
	double most = 0;

	if (model->algorithm == &rs_popularity)
	{
		memset(out, 0, N * sizeof(double));
		out[item] = 1;
		return N;
	}
	if (model->algorithm->kind == RS_QUERY_FACTORS)
	{
		RsFactors factors = rs_model_factors(model);

		for (uint32_t i = 0; i < factors.dim; i++)
			out[i] = rs_factors_row(&factors, item)[i];
		return factors.dim;
	}
	CHECK(rs_score_all(ctx, model, &history, row) == RS_OK);
	for (int i = 0; i < N; i++)
		most = fabs(row[i]) > most ? fabs(row[i]) : most;
	for (int i = 0; i < N; i++)
		out[i] = row[i];
	out[item] += most;
	return N;
}

static double
dot(const double *a, const double *b, uint32_t n)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static void
likeness_by_formula(RsContext *ctx, const RsModel *model, const uint32_t *items, uint32_t n,
					double like[N][N])
{
	double vector[N][N];
	uint32_t width = 0;

	for (uint32_t i = 0; i < n; i++)
		width = vector_of(ctx, model, items[i], vector[i]);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < n; j++)
		{
			double norm = sqrt(dot(vector[i], vector[i], width) * dot(vector[j], vector[j], width));

			like[i][j] = i == j ? 1 : norm > 0 ? dot(vector[i], vector[j], width) / norm : 0;
		}
}

/* Sum over all permutations, of the rows from `at` on. */
static double
determinant(double like[N][N], const uint32_t *set, uint32_t n, uint32_t at, unsigned used)
{
	double sum = 0;
	int sign = 1;

	if (at == n)
		return 1;
	for (uint32_t j = 0; j < n; j++)
	{
		if (used & 1u << j)
			continue;
		sum += sign * like[set[at]][set[j]] * determinant(like, set, n, at + 1, used | 1u << j);
		sign = -sign;
	}
	return sum;
}

/* What the objective gives for a set whose last member is new. */
static double
value_of(double like[N][N], const double *z, RsVarietyMethod method, double diversity,
		 const uint32_t *set, uint32_t n)
{
	double sum = 0, most = 0;
	uint32_t last = set[n - 1];

	if (method == RS_VARIETY_DPP)
	{
		double det = determinant(like, set, n, 0, 0);

		for (uint32_t i = 0; i < n; i++)
			sum += z[set[i]];
		return (1 - diversity) * sum + diversity * log(det > 1e-300 ? det : 1e-300);
	}
	for (uint32_t i = 0; i + 1 < n; i++)
		if (i == 0 || like[last][set[i]] > most)
			most = like[last][set[i]];
	return (1 - diversity) * z[last] - diversity * most;
}

/* Greedy by the whole objective anew at each step. */
static uint32_t
brute_force(double like[N][N], const double *z, RsVarietyMethod method, double diversity,
			uint32_t n, uint32_t k, const uint32_t *group, uint32_t most, uint32_t *chosen)
{
	uint32_t taken[N] = {0};
	bool used[N] = {false};
	uint32_t count = 0;

	while (count < k)
	{
		uint32_t best = n;
		double best_value = 0;

		for (uint32_t i = 0; i < n; i++)
		{
			double value;

			if (used[i] || (group != NULL && taken[group[i]] == most))
				continue;
			chosen[count] = i;
			value = value_of(like, z, method, diversity, chosen, count + 1);
			if (best == n || value > best_value + 1e-9)
			{
				best = i;
				best_value = value;
			}
		}
		if (best == n)
			break;
		chosen[count++] = best;
		used[best] = true;
		if (group != NULL)
			taken[group[best]]++;
	}
	return count;
}

static void
standard_scores(const RsHit *hits, uint32_t n, double *z)
{
	double mean = 0, square = 0;

	for (uint32_t i = 0; i < n; i++)
		mean += (double) hits[i].score / n;
	for (uint32_t i = 0; i < n; i++)
		square += (hits[i].score - mean) * (hits[i].score - mean) / n;
	for (uint32_t i = 0; i < n; i++)
		z[i] = square > 0 ? (hits[i].score - mean) / sqrt(square) : 0;
}

/* All settings on the hits of one model. */
static void
check_choices(RsContext *ctx, const RsModel *model, const RsHit *hits, uint32_t n, uint64_t *seed)
{
	static const double diversities[] = {0, 0.1, 0.5, 0.9, 1};
	uint32_t items[N], group[N], chosen[N], expected[N], n_chosen;
	double like[N][N], z[N];

	for (uint32_t i = 0; i < n; i++)
	{
		items[i] = hits[i].item;
		group[i] = (uint32_t) (unit_random(seed) % 4);
	}
	likeness_by_formula(ctx, model, items, n, like);
	standard_scores(hits, n, z);
	for (int method = RS_VARIETY_DPP; method <= RS_VARIETY_MMR; method++)
		for (int d = 0; d < 5; d++)
			for (int limited = 0; limited < 2; limited++)
			{
				uint32_t left[4] = {2, 2, 2, 2};
				RsQuota quota = {1, group, left};
				/* beyond the rank of few factors all gains are rounding */
				uint32_t k = n < 4 ? n : 4;
				uint32_t m = brute_force(like, z, (RsVarietyMethod) method, diversities[d], n, k,
										 limited ? group : NULL, 2, expected);

				CHECK(rs_variety_choose(ctx, model, (RsVarietyMethod) method, diversities[d], hits,
										n, limited ? &quota : NULL, k, chosen, &n_chosen) == RS_OK);
				CHECK(n_chosen == m);
				for (uint32_t i = 0; i < m; i++)
					CHECK(chosen[i] == expected[i]);
				for (uint32_t i = 0; i < m && d == 0 && !limited; i++)
					CHECK(chosen[i] == i);
			}
}

TEST(choices)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		RsModel model;
		uint64_t seed = 3;

		if (model_table[a] == &blend)
			continue;
		model_train(ctx, model_table[a], RS_ID_TEXT, &model);
		for (int round = 0; round < 20; round++)
		{
			RsHit hits[N];
			uint32_t n = 1 + (uint32_t) (unit_random(&seed) % N);
			uint32_t first = (uint32_t) (unit_random(&seed) % N);

			for (uint32_t i = 0; i < n; i++) /* 4 is prime to N */
				hits[i] =
					(RsHit){(first + 4 * i) % N, (float) (n - i) + (float) unit_uniform(&seed) / 2};
			check_choices(ctx, &model, hits, n, &seed);
		}
		rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
	}
}

TEST(likeness)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		RsModel model;
		RsLikeness likeness;
		double like[N][N], out[N];
		uint32_t items[N];
		/* a blend is as alike as the first of its parts that knows likeness */
		const RsModel *of;

		model_train(ctx, model_table[a], RS_ID_TEXT, &model);
		of = model_table[a] == &blend ? model.parts[0].model : &model;
		for (uint32_t i = 0; i < N; i++)
			items[i] = N - 1 - i;
		likeness_by_formula(ctx, of, items, N, like);
		CHECK(rs_likeness_open(ctx, &model, items, N, &likeness) == RS_OK);
		for (uint32_t i = 0; i < N; i++)
		{
			rs_likeness_of(&likeness, i, out);
			for (uint32_t j = 0; j < N; j++)
				CHECK_NEAR(out[j], like[i][j], 1e-5);
			CHECK(out[i] == 1);
		}
		rs_likeness_close(ctx, &likeness);
		rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
	}
}

/* The last of the items is in no group, and two of the others in a full one. */
TEST(quota)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsModel model;
	const uint32_t group[4][2] = {{0, 2}, {0, 3}, {1, 2}, {RS_NO_GROUP, RS_NO_GROUP}};
	const RsHit hits[4] = {{1, 4}, {2, 3}, {3, 2}, {4, 1}};
	uint32_t chosen[4], n;

	model_train(ctx, &rs_als, RS_ID_TEXT, &model);
	for (int d = 0; d < 2; d++)
	{
		uint32_t left[4] = {1, 1, 1, 1};
		RsQuota quota = {2, group[0], left};

		CHECK(rs_variety_choose(ctx, &model, RS_VARIETY_DPP, d * 0.01, hits, 4, &quota, 4, chosen,
								&n) == RS_OK);
		CHECK(n == 2 && chosen[0] == 0 && chosen[1] == 3);
		CHECK(left[0] == 0 && left[1] == 1 && left[2] == 0 && left[3] == 1);
	}
	CHECK(rs_variety_choose(ctx, &model, RS_VARIETY_DPP, 1.5, hits, 4, NULL, 4, chosen, &n) ==
		  RS_ERR_PARAM);
	CHECK(rs_variety_choose(ctx, &model, RS_VARIETY_DPP, NAN, hits, 4, NULL, 4, chosen, &n) ==
		  RS_ERR_PARAM);
	CHECK(rs_variety_choose(ctx, &model, RS_VARIETY_MMR, 0.5, hits, 0, NULL, 4, chosen, &n) ==
			  RS_OK &&
		  n == 0);
	CHECK(rs_variety_depth(10) == 200 && rs_variety_depth(100) == 400);
	rs_model_free(ctx, &model);
}

/* Alike items do not end the list, and no item stands in it twice. */
TEST(more_than_there_are_directions)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsModel model;

	model_train(ctx, &rs_als, RS_ID_TEXT, &model); /* 4 factors */
	for (int d = 0; d <= 4; d++)
	{
		RsHit hits[N];
		uint32_t chosen[N], n, seen = 0;

		for (uint32_t i = 0; i < N; i++)
			hits[i] = (RsHit){i, (float) (N - i)};
		CHECK(rs_variety_choose(ctx, &model, RS_VARIETY_DPP, d / 4.0, hits, N, NULL, N, chosen,
								&n) == RS_OK);
		CHECK(n == N);
		for (uint32_t i = 0; i < n; i++)
			seen |= 1u << chosen[i];
		CHECK(seen == (1u << N) - 1);
	}
	rs_model_free(ctx, &model);
}

TEST(failures)
{
	UnitHeap quiet;
	RsModel model;
	RsHit hits[N];
	uint32_t chosen[N], n;

	model_train(unit_heap(&quiet, 0, 0), &rs_item_knn, RS_ID_TEXT, &model);
	for (uint32_t i = 0; i < N; i++)
		hits[i] = (RsHit){i, (float) (N - i)};
	for (long at = 1;; at++)
	{
		UnitHeap heap;
		RsStatus status = rs_variety_choose(unit_heap(&heap, at, 0), &model, RS_VARIETY_DPP, 0.5,
											hits, N, NULL, 3, chosen, &n);

		CHECK(heap.live == 0);
		if (!heap.failed)
			break;
		CHECK(status == RS_ERR_NOMEM);
	}
	for (long at = 1; at < 4; at++)
	{
		UnitHeap heap;

		CHECK(rs_variety_choose(unit_heap(&heap, 0, at), &model, RS_VARIETY_MMR, 0.5, hits, N, NULL,
								3, chosen, &n) == RS_ERR_CANCELED);
		CHECK(heap.live == 0);
	}
	rs_model_free(&quiet.ctx, &model);
}

UNIT_MAIN(choices, likeness, quota, more_than_there_are_directions, failures)
