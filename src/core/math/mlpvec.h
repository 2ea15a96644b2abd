/*
 * mlpvec.h
 *		Kernels of the network in single precision, chosen for the CPU at run time.
 *
 * Matrices are row-major.  Every number of columns, and every number of rows
 * of weights, is a multiple of RS_MLP_PAD, every number of examples one of
 * RS_MLP_ROWS: what is too much is zero.  OpenBLAS is not asked: its products
 * would pack the same weights once for each piece of a batch, and its serial
 * build cannot be called from several threads.
 */
#ifndef RS_MLPVEC_H
#define RS_MLPVEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RS_MLP_PAD 32
#define RS_MLP_ROWS 8
#define RS_MLP_DEPTH 256 /* of a product's middle, taken at a time */

typedef enum RsActivation
{
	RS_RELU,
	RS_TANH,
	RS_SIGMOID
} RsActivation;

/* One step of Adam (Kingma & Ba, Adam: A Method for Stochastic Optimization,
 * ICLR 2015, the faster form at the end of section 2). */
typedef struct RsAdam
{
	float first;   /* 1 - beta1 */
	float second;  /* 1 - beta2 */
	float rate;    /* learning rate times sqrt(1 - beta2^t) / (1 - beta1^t) */
	float epsilon; /* epsilon hat of the paper */
} RsAdam;

typedef struct RsProduct
{
	const float *a; /* element (i, p) is a[i * row_step + p * k_step] */
	size_t row_step;
	size_t k_step;
	const float *b; /* element (p, j) is b[p * b_step + j] */
	size_t b_step;
	size_t k;
	bool add; /* to what c has: the same bits as in one go, if all parts but the last have
			   * a k that is a multiple of RS_MLP_DEPTH */
} RsProduct;

/* c[rows, columns] = a b, or += if add. */
extern void rs_mlp_product(const RsProduct *job, float *c, size_t c_step, size_t rows,
						   size_t columns);

/* y = x Wᵀ + bias, W[columns, k] in panels. */
extern void rs_mlp_dense(const float *x, size_t x_step, size_t k, const float *panels,
						 const float *bias, float *y, size_t y_step, size_t rows, size_t columns);

/* Rows [begin, end) of W[.., k] into panels. */
extern void rs_mlp_pack(const float *rows, size_t k, size_t begin, size_t end, float *panels);

extern float rs_mlp_max(const float *x, size_t n);

/* x[i] = e^(x[i] - max); returns their sum.  x can be read up to the next
 * multiple of RS_MLP_PAD. */
extern float rs_mlp_exp_sum(float *x, size_t n, float max);
extern void rs_mlp_scale(float *x, size_t n, float factor);
extern void rs_mlp_activate(RsActivation activation, float *x, size_t n);

/* delta[i] *= the activation's derivative where its value is y[i]. */
extern void rs_mlp_derive(RsActivation activation, const float *y, float *delta, size_t n);

/* decay: learning rate times weight decay, taken from the weight itself, not by
 * the gradient (Loshchilov & Hutter, Decoupled Weight Decay Regularization,
 * ICLR 2019). */
extern void rs_mlp_adam(const RsAdam *adam, float decay, float *w, float *m, float *v,
						const float *gradient, size_t n);

#endif
