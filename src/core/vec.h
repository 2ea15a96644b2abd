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

/* y[i] += alpha * x[i]. */
extern void rs_axpy(float alpha, const float *x, float *y, size_t n);

/* Euclidean norm, accumulated in double. */
extern double rs_norm(const float *a, size_t n);

/* The work of rs_solve_spd_small. */
extern bool rs_vec_solve_spd(float *a, float *b, size_t n);

#endif
