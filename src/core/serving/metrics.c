/*
 * metrics.c
 *		Ranking metrics at k over binary relevance.
 *
 * With h_j = 1 where rank j is a hit, K = min(k, recommended), R = relevant:
 *		recall     Σ_{j<=K} h_j / R
 *		precision  Σ_{j<=K} h_j / k	(a short list is a bad one)
 *		hit rate   1 if any h_j
 *		nDCG       Σ h_j / log2(j + 1)  /  Σ_{j <= min(R, k)} 1 / log2(j + 1)
 *		AP         Σ h_j · (hits up to j) / j  /  min(R, k)
 *		RR         1 / rank of the first hit, or 0
 * (Manning, Raghavan and Schütze 2008, ch. 8; Järvelin and Kekäläinen 2002.)
 * Each is at most 1 even where the caller counts more hits than relevant items.
 */
#include "core/serving/metrics.h"

#include <math.h>

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t
count_hits(const bool *hit, uint32_t n)
{
	uint32_t hits = 0;

	for (uint32_t j = 0; j < n; j++)
		hits += hit[j] ? 1 : 0;
	return hits;
}

/* a / b in 0 .. 1; 0 / 0 is 0. */
static double
ratio(double a, double b)
{
	if (!(b > 0))
		return 0;
	return a < b ? a / b : 1;
}

double
rs_recall_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k)
{
	if (n_relevant == 0)
		return NAN;
	return ratio(count_hits(hit, least(n_recommended, k)), n_relevant);
}

double
rs_precision_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k)
{
	if (n_relevant == 0)
		return NAN;
	return ratio(count_hits(hit, least(n_recommended, k)), k);
}

double
rs_hit_rate_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k)
{
	if (n_relevant == 0)
		return NAN;
	return count_hits(hit, least(n_recommended, k)) > 0 ? 1 : 0;
}

double
rs_ndcg_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k)
{
	uint32_t n = least(n_recommended, k);
	uint32_t ideal_n = least(n_relevant, k);
	double gain = 0;
	double ideal = 0;

	if (n_relevant == 0)
		return NAN;
	for (uint32_t j = 0; j < n; j++)
		if (hit[j])
			gain += 1 / log2(j + 2.0);
	for (uint32_t j = 0; j < ideal_n; j++)
		ideal += 1 / log2(j + 2.0);
	return ratio(gain, ideal);
}

double
rs_average_precision_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k)
{
	uint32_t n = least(n_recommended, k);
	uint32_t hits = 0;
	double sum = 0;

	if (n_relevant == 0)
		return NAN;
	for (uint32_t j = 0; j < n; j++)
		if (hit[j])
			sum += ++hits / (j + 1.0);
	return ratio(sum, least(n_relevant, k));
}

double
rs_reciprocal_rank_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k)
{
	uint32_t n = least(n_recommended, k);

	if (n_relevant == 0)
		return NAN;
	for (uint32_t j = 0; j < n; j++)
		if (hit[j])
			return 1 / (j + 1.0);
	return 0;
}
