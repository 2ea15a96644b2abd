/*
 * vec.c
 *		The vector kernels (veckernels.h) that suit the CPU.
 */
#include "core/math/vec.h"

#include "core/base/threads.h"

#include <float.h>
#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

typedef float RsVec4 __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__x86_64__)
typedef float RsVec8 __attribute__((vector_size(32), aligned(4), may_alias));
#endif

typedef struct Kernels
{
	float (*dot)(const float *a, const float *b, size_t n);
	void (*dot_rows)(const float *q, const float *rows, size_t rows_n, size_t n, float *out);
	void (*products)(const float *const *query, size_t queries, const float *pack, size_t n,
					 float *out);
	void (*norm_rows)(const float *rows, size_t rows_n, size_t n, float *out);
	uint32_t (*bytes_reach)(const int8_t *q, const uint8_t *block, size_t n, int32_t least);
	void (*axpy)(float alpha, const float *x, float *y, size_t n);
	bool (*solve_spd)(float *a, float *b, size_t n);
	void (*matvec)(float alpha, const float *a, const float *v, size_t n, float *out);
	void (*add_outer)(const float *rows, const uint32_t *index, const float *weight, size_t count,
					  size_t n, float *a);
	void (*apply)(const RsApply *job, const float *v, float target, float *out, float *rhs,
				  float *copy, size_t n);
} Kernels;

#define KERNELS(suffix)                                                                            \
	{                                                                                              \
		dot_##suffix, dot_rows_##suffix, products_##suffix, norm_rows_##suffix,                    \
			bytes_reach_##suffix, axpy_##suffix, solve_spd_##suffix, matvec_##suffix,              \
			add_outer_##suffix, apply_##suffix                                                     \
	}

#define KERNELS_FILE "core/math/veckernels.h"
#include "core/math/dispatch.h"

float
rs_dot(const float *a, const float *b, size_t n)
{
	return kernels->dot(a, b, n);
}

void
rs_dot_rows(const float *q, const float *rows, size_t rows_n, size_t n, float *out)
{
	kernels->dot_rows(q, rows, rows_n, n, out);
}

void
rs_products(const float *const *query, size_t queries, const float *pack, size_t n, float *out)
{
	kernels->products(query, queries, pack, n, out);
}

void
rs_norm_rows(const float *rows, size_t rows_n, size_t n, float *out)
{
	kernels->norm_rows(rows, rows_n, n, out);
}

uint32_t
rs_bytes_reach(const int8_t *q, const uint8_t *block, size_t n, int32_t least)
{
	return kernels->bytes_reach(q, block, n, least);
}

void
rs_axpy(float alpha, const float *x, float *y, size_t n)
{
	kernels->axpy(alpha, x, y, n);
}

bool
rs_all_zero(const float *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != 0)
			return false;
	return true;
}

double
rs_norm(const float *a, size_t n)
{
	double sum[4] = {0};
	size_t i = 0;

	for (; i + 4 <= n; i += 4)
	{
		for (int l = 0; l < 4; l++)
			sum[l] += (double) a[i + l] * a[i + l];
	}
	for (; i < n; i++)
		sum[0] += (double) a[i] * a[i];
	return sqrt((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

bool
rs_solve_spd_upper(float *a, float *b, size_t n)
{
	return kernels->solve_spd(a, b, n);
}

void
rs_matvec(float alpha, const float *a, const float *v, size_t n, float *out)
{
	kernels->matvec(alpha, a, v, n, out);
}

void
rs_add_outer(const float *rows, const uint32_t *index, const float *weight, size_t count, size_t n,
			 float *a)
{
	kernels->add_outer(rows, index, weight, count, n, a);
}

void
rs_apply(const RsApply *job, const float *v, float target, float *out, float *rhs, float *copy,
		 size_t n)
{
	kernels->apply(job, v, target, out, rhs, copy, n);
}
