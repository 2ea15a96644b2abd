/* ease against a dense inverse in long double; both forms; limits. */
#include "items.h"

static Case c;

/* Inverse of a[n][n] in place, Gauss-Jordan with pivoting off (SPD). */
static void
invert(long double *a, uint32_t n)
{
	uint32_t i, j, k;

	for (k = 0; k < n; k++)
	{
		long double pivot = a[k * n + k];

		a[k * n + k] = 1;
		for (j = 0; j < n; j++)
			a[k * n + j] /= pivot;
		for (i = 0; i < n; i++)
		{
			long double factor = a[i * n + k];

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
	long double *p = calloc((size_t) n * n, sizeof(long double));
	double *b = calloc((size_t) n * n, sizeof(double));

	for (u = 0; u < c.n_users; u++)
	{
		double length = effective(x + u * n, n, 1);

		for (i = 0; i < n && length > 0; i++)
			for (j = 0; j < n; j++)
				p[i * n + j] += (long double) x[u * n + i] * x[u * n + j] * pow(length, -e);
	}
	for (i = 0; i < n; i++)
		p[i * n + i] += lambda + dropout / (1 - dropout) * p[i * n + i];
	invert(p, n);
	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++)
			b[i * n + j] = i == j ? 0 : (double) (-p[i * n + j] / p[j * n + j]);
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

/* Weights from .01 to 100, and no more of them than given. */
static void
uneven(uint32_t n_users, uint32_t n_items, uint32_t n)
{
	uint64_t seed = 77;

	case_random(&c, n_users, n_items, n, false, false, 41);
	for (uint32_t i = 0; i < n; i++)
		c.weight[i] = (float) pow(10, 4 * unit_uniform(&seed) - 2);
}

/* How near the weights of a model are to those of the formula, at worst in any
 * target, as a share of the largest of the target. */
static double
worst_error(RsContext *ctx, double lambda, double e, double dropout, bool dense)
{
	static float out[400 * 400];
	uint32_t n = c.n_items;
	double *b = expected_weights(lambda, e, dropout);
	double worst = 0;
	RsOptions options;
	RsModel model;

	rs_options_default(&options, rs_ease.options);
	set_option(&options, "regularization", lambda);
	set_option(&options, "user_exponent", e);
	set_option(&options, "dropout", dropout);
	set_option(&options, "dense_items", dense ? 1000 : 0);
	set_option(&options, "neighbors", 1000);
	if (case_train(ctx, &c, 5, &rs_ease, &options, &model) != RS_OK)
	{
		free(b);
		return INFINITY;
	}
	for (uint32_t i = 0; i < n; i++)
		weights_of(&model, i, 1, out + (size_t) i * n);
	for (uint32_t j = 0; j < n; j++)
	{
		double most = 0;
		double error = 0;

		for (uint32_t i = 0; i < n; i++)
		{
			most = fmax(most, fabs(b[i * n + j]));
			error = fmax(error, fabs(b[i * n + j] - out[(size_t) i * n + j]));
		}
		if (most > 1e-6)
			worst = fmax(worst, error / most);
	}
	rs_model_free(ctx, &model);
	free(b);
	return worst;
}

/* Uneven weights under weak regularization, both ways, few and many users: the
 * weights of every target are right to a thousandth. */
TEST(uneven_weights)
{
	static const uint32_t shape[][3] = {
		{600, 60, 6000}, {70, 60, 2000}, {12, 180, 1000}, {100, 300, 3000}, {160, 200, 8000}};
	static const double lambda[] = {0.001, 0.1, 60};

	for (int s = 0; s < 5; s++)
		for (int l = 0; l < 3; l++)
			for (int dense = 0; dense < 2; dense++)
			{
				RsContext ctx = rs_context_malloc();
				double worst;

				uneven(shape[s][0], shape[s][1], shape[s][2]);
				worst = worst_error(&ctx, lambda[l], 0.5 * (l % 2), 0.1 * (l == 2), dense);
				if (!(worst < 1e-3))
					printf("%u users, %u items, regularization %g: %g\n", shape[s][0], shape[s][1],
						   lambda[l], worst);
				CHECK(worst < 1e-3);
				CHECK(ctx.memory_used == 0);
			}
}

/* Where not even double tells the weights, it is said; what is not said is right. */
TEST(hopeless_weights)
{
	int refused = 0;

	for (int kind = 0; kind < 30; kind++)
	{
		RsContext ctx = rs_context_malloc();
		uint64_t seed = 5 + (uint64_t) kind;
		double worst;

		case_random(&c, kind % 3 == 0 ? 300 : 20, kind % 3 == 1 ? 20 : 100, 900, false, false,
					seed);
		for (uint32_t i = 0; i < c.n; i++)
			c.weight[i] = (float) pow(10, (3 + kind / 2) * unit_uniform(&seed));
		worst = worst_error(&ctx, 0.001, 0.5, 0, kind % 2);
		CHECK(ctx.memory_used == 0);
		if (isinf(worst))
		{
			refused++;
			CHECK(ctx.status == RS_ERR_DIVERGED && strstr(ctx.hint, "\"regularization\"") != NULL);
		}
		else if (!(worst < 0.01))
		{
			printf("kind %d: %g\n", kind, worst);
			CHECK(worst < 0.01);
		}
	}
	CHECK(refused > 0 && refused < 20);
}

/* What a bound allows is the same bits under every larger one. */
TEST(bounds)
{
	static const uint32_t shape[][3] = {
		{900, 1000, 8000}, {90, 100, 1500}, {40, 300, 3000}, {300, 60, 3000}};

	for (int kind = 0; kind < 16; kind++)
	{
		RsContext free_ctx = rs_context_malloc();
		RsOptions options;
		RsModel free_model;
		bool worked = false;

		uneven(shape[kind % 4][0], shape[kind % 4][1], shape[kind % 4][2]);
		rs_options_default(&options, rs_ease.options);
		set_option(&options, "dense_items", kind / 4 % 2 ? 0 : 1000);
		set_option(&options, "regularization", kind / 8 ? 0.01 : 60);
		set_option(&options, "dropout", kind / 8 ? 0 : 0.1);
		CHECK(case_train(&free_ctx, &c, 0, &rs_ease, &options, &free_model) == RS_OK);
		for (size_t limit = kind % 4 == 0 ? 3000000 : 50000; limit < 24000000;
			 limit += limit / (kind % 4 == 0 ? 4 : 8))
		{
			RsContext ctx = rs_context_malloc();
			RsModel model;
			RsStatus status;

			ctx.memory_limit = limit;
			ctx.threads = 1 + (int) (limit / 7 % 2);
			status = case_train(&ctx, &c, 0, &rs_ease, &options, &model);
			CHECK(status == RS_OK || (status == RS_ERR_LIMIT && !worked));
			if (status == RS_OK)
			{
				worked = true;
				CHECK(same_models(&model, &free_model));
				rs_model_free(&ctx, &model);
			}
		}
		CHECK(worked);
		rs_model_free(&free_ctx, &free_model);
	}
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
	check_long_history(&rs_ease, &options, false);
	set_option(&options, "dense_items", 0);
	set_option(&options, "neighbors", 7);
	check_determinism(&rs_ease, &options, false);
	check_failures(&rs_ease, &options, false);
	check_degenerate(&rs_ease, &options, false);
	set_option(&options, "user_exponent", 0);
	check_degenerate(&rs_ease, &options, false);
}

UNIT_MAIN(by_items, by_users, uneven_weights, hopeless_weights, bounds, limit, robust)
