/*
 * exactsum.h
 *		Sums of doubles and of their squares without rounding, so that they do
 *		not depend on the order of what is added.
 */
#ifndef RS_EXACTSUM_H
#define RS_EXACTSUM_H

#include <stdint.h>

/* Limbs of 32 bits, from the square of the smallest double to that of the
 * largest, 2^63 times. */
#define RS_EXACT_LIMBS 135

typedef struct RsExactSum
{
	int64_t limb[RS_EXACT_LIMBS]; /* limb i counts 2^(32 i - 2148) */
	uint32_t pending;             /* additions since carries were passed on */
} RsExactSum;

/* Add times * x, times * x². */
extern void rs_exact_add(RsExactSum *sum, double x, uint64_t times);
extern void rs_exact_add_square(RsExactSum *sum, double x, uint64_t times);

/* Mean of n, rounded once or nearly so. */
extern double rs_exact_mean(RsExactSum *sum, uint64_t n);

/* Σx² − (Σx)²/n, from sums in 113 bits; never below 0. */
extern double rs_exact_squared_deviations(RsExactSum *sum, RsExactSum *squares, uint64_t n);

#endif
