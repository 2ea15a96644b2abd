/*
 * mlpvec.c
 *		The network's kernels (mlpkernels.h) that suit the CPU.
 */
#include "core/math/mlpvec.h"

#include <math.h>
#include <stdbool.h>

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

#define KERNELS_FILE "core/math/mlpkernels.h"
#include "core/math/dispatch.h"

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
