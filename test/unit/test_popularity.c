/* The table of algorithms, and the most popular items. */
#include "items.h"

static Case c;

TEST(table)
{
	const RsAlgorithm *const *all = rs_algorithms();
	int n = 0;

	for (; *all != NULL; all++, n++)
	{
		const RsOption *option;

		CHECK(rs_algorithm_find(rs_algorithms(), (*all)->name) == *all);
		for (option = (*all)->options; option->name != NULL; option++)
		{
			size_t length = strlen(option->help);

			CHECK(option->min <= option->value && option->value <= option->max);
			CHECK(length > 0 && option->help[length - 1] == '.');
		}
		CHECK(option - (*all)->options <= RS_MAX_OPTIONS);
	}
	CHECK(n >= 5);
	CHECK(rs_algorithm_find(rs_algorithms(), "none") == NULL);
}

TEST(counts)
{
	RsContext ctx = rs_context_malloc();
	RsHistory empty = {.n = 0, .item = NULL, .weight = NULL};
	float out[20];
	RsOptions options;
	int timed;

	rs_options_default(&options, rs_popularity.options);
	for (timed = 0; timed < 2; timed++)
	{
		double sum[20] = {0};
		RsModel model;
		uint32_t i;

		case_random(&c, 30, 20, 500, timed, true, 1);
		CHECK(case_train(&ctx, &c, 3, &rs_popularity, &options, &model) == RS_OK);
		for (i = 0; i < c.n; i++)
			sum[c.item[i]] += c.weight[i];
		CHECK(rs_score_all(&ctx, &model, &empty, out) == RS_OK);
		for (i = 0; i < 20; i++)
			CHECK_NEAR(out[i], fmax(sum[i], 0), 1e-4);
		CHECK(model.n_users == 30 && model.n_events == 500 && model.algorithm == &rs_popularity);
		CHECK(isnan(model.loss));
		rs_model_free(&ctx, &model);
	}
	CHECK(ctx.memory_used == 0);
}

TEST(robust)
{
	RsOptions options;

	rs_options_default(&options, rs_popularity.options);
	check_determinism(&rs_popularity, &options, false);
	check_failures(&rs_popularity, &options, false);
	check_failures(&rs_popularity, &options, true);
	check_degenerate(&rs_popularity, &options, false);
}

UNIT_MAIN(table, counts, robust)
