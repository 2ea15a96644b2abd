/* item_knn against the formula over a dense matrix. */
#include "items.h"

static Case c;

static void
check_formula(double a, double b, double e, double h, int neighbors_of, bool signs)
{
	RsContext ctx = rs_context_malloc();
	double users[40] = {0}, items[25] = {0};
	float out[25];
	RsOptions options;
	RsModel model;
	double *x;
	uint32_t u, i, j;

	case_random(&c, 40, 25, 400, false, signs, 11);
	x = case_dense(&c);
	for (u = 0; u < 40; u++)
		users[u] = effective(x + u * 25, 25, 1);
	for (i = 0; i < 25; i++)
		items[i] = effective(x + i, 40, 25);
	rs_options_default(&options, rs_item_knn.options);
	set_option(&options, "user_exponent", a);
	set_option(&options, "source_exponent", b);
	set_option(&options, "target_exponent", e);
	set_option(&options, "shrinkage", h);
	set_option(&options, "neighbors", 0);
	CHECK(rs_options_set(&ctx, &options, "neighbors_of", RS_OPTION_ENUM, 0,
						 neighbors_of ? "source" : "target") == RS_OK);
	CHECK(case_train(&ctx, &c, 0, &rs_item_knn, &options, &model) == RS_OK);
	for (j = 0; j < 25; j++)
	{
		weights_of(&model, j, 2, out);
		for (i = 0; i < 25; i++)
		{
			double sum = 0;

			for (u = 0; u < 40; u++)
				if (users[u] > 0)
					sum += x[u * 25 + j] * x[u * 25 + i] * pow(users[u], -2 * a);
			if (i == j || sum == 0)
				sum = 0;
			else
				sum /= pow(items[j], b) * pow(items[i], e) + h;
			CHECK_NEAR(out[i], 2 * sum, 1e-4 * (1 + fabs(sum)));
		}
	}
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
	free(x);
}

TEST(formula)
{
	int of;

	for (of = 0; of < 2; of++)
	{
		check_formula(0.5, 0.6, 0.3, 0, of, false);
		check_formula(0, 0.5, 0.5, 0, of, true); /* cosine */
		check_formula(0.3, 0.2, 0.7, 5, of, true);
		check_formula(0, 0, 0, 0, of, false);
	}
}

/* Of each target (or source) exactly the strongest are left. */
TEST(neighbors)
{
	int of;

	for (of = 0; of < 2; of++)
	{
		RsContext ctx = rs_context_malloc();
		static float all[30][30], few[30][30];
		RsOptions options;
		RsModel model;
		uint32_t i, j, k;

		case_random(&c, 60, 30, 500, false, true, 13);
		rs_options_default(&options, rs_item_knn.options);
		rs_options_set(&ctx, &options, "neighbors_of", RS_OPTION_ENUM, 0, of ? "source" : "target");
		set_option(&options, "neighbors", 0);
		CHECK(case_train(&ctx, &c, 0, &rs_item_knn, &options, &model) == RS_OK);
		for (j = 0; j < 30; j++)
			weights_of(&model, j, 1, all[j]);
		rs_model_free(&ctx, &model);
		set_option(&options, "neighbors", 4);
		CHECK(case_train(&ctx, &c, 0, &rs_item_knn, &options, &model) == RS_OK);
		CHECK(rs_model_check(&ctx, &model) == RS_OK);
		for (j = 0; j < 30; j++)
			weights_of(&model, j, 1, few[j]);
		rs_model_free(&ctx, &model);
		for (j = 0; j < 30; j++)
			for (i = 0; i < 30; i++)
			{
				float own = fabsf(all[j][i]);
				uint32_t better = 0;

				for (k = 0; k < 30; k++)
				{
					float other = fabsf(of ? all[j][k] : all[k][i]);

					better += other > own || (other == own && k < (of ? i : j));
				}
				CHECK(few[j][i] == (better < 4 ? all[j][i] : 0));
			}
	}
}

TEST(checks_reject)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	int64_t *offsets;
	int32_t *items;
	int64_t kept;

	case_random(&c, 60, 30, 500, false, false, 13);
	rs_options_default(&options, rs_item_knn.options);
	CHECK(case_train(&ctx, &c, 0, &rs_item_knn, &options, &model) == RS_OK);
	offsets = (int64_t *) rs_model_tensor(&model, "item_weights.offsets")->data;
	items = (int32_t *) rs_model_tensor(&model, "item_weights.items")->data;
	kept = offsets[1];
	offsets[1] = INT64_MAX;
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	offsets[1] = -1;
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	offsets[1] = kept;
	offsets[0] = 1;
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	offsets[0] = 0;
	items[1] = 30;
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	items[1] = items[0];
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	items[1] = -1;
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	model.n_tensors = 1;
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	model.n_tensors = 4;
	rs_model_free(&ctx, &model);
}

TEST(robust)
{
	RsOptions options;

	rs_options_default(&options, rs_item_knn.options);
	set_option(&options, "neighbors", 20);
	check_determinism(&rs_item_knn, &options, false);
	check_failures(&rs_item_knn, &options, false);
	check_degenerate(&rs_item_knn, &options, false);
	check_long_history(&rs_item_knn, &options, false);
	set_option(&options, "user_exponent", 0);
	check_degenerate(&rs_item_knn, &options, false);
}

UNIT_MAIN(formula, neighbors, checks_reject, robust)
