/*
 * sequential.h
 *		Intervals that hold however often one looks: confidence sequences for the rate
 *		of one group and for the ratio of the rates of two.
 */
#ifndef RS_SEQUENTIAL_H
#define RS_SEQUENTIAL_H

#include <stdint.h>

/*
 * Of n users of whom x did a thing, the rates in 0..1 that are not ruled out at
 * level alpha (0 < alpha < 1).  Exact: with probability 1 - alpha the true rate is
 * in it after every single user.  0..1 for n = 0.  Needs x <= n.
 */
extern void rs_rate_interval(uint64_t n, uint64_t x, double alpha, double *low, double *high);

/*
 * Of two groups, the relative differences rate1 / rate0 - 1, from -1 upwards, that
 * are not ruled out at level alpha.  Approximate in that log rates are taken for
 * normal; narrowest for lifts of about the size expected (> 0), which is to be chosen
 * beforehand.  -1..infinity where a group is empty.  Needs x <= n.
 */
extern void rs_lift_interval(uint64_t n0, uint64_t x0, uint64_t n1, uint64_t x1, double alpha,
							 double expected, double *low, double *high);

#endif
