/*
 * vec.c
 *		Picks the vector kernels that suit the CPU.
 *
 * veckernels.h is compiled for AVX-512, for AVX2 with FMA, and for what every
 * CPU of the architecture has; a table of pointers is set when the library is
 * loaded.  (Not by target_clones: GCC lowers vector types before it clones, and
 * the resolvers it makes run too early for the sanitizers.)
 */
#include "core/math/vec.h"
#include "core/math/cpu.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef float RsVec4 __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__x86_64__)
typedef float RsVec8 __attribute__((vector_size(32), aligned(4), may_alias));

#define VEC_LANES 16
#define VEC_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#define VEC_NAME(x) x##_avx512
#include "core/math/veckernels.h"
#undef VEC_LANES
#undef VEC_TARGET
#undef VEC_NAME

#define VEC_LANES 8
#define VEC_TARGET __attribute__((target("avx2,fma")))
#define VEC_NAME(x) x##_avx2
#include "core/math/veckernels.h"
#undef VEC_LANES
#undef VEC_TARGET
#undef VEC_NAME
#endif

#define VEC_LANES 4
#define VEC_TARGET
#define VEC_NAME(x) x##_plain
#include "core/math/veckernels.h"

typedef struct Kernels
{
	float (*dot)(const float *a, const float *b, size_t n);
	void (*dot_rows)(const float *q, const float *rows, size_t rows_n, size_t n, float *out);
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
		dot_##suffix, dot_rows_##suffix, axpy_##suffix, solve_spd_##suffix, matvec_##suffix,       \
			add_outer_##suffix, apply_##suffix                                                     \
	}

static const Kernels plain = KERNELS(plain);
static const Kernels *kernels = &plain;

#if defined(__x86_64__)
static const Kernels avx2 = KERNELS(avx2);
static const Kernels avx512 = KERNELS(avx512);

__attribute__((constructor)) static void
choose_kernels(void)
{
	RsCpu cpu = rs_cpu();

	if (cpu == RS_CPU_AVX2)
		kernels = &avx2;
	else if (cpu == RS_CPU_AVX512)
		kernels = &avx512;
}
#endif

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
rs_axpy(float alpha, const float *x, float *y, size_t n)
{
	kernels->axpy(alpha, x, y, n);
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
