/*
 * test_vec.c
 *		The vector kernels of every instruction set that this CPU has, against
 *		plain loops in double.
 */
#include "unit.h"

#include "core/math/vec.c" /* for the kernels that are not the chosen ones */

#define MOST 150

static uint64_t seed = 3;

/* Kernel sets to try; how many. */
static int
sets(const Kernels *out[3])
{
	int n = 0;

	out[n++] = &plain;
#if defined(__x86_64__)
	if (kernels != &plain)
		out[n++] = &avx2;
	if (kernels == &avx512)
		out[n++] = &avx512;
#endif
	return n;
}

static void
fill(float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (float) unit_normal(&seed);
}

TEST(dot_and_axpy)
{
	const Kernels *all[3];
	int n_sets = sets(all);
	static float a[MOST + 4], b[MOST + 4], y[MOST + 4];

	for (int s = 0; s < n_sets; s++)
		for (size_t n = 0; n < MOST; n++)
		{
			size_t shift = n % 4;
			float *x = a + shift;
			float first;
			double sum = 0, size = 0;

			fill(a, MOST + 4);
			fill(b, MOST + 4);
			memcpy(y, b, sizeof(y));
			for (size_t i = 0; i < n; i++)
			{
				sum += (double) x[i] * b[i];
				size += fabs((double) x[i] * b[i]);
			}
			first = all[s]->dot(x, b, n);
			CHECK_NEAR(first, sum, 1e-6 * size);
			/* the same bits wherever it lies */
			memmove(a + (shift + 1) % 4, x, n * sizeof(float));
			CHECK(all[s]->dot(a + (shift + 1) % 4, b, n) == first);
			all[s]->axpy(0.5f, a, y + 1, n);
			for (size_t i = 0; i < n; i++)
				CHECK_NEAR(y[i + 1], b[i + 1] + 0.5 * a[i], 1e-6);
			CHECK(y[0] == b[0] && y[n + 1] == b[n + 1]);
		}
}

TEST(rows_equal_dot)
{
	const Kernels *all[3];
	int n_sets = sets(all);
	static float q[MOST], rows[40 * MOST], out[40];

	fill(q, MOST);
	fill(rows, 40 * MOST);
	for (int s = 0; s < n_sets; s++)
		for (size_t n = 1; n < MOST; n++)
		{
			size_t rows_n = n % 40;

			all[s]->dot_rows(q, rows, rows_n, n, out);
			for (size_t j = 0; j < rows_n; j++)
				CHECK(out[j] == all[s]->dot(q, rows + j * n, n));
		}
}

/* A = B Bᵀ + n I for a random B. */
static void
make_spd(float *a, size_t n)
{
	static float b[80 * 80];

	fill(b, n * n);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			a[i * n + j] = rs_dot(b + i * n, b + j * n, n) + (i == j ? (float) n : 0);
}

TEST(solves)
{
	const Kernels *all[3];
	int n_sets = sets(all);
	static float a[80 * 80], copy[80 * 80], x[80], b[80];

	for (int s = 0; s < n_sets; s++)
		for (size_t n = 1; n <= 80; n += 1 + n / 8)
		{
			make_spd(a, n);
			fill(x, n);
			for (size_t i = 0; i < n; i++)
				b[i] = rs_dot(a + i * n, x, n);
			memcpy(copy, a, sizeof(a));
			CHECK(all[s]->solve_spd(copy, b, n));
			for (size_t i = 0; i < n; i++)
				CHECK_NEAR(b[i], x[i], 1e-4);
			memcpy(copy, a, sizeof(a));
			copy[(n - 1) * n + n - 1] = -1e9f;
			CHECK(!all[s]->solve_spd(copy, b, n));
			copy[0] = NAN;
			CHECK(!all[s]->solve_spd(copy, b, n));
			copy[0] = INFINITY;
			CHECK(!all[s]->solve_spd(copy, b, n));
			if (n % 16 == 0)
			{
				all[s]->matvec(2, a, x, n, b);
				for (size_t i = 0; i < n; i++)
					CHECK_NEAR(b[i], 2 * rs_dot(a + i * n, x, n), 1e-2);
			}
		}
	for (int s = 0; s < n_sets; s++)
		for (size_t n = 16; n <= 80; n += 16)
		{
			make_spd(a, n);
			fill(x, n);
			all[s]->matvec(2, a, x, n, b);
			for (size_t i = 0; i < n; i++)
				CHECK_NEAR(b[i], 2 * rs_dot(a + i * n, x, n), 1e-2);
		}
}

TEST(outer_products)
{
	enum
	{
		ROWS = 19
	};
	const Kernels *all[3];
	int n_sets = sets(all);
	static float rows[ROWS * 80], a[80 * 80];
	uint32_t index[ROWS];
	float weight[ROWS];

	fill(rows, ROWS * 80);
	fill(weight, ROWS);
	for (uint32_t j = 0; j < ROWS; j++)
		index[j] = j * 7 % ROWS;
	for (int s = 0; s < n_sets; s++)
		for (size_t n = 1; n <= 80; n += 1 + n / 5)
			for (int way = 0; way < 4; way++)
			{
				const uint32_t *use = way & 1 ? index : NULL;
				const float *w = way & 2 ? weight : NULL;

				memset(a, 0, sizeof(a));
				all[s]->add_outer(rows, use, w, ROWS, n, a);
				for (size_t i = 0; i < n; i++)
					for (size_t c = i; c < n; c += 3)
					{
						double sum = 0;

						for (size_t j = 0; j < ROWS; j++)
						{
							const float *y = rows + (use != NULL ? use[j] : j) * n;

							sum += (w != NULL ? w[j] : 1.0) * y[i] * y[c];
						}
						CHECK_NEAR(a[i * n + c], sum, 1e-4);
					}
			}
}

/* out += sum over rows of (|w| y·v - target w⁺) y; rhs += w⁺ y; copy = rows. */
TEST(applies)
{
	enum
	{
		ROWS = 11
	};
	const Kernels *all[3];
	int n_sets = sets(all);
	static float rows[ROWS * 80], copy[ROWS * 80], v[80], out[80], rhs[80];
	float weight[ROWS];
	uint32_t index[ROWS];

	fill(rows, ROWS * 80);
	fill(weight, ROWS);
	fill(v, 80);
	for (uint32_t j = 0; j < ROWS; j++)
		index[j] = j * 7 % ROWS;
	for (int s = 0; s < n_sets; s++)
		for (size_t n = 16; n <= 80; n += 16)
			for (int way = 0; way < 8; way++)
			{
				RsApply job = {
					.rows = rows, .index = way & 1 ? index : NULL, .weight = weight, .count = ROWS};
				double want[80] = {0}, want_rhs[80] = {0};

				memset(out, 0, sizeof(out));
				memset(rhs, 0, sizeof(rhs));
				all[s]->apply(&job, v, 0.5f, out, way & 2 ? rhs : NULL, way & 4 ? copy : NULL, n);
				for (size_t j = 0; j < ROWS; j++)
				{
					const float *y = rows + (job.index != NULL ? index[j] : j) * n;
					double up = weight[j] > 0 ? weight[j] : 0, f = -0.5 * up;

					for (size_t i = 0; i < n; i++)
						f += fabs(weight[j]) * y[i] * v[i];
					for (size_t i = 0; i < n; i++)
					{
						want[i] += f * y[i];
						want_rhs[i] += up * y[i];
					}
					if (way & 4)
						CHECK(memcmp(copy + j * n, y, n * sizeof(float)) == 0);
				}
				for (size_t i = 0; i < n; i++)
				{
					CHECK_NEAR(out[i], want[i], 1e-3);
					CHECK_NEAR(rhs[i], way & 2 ? want_rhs[i] : 0, 1e-4);
				}
			}
}

TEST(norms)
{
	float x[7] = {3, 4, 0, 0, 0, 0, 12};
	float big[2] = {3e38f, 3e38f};

	CHECK_NEAR(rs_norm(x, 7), 13, 1e-12);
	CHECK_NEAR(rs_norm(x, 2), 5, 1e-12);
	CHECK_NEAR(rs_norm(x, 0), 0, 0);
	CHECK(isfinite(rs_norm(big, 2)));
}

/* Every kernel within an ulp of rs_norm, for numbers of all sizes. */
TEST(norms_of_rows)
{
	const Kernels *all[3];
	int n_sets = sets(all);
	static float rows[5 * 150];
	float out[5];

	for (int s = 0; s < n_sets; s++)
		for (size_t n = 1; n <= 150; n++)
			for (int scale = -40; scale <= 37; scale += 7)
			{
				fill(rows, 5 * n);
				for (size_t i = 0; i < 5 * n; i++)
					rows[i] *= powf(10, (float) scale);
				memset(rows + n, 0, n * sizeof(float));
				rows[3 * n] = NAN;
				rows[5 * n - 1] = INFINITY;
				all[s]->norm_rows(rows, 5, n, out);
				for (int j = 0; j < 3; j++)
				{
					float expected = (float) rs_norm(rows + (size_t) j * n, n);

					CHECK(fabsf(out[j] - expected) <= expected * 0x1p-22f);
				}
				CHECK(isnan(out[3]) && isinf(out[4]));
			}
}

/* Bytes and numbers of all sizes, the largest at once; thresholds at each sum. */
TEST(bytes_reach)
{
	const Kernels *all[3];
	int n_sets = sets(all);
	static uint8_t block[200 * 32];
	static int8_t q[200];

	for (size_t n = 4; n <= 200; n += 4)
	{
		int32_t sum[32] = {0};

		for (size_t i = 0; i < n; i++)
			q[i] = (int8_t) (n % 8 == 0 ? (n % 16 == 0 ? 64 : -64)
										: (int) (unit_random(&seed) % 129) - 64);
		for (size_t i = 0; i < n * 32; i++)
			block[i] = n % 8 == 0 && n % 24 != 0 ? 255 : (uint8_t) unit_random(&seed);
		for (size_t j = 0; j < 32; j++)
			for (size_t i = 0; i < n; i++)
				sum[j] += q[i] * block[i / 4 * 128 + j * 4 + i % 4];
		for (size_t at = 0; at < 64; at++)
		{
			int32_t least = sum[at / 2] + (int32_t) (at % 2);
			uint32_t expected = 0;

			for (size_t j = 0; j < 32; j++)
				expected |= (uint32_t) (sum[j] >= least) << j;
			for (int s = 0; s < n_sets; s++)
				CHECK(all[s]->bytes_reach(q, block, n, least) == expected);
		}
	}
}

UNIT_MAIN(dot_and_axpy, rows_equal_dot, solves, outer_products, applies, norms, norms_of_rows,
		  bytes_reach)
