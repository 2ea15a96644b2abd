/*
 * test_mlpvec.c
 *		The network's kernels of every instruction set that this CPU has, against
 *		plain loops in double.
 */
#include "unit.h"

#include "core/math/mlpvec.c" /* for the kernels that are not the chosen ones */

#define ROWS 16
#define COLUMNS 96
#define DEPTH 300 /* more than is taken at a time */

static float left[ROWS * DEPTH], right[COLUMNS * DEPTH], transposed[COLUMNS * DEPTH];
static float bias[COLUMNS], panels[COLUMNS * DEPTH], out[ROWS * COLUMNS];

static void
fill(float *x, size_t n)
{
	static uint64_t seed = 3;

	for (size_t i = 0; i < n; i++)
		x[i] = (float) unit_normal(&seed);
}

static void
check_out(float times)
{
	for (size_t i = 0; i < ROWS; i++)
		for (size_t j = 0; j < COLUMNS; j++)
		{
			double sum = 0;

			for (size_t p = 0; p < DEPTH; p++)
				sum += (double) left[i * DEPTH + p] * right[j * DEPTH + p];
			CHECK_NEAR(out[i * COLUMNS + j], times * sum + bias[j], 1e-4);
		}
}

static void
check_products(const Kernels *set)
{
	RsProduct job = {left, DEPTH, 1, transposed, COLUMNS, DEPTH, false};

	fill(left, ROWS * DEPTH);
	fill(right, COLUMNS * DEPTH);
	fill(bias, COLUMNS);
	for (size_t p = 0; p < DEPTH; p++)
		for (size_t j = 0; j < COLUMNS; j++)
			transposed[p * COLUMNS + j] = right[j * DEPTH + p];
	set->pack(right, DEPTH, 0, COLUMNS, panels);
	set->dense(left, DEPTH, DEPTH, panels, bias, out, COLUMNS, ROWS, COLUMNS);
	check_out(1);
	memset(bias, 0, sizeof(bias));
	set->product(&job, out, COLUMNS, ROWS, COLUMNS);
	check_out(1);
	job.add = true;
	set->product(&job, out, COLUMNS, ROWS, COLUMNS);
	check_out(2);
	set->scale(out, ROWS * COLUMNS, 0.25f);
	check_out(0.5f);
}

/* What an activation gives, and by a difference of two of these its slope. */
static double
activation(RsActivation kind, double x)
{
	return kind == RS_RELU ? (x > 0 ? x : 0) : kind == RS_TANH ? tanh(x) : 1 / (1 + exp(-x));
}

static void
check_activations(const Kernels *set)
{
	for (int kind = RS_RELU; kind <= RS_SIGMOID; kind++)
	{
		float x[RS_MLP_PAD];
		float y[RS_MLP_PAD];
		float delta[RS_MLP_PAD];

		fill(x, RS_MLP_PAD);
		x[0] = 100;
		x[1] = -100;
		memcpy(y, x, sizeof(y));
		set->activate((RsActivation) kind, y, RS_MLP_PAD);
		for (int i = 0; i < RS_MLP_PAD; i++)
			delta[i] = 2;
		set->derive((RsActivation) kind, y, delta, RS_MLP_PAD);
		for (int i = 0; i < RS_MLP_PAD; i++)
		{
			double slope = (activation((RsActivation) kind, x[i] + 1e-5) -
							activation((RsActivation) kind, x[i] - 1e-5)) /
						   2e-5;

			CHECK_NEAR(y[i], activation((RsActivation) kind, x[i]), 1e-6);
			CHECK_NEAR(delta[i], 2 * slope, 1e-5);
		}
	}
}

/* Adam as the paper writes it, in double. */
static void
check_adam(const Kernels *set)
{
	float w[3] = {1, -2, 0.5f}, m[3] = {0}, v[3] = {0};
	double ww[3] = {1, -2, 0.5}, mm[3] = {0}, vv[3] = {0};
	const double rate = 0.01, epsilon = 1e-7, decay = 0.1;
	uint64_t state = 1;

	for (int t = 1; t <= 50; t++)
	{
		float g[3];
		double alpha = rate * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t));
		RsAdam step = {1 - 0.9, 1 - 0.999, (float) alpha, (float) epsilon};

		for (int i = 0; i < 3; i++)
		{
			g[i] = (float) unit_normal(&state);
			mm[i] = 0.9 * mm[i] + 0.1 * g[i];
			vv[i] = 0.999 * vv[i] + 0.001 * g[i] * g[i];
			ww[i] -= rate * decay * ww[i] + alpha * mm[i] / (sqrt(vv[i]) + epsilon);
		}
		set->adam(&step, (float) (rate * decay), w, m, v, g, 3);
		for (int i = 0; i < 3; i++)
		{
			CHECK_NEAR(m[i], mm[i], 1e-5);
			CHECK_NEAR(v[i], vv[i], 1e-5);
			CHECK_NEAR(w[i], ww[i], 1e-5);
		}
	}
}

static void
check_exponential(const Kernels *set)
{
	float x[64];
	float sum;
	double expected = 0;

	for (int i = 0; i < 61; i++)
	{
		x[i] = -3.0f * (float) i + 2;
		expected += exp(-3.0 * i);
	}
	CHECK(set->max(x, 61) == 2);
	sum = set->exp_sum(x, 61, 2);
	CHECK_NEAR(sum, expected, 1e-6);
	for (int i = 0; i < 61; i++)
		CHECK_NEAR(x[i], exp(-3.0 * i), 1e-6 * exp(-3.0 * i) + 1e-36);
	x[0] = NAN;
	CHECK(isnan(set->exp_sum(x, 61, 2)));
}

/* Run a check on each set of kernels. */
static void
each_set(void (*check)(const Kernels *set))
{
	check(&plain);
#if defined(__x86_64__)
	if (kernels != &plain)
		check(&avx2);
	if (kernels == &avx512)
		check(&avx512);
#endif
}

TEST(products)
{
	each_set(check_products);
}

TEST(activations)
{
	each_set(check_activations);
}

TEST(adam)
{
	each_set(check_adam);
}

TEST(exponential)
{
	each_set(check_exponential);
}

UNIT_MAIN(products, activations, adam, exponential)
