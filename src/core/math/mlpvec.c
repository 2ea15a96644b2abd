/*
 * mlpvec.c
 *		Picks the network's kernels that suit the CPU, as vec.c does.
 */
#include "core/math/mlpvec.h"
#include "core/math/cpu.h"

#include <math.h>
#include <stdbool.h>

#if defined(__x86_64__)
#define VEC_LANES 16
#define VEC_ROWS 8
#define VEC_TARGET __attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")))
#define VEC_NAME(x) x##_avx512
#include "core/math/mlpkernels.h"
#undef VEC_LANES
#undef VEC_ROWS
#undef VEC_TARGET
#undef VEC_NAME

#define VEC_LANES 8
#define VEC_ROWS 4
#define VEC_TARGET __attribute__((target("avx2,fma")))
#define VEC_NAME(x) x##_avx2
#include "core/math/mlpkernels.h"
#undef VEC_LANES
#undef VEC_ROWS
#undef VEC_TARGET
#undef VEC_NAME
#endif

#define VEC_LANES 4
#define VEC_ROWS 4
#define VEC_TARGET
#define VEC_NAME(x) x##_plain
#include "core/math/mlpkernels.h"

typedef struct Kernels
{
	void (*product)(const RsProduct *job, float *c, size_t c_step, size_t rows, size_t columns);
	void (*dense)(const float *x, size_t x_step, size_t k, const float *panels, const float *bias,
				  float *y, size_t y_step, size_t rows, size_t columns);
	void (*pack)(const float *rows, size_t k, size_t begin, size_t end, float *panels);
	float (*max)(const float *x, size_t n);
	float (*exp_sum)(float *x, size_t n, float max);
	void (*scale)(float *x, size_t n, float factor);
	void (*activate)(RsActivation activation, float *x, size_t n);
	void (*derive)(RsActivation activation, const float *y, float *delta, size_t n);
	void (*adam)(const RsAdam *adam, float decay, float *restrict w, float *restrict m,
				 float *restrict v, const float *restrict gradient, size_t n);
} Kernels;

#define KERNELS(suffix)                                                                            \
	{                                                                                              \
		product_##suffix, dense_##suffix, pack_##suffix, max_##suffix, exp_sum_##suffix,           \
			scale_##suffix, activate_##suffix, derive_##suffix, adam_##suffix                      \
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

void
rs_mlp_product(const RsProduct *job, float *c, size_t c_step, size_t rows, size_t columns)
{
	kernels->product(job, c, c_step, rows, columns);
}

void
rs_mlp_dense(const float *x, size_t x_step, size_t k, const float *panels, const float *bias,
			 float *y, size_t y_step, size_t rows, size_t columns)
{
	kernels->dense(x, x_step, k, panels, bias, y, y_step, rows, columns);
}

void
rs_mlp_pack(const float *rows, size_t k, size_t begin, size_t end, float *panels)
{
	kernels->pack(rows, k, begin, end, panels);
}

float
rs_mlp_max(const float *x, size_t n)
{
	return kernels->max(x, n);
}

float
rs_mlp_exp_sum(float *x, size_t n, float max)
{
	return kernels->exp_sum(x, n, max);
}

void
rs_mlp_scale(float *x, size_t n, float factor)
{
	kernels->scale(x, n, factor);
}

void
rs_mlp_activate(RsActivation activation, float *x, size_t n)
{
	kernels->activate(activation, x, n);
}

void
rs_mlp_derive(RsActivation activation, const float *y, float *delta, size_t n)
{
	kernels->derive(activation, y, delta, n);
}

void
rs_mlp_adam(const RsAdam *adam, float decay, float *w, float *m, float *v, const float *gradient,
			size_t n)
{
	kernels->adam(adam, decay, w, m, v, gradient, n);
}
