/*
 * test_user_vector.c
 *		How alike users are, against the formula.
 */
#include "models.h"

#include "core/math/vec.h"
#include "core/serving/user_vector.h"

static double
cosine(const double *a, const double *b, uint32_t n)
{
	double dot = 0, left = 0, right = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		dot += a[i] * b[i];
		left += a[i] * a[i];
		right += b[i] * b[i];
	}
	return dot / sqrt(left * right);
}

/* What is compared, by the formula. */
static uint32_t
vector_of(RsContext *ctx, const RsModel *model, const RsHistory *history, double *out)
{
	float query[64] = {0};
	uint32_t n;

	memset(out, 0, 64 * sizeof(double));
	for (uint32_t i = 0; i < history->n; i++)
		out[history->item[i]] += history->weight[i];
	if (model->algorithm->kind != RS_QUERY_FACTORS)
		return MODEL_ITEMS;
	n = rs_model_factors(model).dim - (model->algorithm == &rs_mlp);
	CHECK(model->algorithm->query(ctx, model, history, query) == RS_OK);
	for (uint32_t i = 0; i < n; i++)
		out[i] = query[i];
	return n;
}

TEST(likeness)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		RsModel model;
		uint64_t seed = 4;

		model_train(ctx, model_table[a], RS_ID_TEXT, &model);
		for (int round = 0; round < 50; round++)
		{
			uint32_t item[2][9];
			float weight[2][9];
			double v[2][64], expected;
			uint32_t n = 0;
			RsHistory history[2];
			RsUserVector vector[2];

			for (int u = 0; u < 2; u++)
			{
				history[u] = (RsHistory){
					.n = (uint32_t) (unit_random(&seed) % 9), .item = item[u], .weight = weight[u]};
				for (uint32_t i = 0; i < history[u].n; i++)
				{
					item[u][i] = (uint32_t) (unit_random(&seed) % MODEL_ITEMS);
					weight[u][i] = (float) (unit_random(&seed) % 5) - 1;
				}
				n = vector_of(ctx, &model, &history[u], v[u]);
				CHECK(rs_user_vector_create(ctx, &model, &history[u], &vector[u]) == RS_OK);
			}
			expected = cosine(v[0], v[1], n);
			CHECK_NEAR(rs_user_likeness(&vector[0], &vector[1]), expected, 1e-5);
			CHECK_NEAR(rs_user_likeness(&vector[1], &vector[0]), expected, 1e-5);
			rs_user_vector_free(ctx, &vector[0]);
			rs_user_vector_free(ctx, &vector[1]);
		}
		rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
	}
}

TEST(failures)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		UnitHeap quiet;
		const uint32_t item[2] = {1, MODEL_ITEMS};
		const float weight[2] = {1, 1};
		RsHistory history = {.n = 2, .item = item, .weight = weight};
		RsUserVector vector;
		RsModel model;

		model_train(unit_heap(&quiet, 0, 0), model_table[a], RS_ID_TEXT, &model);
		CHECK(rs_user_vector_create(&quiet.ctx, &model, &history, &vector) == RS_ERR_PARAM);
		history.n = 1;
		for (long at = 1;; at++)
		{
			UnitHeap heap;
			RsStatus status =
				rs_user_vector_create(unit_heap(&heap, at, 0), &model, &history, &vector);

			if (status == RS_OK)
				rs_user_vector_free(&heap.ctx, &vector);
			CHECK(heap.live == 0);
			if (!heap.failed)
				break;
			CHECK(status == RS_ERR_NOMEM);
		}
		rs_model_free(&quiet.ctx, &model);
	}
}

UNIT_MAIN(likeness, failures)
