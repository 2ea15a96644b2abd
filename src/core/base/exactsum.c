/*
 * exactsum.c
 *		Sums without rounding: a fixed-point number wide enough for every double
 *		and every square of one (Kulisch's accumulator), in limbs of 32 bits
 *		whose carries are passed on once in 2^29 additions.
 */
#include "core/base/exactsum.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define LOWEST (-2148) /* exponent of limb 0: that of the smallest square */
#define MAX_PENDING (1u << 29)

#if LDBL_MANT_DIG == 113
typedef long double Quad;
#else
typedef __float128 Quad;
#endif

typedef unsigned __int128 Wide;

/* Give each limb 0 to 2^32 - 1, except the last, which has the sign. */
static void
pass_carries(RsExactSum *sum)
{
	int64_t carry = 0;

	for (int i = 0; i < RS_EXACT_LIMBS - 1; i++)
	{
		int64_t value = sum->limb[i] + carry;

		carry = value >> 32;
		sum->limb[i] = value & 0xffffffff;
	}
	sum->limb[RS_EXACT_LIMBS - 1] += carry;
	sum->pending = 0;
}

/* Add ± magnitude * 2^exponent. */
static void
add_wide(RsExactSum *sum, Wide magnitude, int exponent, int negative)
{
	int i = (exponent - LOWEST) / 32;
	int shift = (exponent - LOWEST) % 32;
	Wide low = magnitude << shift;
	uint64_t high = shift > 0 ? (uint64_t) (magnitude >> (128 - shift)) : 0;
	int64_t sign = negative ? -1 : 1;

	for (; low != 0; low >>= 32)
		sum->limb[i++] += sign * (int64_t) (uint32_t) low;
	if (high != 0)
		sum->limb[(exponent - LOWEST) / 32 + 4] += sign * (int64_t) high;
	if (++sum->pending >= MAX_PENDING)
		pass_carries(sum);
}

/* |x| as mantissa * 2^exponent, mantissa below 2^53. */
static uint64_t
split(double x, int *exponent)
{
	uint64_t bits;
	int biased;

	memcpy(&bits, &x, 8);
	biased = (int) (bits >> 52 & 0x7ff);
	*exponent = (biased > 0 ? biased : 1) - 1075;
	return (bits & 0xfffffffffffff) | (biased > 0 ? 0x10000000000000 : 0);
}

void
rs_exact_add(RsExactSum *sum, double x, uint64_t times)
{
	int exponent;
	uint64_t mantissa = split(x, &exponent);

	add_wide(sum, (Wide) mantissa * times, exponent, signbit(x) != 0);
}

void
rs_exact_add_square(RsExactSum *sum, double x, uint64_t times)
{
	int exponent;
	uint64_t mantissa = split(x, &exponent);
	Wide square = (Wide) mantissa * mantissa;

	/* 106 bits of square leave 22 for times */
	for (int at = 0; times != 0; times >>= 21, at += 21)
		add_wide(sum, square * (times & 0x1fffff), 2 * exponent + at, 0);
}

static Quad
scaled(Quad x, int exponent)
{
	for (; exponent > 1000; exponent -= 1000)
		x *= 0x1p1000;
	for (; exponent < -1000; exponent += 1000)
		x *= 0x1p-1000;
	return x * (Quad) ldexp(1.0, exponent);
}

/* The sum, to 113 bits. */
static Quad
value(RsExactSum *sum)
{
	RsExactSum copy;
	Quad result = 0;
	int top = RS_EXACT_LIMBS - 1;
	int negative;

	pass_carries(sum);
	copy = *sum;
	negative = copy.limb[top] < 0;
	if (negative)
	{
		for (int i = 0; i < RS_EXACT_LIMBS; i++)
			copy.limb[i] = -copy.limb[i];
		pass_carries(&copy);
	}
	while (top > 0 && copy.limb[top] == 0)
		top--;
	/* six limbs hold at least 161 bits of it */
	for (int i = top; i >= 0 && i > top - 6; i--)
		result += scaled((Quad) copy.limb[i], 32 * i + LOWEST);
	return negative ? -result : result;
}

double
rs_exact_mean(RsExactSum *sum, uint64_t n)
{
	return (double) (value(sum) / (Quad) n);
}

double
rs_exact_squared_deviations(RsExactSum *sum, RsExactSum *squares, uint64_t n)
{
	Quad s = value(sum);
	Quad deviations = value(squares) - s * s / (Quad) n;

	return deviations > 0 ? (double) deviations : 0.0;
}
