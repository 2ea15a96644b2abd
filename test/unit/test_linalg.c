/*
 * test_linalg.c
 *		Vector kernels and dense algebra against plain loops.
 */
#include "unit.h"

#include "core/math/linalg.h"
#include "core/math/vec.h"

static uint64_t seed = 1;

static float *
random_floats(size_t n)
{
	float *a = malloc((n + 1) * sizeof(float));
	size_t i;

	for (i = 0; i < n; i++)
		a[i] = (float) unit_normal(&seed);
	return a;
}

TEST(kernels_agree_with_plain_loops)
{
	size_t n;

	for (n = 0; n < 300; n += n < 70 ? 1 : 23)
	{
		float *a = random_floats(n + 1);
		float *rows = random_floats(7 * n + 1);
		float *y = random_floats(n);
		float out[7];
		double sum = 0, norm = 0;
		size_t i;

		for (i = 0; i < n; i++)
		{
			sum += (double) a[i] * y[i];
			norm += (double) a[i] * a[i];
		}
		CHECK_NEAR(rs_dot(a, y, n), sum, 1e-4);
		CHECK_NEAR(rs_norm(a, n), sqrt(norm), 1e-6);
		rs_dot_rows(a, rows, 7, n, out);
		for (i = 0; i < 7; i++)
			CHECK(out[i] == rs_dot(a, rows + i * n, n));
		/* alignment does not change bits */
		memmove(rows + 1, y, n * sizeof(float));
		CHECK(rs_dot(a, rows + 1, n) == rs_dot(a, y, n));
		rs_axpy(2.5f, a, y, n);
		for (i = 0; i < n; i++)
			CHECK_NEAR(y[i], (double) rows[1 + i] + 2.5 * a[i], 1e-5);
		free(a);
		free(rows);
		free(y);
	}
}

TEST(small_systems_are_solved)
{
	int n;

	for (n = 1; n <= 130; n += n < 40 ? 1 : 30)
	{
		float *m = random_floats((size_t) n * n);
		float *a = calloc((size_t) n * n, sizeof(float));
		float *work = calloc((size_t) n * n, sizeof(float));
		float *b = random_floats((size_t) n);
		float *x = malloc((size_t) n * sizeof(float));
		int i, j, k;

		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				for (k = 0; k < n; k++)
					a[i * n + j] += m[i * n + k] * m[j * n + k] / (float) n;
		for (i = 0; i < n; i++)
			a[i * n + i] += 1;
		memcpy(work, a, (size_t) n * n * sizeof(float));
		memcpy(x, b, (size_t) n * sizeof(float));
		CHECK(rs_solve_spd_upper(work, x, (size_t) n));
		for (i = 0; i < n; i++)
		{
			double sum = 0;

			for (j = 0; j < n; j++)
				sum += (double) a[i * n + j] * x[j];
			CHECK_NEAR(sum, b[i], 1e-4);
		}
		free(m);
		free(a);
		free(work);
		free(b);
		free(x);
	}
}

TEST(systems_that_are_not_positive_definite_are_refused)
{
	float zero[4] = {0};
	float negative[1] = {-1};
	float nan_matrix[1] = {NAN};
	float b[2] = {1, 1};

	CHECK(!rs_solve_spd_upper(zero, b, 2));
	CHECK(!rs_solve_spd_upper(negative, b, 1));
	CHECK(!rs_solve_spd_upper(nan_matrix, b, 1));
}

/* The inverse of an SPD matrix, in one block and in several, 1 and 2 threads. */
TEST(inverse_is_the_inverse)
{
	static const int sizes[] = {1, 2, 17, 200, 700};
	size_t s;
	int threads;

	for (s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (threads = 1; threads <= 2; threads++)
		{
			RsContext ctx = rs_context_malloc();
			int n = sizes[s];
			float *m = random_floats((size_t) n * n);
			float *a = calloc((size_t) n * n, sizeof(float));
			float *inverse = malloc((size_t) n * n * sizeof(float));
			float *product = malloc((size_t) n * n * sizeof(float));
			int i, j;

			ctx.threads = threads;
			rs_add_outer(m, NULL, NULL, (size_t) n, (size_t) n, a);
			for (i = 0; i < n; i++)
				for (j = i; j < n; j++)
					a[j * n + i] = a[i * n + j] = a[i * n + j] / (float) n + (i == j);
			memcpy(inverse, a, (size_t) n * n * sizeof(float));
			CHECK(rs_spd_inverse(&ctx, inverse, n) == RS_OK);
			for (i = 0; i < n; i++)
			{
				rs_dot_rows(a + i * n, inverse, (size_t) n, (size_t) n, product + i * n);
				for (j = 0; j < n; j++)
				{
					if (fabs(product[i * n + j] - (i == j)) > 1e-3)
						CHECK(!"product is not the identity");
					if (inverse[i * n + j] != inverse[j * n + i])
						CHECK(!"inverse is not symmetric");
				}
			}
			free(m);
			free(a);
			free(inverse);
			free(product);
			CHECK(ctx.memory_used == 0);
		}
}

/* In double, of a matrix whose rows differ by eight orders: to ten digits. */
TEST(inverse_in_double)
{
	static const int sizes[] = {1, 200, 700, 900};

	for (int s = 0; s < 8; s++)
	{
		RsContext ctx = rs_context_malloc();
		int n = sizes[s / 2];
		double *a = calloc((size_t) n * n, sizeof(double));
		double *inverse = malloc((size_t) n * n * sizeof(double));
		double *scale = malloc((size_t) n * sizeof(double));
		double worst = 0;

		ctx.threads = 1 + s % 2;
		for (int i = 0; i < n; i++)
		{
			scale[i] = pow(10, 4 * unit_uniform(&seed) - 2);
			for (int j = 0; j <= i; j++)
				a[i * n + j] = a[j * n + i] =
					(i == j ? n : 2 * unit_uniform(&seed) - 1) * scale[i] * scale[j];
		}
		memcpy(inverse, a, (size_t) n * n * sizeof(double));
		CHECK(rs_spd_inverse_double(&ctx, inverse, n) == RS_OK);
		for (int i = 0; i < n; i++)
			for (int j = 0; j < n; j += 7)
			{
				double sum = 0;

				for (int k = 0; k < n; k++)
					sum += inverse[i * n + k] * a[k * n + j];
				worst = fmax(worst, fabs(sum - (i == j)) * scale[i] / scale[j]);
			}
		CHECK_NEAR(worst, 0, 1e-10);
		free(a);
		free(inverse);
		free(scale);
		CHECK(ctx.memory_used == 0);
	}
}

TEST(inverse_refuses_and_cancels)
{
	RsContext ctx = rs_context_malloc();
	UnitHeap heap;
	RsContext *canceled = unit_heap(&heap, 0, 1);
	float *a = calloc(700 * 700, sizeof(float));
	int i;

	CHECK(rs_spd_inverse(&ctx, a, 700) == RS_ERR_DIVERGED);
	memset(a, 0, 700 * 700 * sizeof(float));
	for (i = 0; i < 700; i++)
		a[i * 700 + i] = 2;
	CHECK(rs_spd_inverse(canceled, a, 700) == RS_ERR_CANCELED);
	CHECK(heap.live == 0);
	free(a);
}

UNIT_MAIN(kernels_agree_with_plain_loops, small_systems_are_solved,
		  systems_that_are_not_positive_definite_are_refused, inverse_is_the_inverse,
		  inverse_in_double, inverse_refuses_and_cancels)
