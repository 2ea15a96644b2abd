/* als against its objective: dense oracles, threads, fold-in, bad numbers. */
#include "items.h"

#include "core/math/vec.h"

#include <math.h>

static Case c;

#define FACTORS 5

typedef struct Numbers
{
	double alpha, omega, lambda, nu;
} Numbers;

static const Numbers numbers = {2.0, 0.3, 0.05, 0.7};

static void
als_options(RsOptions *options, const char *solver)
{
	RsContext ctx = rs_context_malloc();

	rs_options_default(options, rs_als.options);
	set_option(options, "factors", FACTORS);
	set_option(options, "iterations", 6);
	set_option(options, "alpha", numbers.alpha);
	set_option(options, "unobserved_weight", numbers.omega);
	set_option(options, "regularization", numbers.lambda);
	set_option(options, "regularization_exponent", numbers.nu);
	if (rs_options_set(&ctx, options, "solver", RS_OPTION_ENUM, 0, solver) != RS_OK)
		abort();
}

/* Solve a[n][n] x = b in double by Gauss elimination with pivoting. */
static void
solve_dense(double *a, double *b, int n)
{
	int i, j, k;

	for (k = 0; k < n; k++)
	{
		int best = k;
		double t;

		for (i = k + 1; i < n; i++)
			if (fabs(a[i * n + k]) > fabs(a[best * n + k]))
				best = i;
		for (j = 0; j < n; j++)
		{
			t = a[k * n + j];
			a[k * n + j] = a[best * n + j];
			a[best * n + j] = t;
		}
		t = b[k];

		b[k] = b[best];
		b[best] = t;
		for (i = k + 1; i < n; i++)
		{
			double f = a[i * n + k] / a[k * n + k];

			for (j = k; j < n; j++)
				a[i * n + j] -= f * a[k * n + j];
			b[i] -= f * b[k];
		}
	}
	for (k = n - 1; k >= 0; k--)
	{
		for (j = k + 1; j < n; j++)
			b[k] -= a[k * n + j] * b[j];
		b[k] /= a[k * n + k];
	}
}

/* The row that minimizes the objective against y[n][FACTORS]; weights w[n]. */
static void
exact_row(const float *y, const double *w, uint32_t n, double *x)
{
	double a[FACTORS * FACTORS] = {0};
	uint32_t i, count = 0;
	int p, q;

	memset(x, 0, FACTORS * sizeof *x);
	for (i = 0; i < n; i++)
	{
		double seen = numbers.alpha * fabs(w[i]);

		count += w[i] != 0;
		for (p = 0; p < FACTORS; p++)
		{
			for (q = 0; q < FACTORS; q++)
				a[p * FACTORS + q] +=
					(numbers.omega + seen) * (double) y[i * FACTORS + p] * y[i * FACTORS + q];
			if (w[i] > 0)
				x[p] += seen * (double) y[i * FACTORS + p];
		}
	}
	for (p = 0; p < FACTORS; p++)
		a[p * FACTORS + p] += numbers.lambda * pow(count + numbers.omega * n, numbers.nu);
	solve_dense(a, x, FACTORS);
}

/* The objective of DESIGN, cell by cell, with users solved exactly. */
static double
objective_after_users(const double *x, const float *y)
{
	double sum = 0;
	uint32_t u, i, p;

	for (u = 0; u < c.n_users; u++)
	{
		double row[FACTORS];
		double norm = 0;
		uint32_t count = 0;

		exact_row(y, x + u * c.n_items, c.n_items, row);
		for (i = 0; i < c.n_items; i++)
		{
			double w = x[u * c.n_items + i];
			double score = 0;
			double preference = w > 0;

			for (p = 0; p < FACTORS; p++)
				score += row[p] * (double) y[i * FACTORS + p];
			sum += numbers.alpha * fabs(w) * (preference - score) * (preference - score);
			sum += numbers.omega * score * score;
			count += w != 0;
		}
		for (p = 0; p < FACTORS; p++)
			norm += row[p] * row[p];
		sum += numbers.lambda * pow(count + numbers.omega * c.n_items, numbers.nu) * norm;
	}
	for (i = 0; i < c.n_items; i++)
	{
		double norm = 0;
		uint32_t count = 0;

		for (u = 0; u < c.n_users; u++)
			count += x[u * c.n_items + i] != 0;
		for (p = 0; p < FACTORS; p++)
			norm += (double) y[i * FACTORS + p] * y[i * FACTORS + p];
		sum += numbers.lambda * pow(count + numbers.omega * c.n_users, numbers.nu) * norm;
	}
	return sum;
}

static void
fold_in(const RsModel *model, const double *w, float *out)
{
	RsContext ctx = rs_context_malloc();
	uint32_t items[MOST_EVENTS];
	float weights[MOST_EVENTS];
	RsHistory history = {.n = 0, .item = items, .weight = weights};
	uint32_t i;

	for (i = 0; i < c.n_items; i++)
		if (w[i] != 0)
		{
			items[history.n] = i;
			weights[history.n++] = (float) w[i];
		}
	memset(out, 0, FACTORS * sizeof *out);
	CHECK(rs_als.query(&ctx, model, &history, out) == RS_OK);
}

/* The vectors in order of item, until the next call. */
static const float *
factors_of(const RsModel *model)
{
	static float rows[MOST_EVENTS * FACTORS];
	RsFactors factors = rs_model_factors(model);

	for (uint32_t i = 0; i < factors.n; i++)
		memcpy(rows + i * FACTORS, rs_factors_row(&factors, i), FACTORS * sizeof(float));
	return rows;
}

TEST(fold_in_is_the_row_that_training_would_give)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	double *x;
	uint32_t u;
	int p;

	case_random(&c, 40, 30, 300, false, true, 1);
	als_options(&options, "cg");
	CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
	x = case_dense(&c);
	for (u = 0; u < c.n_users; u++)
	{
		double expected[FACTORS];
		float row[FACTORS];

		exact_row(factors_of(&model), x + u * c.n_items, c.n_items, expected);
		fold_in(&model, x + u * c.n_items, row);
		for (p = 0; p < FACTORS; p++)
			CHECK_NEAR(row[p], expected[p], 2e-4);
	}
	free(x);
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
}

/* More iterations never worsen the objective, and both solvers arrive. */
TEST(objective_falls_and_solvers_agree)
{
	static const char *const names[] = {"cg", "cholesky"};
	double *x;
	double final[2];
	int s, iterations;

	case_random(&c, 40, 30, 300, false, true, 2);
	x = case_dense(&c);
	for (s = 0; s < 2; s++)
	{
		double last = INFINITY;

		for (iterations = 1; iterations <= 64; iterations *= 4)
		{
			RsContext ctx = rs_context_malloc();
			RsOptions options;
			RsModel model;
			double now;

			als_options(&options, names[s]);
			set_option(&options, "iterations", iterations);
			CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
			CHECK(model.iterations == iterations);
			CHECK(isfinite(model.loss));
			now = objective_after_users(x, factors_of(&model));
			CHECK(now <= last * (1 + 1e-5));
			last = now;
			rs_model_free(&ctx, &model);
		}
		final[s] = last;
	}
	CHECK_NEAR(final[0], final[1], 0.02 * final[1]);
	free(x);
}

TEST(reported_loss_is_the_objective)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	double *x;

	case_random(&c, 40, 30, 300, false, true, 3);
	x = case_dense(&c);
	als_options(&options, "cholesky");
	set_option(&options, "iterations", 200);
	CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
	/* converged: another half step changes nothing, so both are one number */
	CHECK_NEAR(model.loss, objective_after_users(x, factors_of(&model)), 1e-3 * model.loss);
	free(x);
	rs_model_free(&ctx, &model);
}

TEST(same_bits_for_any_order_and_threads)
{
	RsOptions options;
	RsModel models[3];
	RsContext ctx[3];
	int i;

	/* wide enough that both sides are cut into pieces (alsrows.c: PIECE_WORK) */
	case_random(&c, 300, 120, 4000, false, true, 4);
	als_options(&options, "cg");
	set_option(&options, "factors", 160);
	for (i = 0; i < 3; i++)
	{
		ctx[i] = rs_context_malloc();
		ctx[i].threads = i == 0 ? 1 : 3;
		if (i == 2)
			case_shuffle(&c, 9);
		CHECK(case_train(&ctx[i], &c, i == 2 ? 17 : 0, &rs_als, &options, &models[i]) == RS_OK);
	}
	CHECK(same_models(&models[0], &models[1]));
	CHECK(same_models(&models[0], &models[2]));
	for (i = 0; i < 3; i++)
		rs_model_free(&ctx[i], &models[i]);
}

TEST(negative_weight_lowers_an_item)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	double *x;
	float row[FACTORS];
	double before, after;
	uint32_t item;

	case_random(&c, 60, 30, 600, false, false, 5);
	als_options(&options, "cg");
	CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
	x = case_dense(&c);
	for (item = 0; x[item] != 0; item++)
		;
	fold_in(&model, x, row);
	before = rs_dot(row, factors_of(&model) + item * FACTORS, FACTORS);
	x[item] = -5;
	fold_in(&model, x, row);
	after = rs_dot(row, factors_of(&model) + item * FACTORS, FACTORS);
	CHECK(fabs(after) < fabs(before));
	free(x);
	rs_model_free(&ctx, &model);
}

TEST(divergence_is_an_error_not_a_model)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	RsStatus status;
	uint32_t i;

	case_random(&c, 20, 12, 100, false, false, 6);
	for (i = 0; i < c.n; i++)
		c.weight[i] = 3e38f;
	als_options(&options, "cg");
	set_option(&options, "alpha", 1e6);
	status = case_train(&ctx, &c, 0, &rs_als, &options, &model);
	CHECK(status == RS_ERR_DIVERGED);
	CHECK(ctx.hint[0] != '\0');
	CHECK(ctx.memory_used == 0);
}

TEST(stops_by_tolerance)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;

	case_random(&c, 40, 30, 300, false, false, 7);
	als_options(&options, "cholesky");
	set_option(&options, "iterations", 500);
	set_option(&options, "tolerance", 0.01);
	CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
	CHECK(model.iterations < 100);
	rs_model_free(&ctx, &model);
}

TEST(one_user_one_item)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	double w = 1;
	float row[FACTORS];

	case_random(&c, 1, 1, 1, false, false, 8);
	als_options(&options, "cg");
	CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
	fold_in(&model, &w, row);
	CHECK(rs_dot(row, factors_of(&model), FACTORS) > 0);
	rs_model_free(&ctx, &model);
}

TEST(every_allocation_may_fail)
{
	RsOptions options;
	long n;

	case_random(&c, 20, 12, 100, false, true, 10);
	als_options(&options, "cholesky");
	for (n = 1;; n++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, n, 0);
		RsModel model;
		RsStatus status = case_train(ctx, &c, 0, &rs_als, &options, &model);

		if (status == RS_OK)
			rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
		if (!heap.failed)
			break;
		CHECK(status == RS_ERR_NOMEM);
	}
	CHECK(n > 5);
}

TEST(every_poll_may_cancel)
{
	RsOptions options;
	long n;

	case_random(&c, 20, 12, 100, false, true, 11);
	als_options(&options, "cg");
	for (n = 1;; n++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, n);
		RsModel model;
		RsStatus status;

		ctx->threads = 2;
		status = case_train(ctx, &c, 0, &rs_als, &options, &model);
		if (status == RS_OK)
			rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
		if (!heap.canceled)
			break;
		CHECK(status == RS_ERR_CANCELED);
	}
	CHECK(n > 3);
}

/* cg_steps, long vectors and a history with an item twice */
TEST(wide_factors_and_repeated_items)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	uint32_t twice[] = {3, 3, 1};
	float weights[] = {1, 1, 2};
	uint32_t once[] = {1, 3};
	float summed[] = {2, 2};
	RsHistory a = {.n = 3, .item = twice, .weight = weights};
	RsHistory b = {.n = 2, .item = once, .weight = summed};
	float x[130] = {0};
	float y[130] = {0};
	int p;

	case_random(&c, 60, 30, 600, false, false, 12);
	als_options(&options, "cg");
	set_option(&options, "factors", 130);
	set_option(&options, "cg_steps", 5);
	CHECK(case_train(&ctx, &c, 0, &rs_als, &options, &model) == RS_OK);
	CHECK(rs_als.query(&ctx, &model, &a, x) == RS_OK);
	CHECK(rs_als.query(&ctx, &model, &b, y) == RS_OK);
	for (p = 0; p < 130; p++)
		CHECK(x[p] == y[p]);
	rs_model_free(&ctx, &model);
}

UNIT_MAIN(fold_in_is_the_row_that_training_would_give, objective_falls_and_solvers_agree,
		  reported_loss_is_the_objective, same_bits_for_any_order_and_threads,
		  negative_weight_lowers_an_item, divergence_is_an_error_not_a_model, stops_by_tolerance,
		  one_user_one_item, every_allocation_may_fail, every_poll_may_cancel,
		  wide_factors_and_repeated_items)
