/*
 * vec.h
 *		Small vector kernels in single precision, chosen for the CPU at run time.
 *
 * The binary is portable: each kernel is compiled for several instruction sets
 * and one is picked when the library is loaded.  On one machine a kernel always
 * gives the same bits for the same input, whatever the alignment.
 */
#ifndef RS_VEC_H
#define RS_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sum of a[i] * b[i]. */
extern float rs_dot(const float *a, const float *b, size_t n);

/* out[j] = rs_dot(q, rows + j * n, n), bit for bit, for j in 0 .. rows_n-1. */
extern void rs_dot_rows(const float *q, const float *rows, size_t rows_n, size_t n, float *out);

/* out[i][32]: products of query[i], of length n, with the 32 rows that stand side by
 * side in pack[n][32]; summed in another order than by rs_dot. */
extern void rs_products(const float *const *query, size_t queries, const float *pack, size_t n,
						float *out);

/*
 * Bit j is set where the sum of q[i] * u[i] over i < n reaches least, with u the
 * numbers of row j of 32: block[n / 4][32][4].  n is a multiple of 4 up to 65536, q
 * within -64 .. 64.  Integers: the same on every CPU.
 */
extern uint32_t rs_bytes_reach(const int8_t *q, const uint8_t *block, size_t n, int32_t least);

/* y[i] += alpha * x[i]. */
extern void rs_axpy(float alpha, const float *x, float *y, size_t n);

/* Euclidean norm, accumulated in double. */
extern double rs_norm(const float *a, size_t n);

extern bool rs_all_zero(const float *a, size_t n);

/* out[j] = (float) rs_norm(rows + j * n, n), but for the order of the sum in
 * double, for j in 0 .. rows_n-1. */
extern void rs_norm_rows(const float *rows, size_t rows_n, size_t n, float *out);

/* Solve A x = b for a symmetric positive definite A whose upper triangle is in
 * a[n,n], which is destroyed; b becomes x.  False if A is not, and where the loop that it
 * is called in is canceled. */
extern bool rs_solve_spd_upper(float *a, float *b, size_t n);

/* out = alpha * A v for a symmetric a[n,n]; n a multiple of 16. */
extern void rs_matvec(float alpha, const float *a, const float *v, size_t n, float *out);

/* Upper triangle of a[n,n] += sum of weight[j] * y yᵀ, where y is row index[j]
 * of rows[][n].  index NULL: rows 0 .. count-1; weight NULL: all 1. */
extern void rs_add_outer(const float *rows, const uint32_t *index, const float *weight,
						 size_t count, size_t n, float *a);

typedef struct RsApply
{
	const float *rows;     /* [][n] */
	const uint32_t *index; /* NULL: rows 0 .. count-1 */
	const float *weight;
	size_t count;
} RsApply;

/*
 * Apply a weighted sum of outer products without forming it: out += sum of
 * (|w| (y · v) - target max(w, 0)) y.  rhs, if not NULL, gets the sum of
 * max(w, 0) y added; copy, if not NULL, receives the rows y one after the
 * other.  n a multiple of 16.
 */
extern void rs_apply(const RsApply *job, const float *v, float target, float *out, float *rhs,
					 float *copy, size_t n);

#endif
