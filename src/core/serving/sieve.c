/*
 * sieve.c
 *		Which rows of a block may be among the best, by their coarse copies.
 *
 * Let q be the query and r a row, p and c their coarse copies: p = step * query[],
 * c = s * (byte[] - 128).  The product of these is s * step * I for an integer I
 * that is computed exactly.  From
 *
 *		q·r - p·c = q·(r - c) + (q - p)·c
 *
 * and Cauchy-Schwarz, with e >= |r - c| (coarse.h), off >= |q - p|, R >= |r|:
 *
 *		|q·r - p·c| <= |q| e + off (R + e)
 *
 * and rs_dot is within g |q| R and n smallest subnormals of q·r (topk.c), or left the
 * finite numbers, and then the row never appears.  With B the sum of these bounds a row
 * of rs_dot >= t has s * step * I >= t - B.
 *
 * A cosine is the float of rs_dot / norm.  Where it is t or more the quotient is not
 * below t' = t - 2^-23 |t| - 2^-149, so rs_dot is not below t' * norm, which is least
 * for the smallest norm of the block if t' is positive, for the largest otherwise.
 *
 * Bounds are computed in double, where none of these numbers overflows or underflows;
 * what that rounds is far below the 2^-20 and the 2^-40 by which they are widened.
 * Only what is strictly below the threshold is ruled out.
 */
#include "core/serving/sieve.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"

#define MOST 64 /* of a number of the query: 2 * 64 * 255 is an int16 */

bool
rs_sieve_open(RsSieve *sieve, const RsFactors *factors, const float *query, double norm,
			  bool cosine)
{
	float most = 0;
	float step;
	double sum = 0;
	int32_t total = 0;

	if (factors->coarse.bytes == NULL)
		return false;
	for (uint32_t d = 0; d < factors->dim; d++)
		most = fabsf(query[d]) > most ? fabsf(query[d]) : most;
	step = most / MOST;
	memset(sieve->query, 0, rs_coarse_width(factors->dim));
	for (uint32_t d = 0; d < factors->dim; d++)
	{
		double steps = step > 0 ? rint((double) query[d] / step) : 0;
		double off;

		steps = fmin(fmax(steps, -MOST), MOST);
		off = query[d] - (double) step * steps;
		sum += off * off;
		total += (int32_t) steps;
		sieve->query[d] = (int8_t) steps;
	}
	sieve->factors = factors;
	sieve->cosine = cosine;
	sieve->norm = norm;
	sieve->step = step;
	sieve->off = sqrt(sum) * (1 + 0x1p-20);
	sieve->bias = 128 * total;
	return true;
}

/* What rs_dot is at least where the score reaches the threshold, for any row of a block. */
static double
least_product(const RsSieve *sieve, uint32_t begin, float threshold)
{
	const RsFactors *factors = sieve->factors;
	uint32_t last = begin + RS_COARSE_ROWS < factors->n ? begin + RS_COARSE_ROWS : factors->n;
	double least = threshold;

	if (!sieve->cosine)
		return least;
	least -= fabs(least) * 0x1p-23 + 0x1p-149;
	return least * factors->norm[least > 0 ? last - 1 : begin];
}

uint32_t
rs_sieve_block(const RsSieve *sieve, uint32_t begin, float threshold)
{
	const RsFactors *factors = sieve->factors;
	uint32_t block = begin / RS_COARSE_ROWS;
	double step = sieve->step * factors->coarse.steps[2 * (size_t) block];
	double error = factors->coarse.steps[2 * (size_t) block + 1];
	double most = factors->norm[begin] * (1 + 0x1p-20) + 0x1p-147;
	double rounding = ((double) factors->dim + 16) * (sieve->norm * most * 0x1p-23 + 0x1p-148);
	double bound = sieve->norm * error + sieve->off * (most + error) + rounding;
	double least;

	if (threshold == -INFINITY)
		return UINT32_MAX;
	least = least_product(sieve, begin, threshold) - bound * (1 + 0x1p-20);
	if (step == 0)
		return least > 0 ? 0 : UINT32_MAX;
	least /= step;
	least -= fabs(least) * 0x1p-40 + 1;
	/* no sum of 4096 products of a byte and a number within 64 is so far from 0 */
	if (least > 0x1p30)
		return 0;
	if (least < -0x1p30)
		return UINT32_MAX;
	return rs_bytes_reach(sieve->query, rs_coarse_block(&factors->coarse, block, factors->dim),
						  rs_coarse_width(factors->dim), (int32_t) least + sieve->bias);
}
