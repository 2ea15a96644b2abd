/* ease against a dense inverse in double; both forms; limits. */
#include "items.h"

static Case c;

/* Inverse of a[n][n] in place, Gauss-Jordan with pivoting off (SPD). */
static void
invert(double *a, uint32_t n)
{
	uint32_t i, j, k;

	for (k = 0; k < n; k++)
	{
		double pivot = a[k * n + k];

		a[k * n + k] = 1;
		for (j = 0; j < n; j++)
			a[k * n + j] /= pivot;
		for (i = 0; i < n; i++)
		{
			double factor = a[i * n + k];

			if (i == k)
				continue;
			a[i * n + k] = 0;
			for (j = 0; j < n; j++)
				a[i * n + j] -= factor * a[k * n + j];
		}
	}
}

/* B of the formula; free it. */
static double *
expected_weights(double lambda, double e, double dropout)
{
	uint32_t n = c.n_items, u, i, j;
	double *x = case_dense(&c);
	double *p = calloc((size_t) n * n, sizeof(double));
	double *b = calloc((size_t) n * n, sizeof(double));

	for (u = 0; u < c.n_users; u++)
	{
		double length = effective(x + u * n, n, 1);

		for (i = 0; i < n && length > 0; i++)
			for (j = 0; j < n; j++)
				p[i * n + j] += x[u * n + i] * x[u * n + j] * pow(length, -e);
	}
	for (i = 0; i < n; i++)
		p[i * n + i] += lambda + dropout / (1 - dropout) * p[i * n + i];
	invert(p, n);
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			b[i * n + j] = i == j ? 0 : -p[i * n + j] / p[j * n + j];
	free(x);
	free(p);
	return b;
}

static void
check_weights(uint32_t n_users, uint32_t n_items, bool dense, bool signs)
{
	RsContext ctx = rs_context_malloc();
	static float out[200];
	RsOptions options;
	RsModel model;
	double *b;
	uint32_t i, j;

	case_random(&c, n_users, n_items, 1200, false, signs, 31);
	b = expected_weights(5, 0.5, 0.2);
	rs_options_default(&options, rs_ease.options);
	set_option(&options, "regularization", 5);
	set_option(&options, "user_exponent", 0.5);
	set_option(&options, "dropout", 0.2);
	set_option(&options, "dense_items", dense ? 1000 : 0);
	set_option(&options, "neighbors", 1000);
	CHECK(case_train(&ctx, &c, 5, &rs_ease, &options, &model) == RS_OK);
	CHECK(rs_model_check(&ctx, &model) == RS_OK);
	CHECK((rs_model_tensor(&model, "item_weights") != NULL) == dense);
	for (i = 0; i < n_items; i++)
	{
		weights_of(&model, i, 1, out);
		for (j = 0; j < n_items; j++)
			CHECK_NEAR(out[j], b[i * n_items + j], 2e-5);
	}
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
	free(b);
}

TEST(by_items)
{
	check_weights(100, 40, true, false);
	check_weights(100, 40, false, true);
}

TEST(by_users)
{
	check_weights(12, 180, true, false);
	check_weights(12, 180, false, false);
	check_weights(12, 180, true, true);
}

TEST(limit)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;

	case_random(&c, 900, 800, 4000, false, false, 3);
	rs_options_default(&options, rs_ease.options);
	ctx.memory_limit = 1500000; /* the matrix alone is 2.4 MB */
	CHECK(case_train(&ctx, &c, 0, &rs_ease, &options, &model) == RS_ERR_LIMIT);
	CHECK(strstr(ctx.hint, "recsys.train_memory") != NULL && strstr(ctx.hint, "items fit") != NULL);
	CHECK(ctx.memory_peak < 600000);
	CHECK(ctx.memory_used == 0);
}

TEST(robust)
{
	RsOptions options;

	rs_options_default(&options, rs_ease.options);
	set_option(&options, "regularization", 1);
	check_determinism(&rs_ease, &options, false);
	check_failures(&rs_ease, &options, false);
	check_degenerate(&rs_ease, &options, false);
	set_option(&options, "dense_items", 0);
	set_option(&options, "neighbors", 7);
	check_determinism(&rs_ease, &options, false);
	check_failures(&rs_ease, &options, false);
	check_degenerate(&rs_ease, &options, false);
	set_option(&options, "user_exponent", 0);
	check_degenerate(&rs_ease, &options, false);
}

UNIT_MAIN(by_items, by_users, limit, robust)
