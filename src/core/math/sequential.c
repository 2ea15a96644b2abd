/*
 * sequential.c
 *		Both intervals are mixtures that are martingales while the null holds, so that
 *		by Ville's inequality they pass 1 / alpha with probability alpha at most, ever.
 *
 * The rate: Beta(1, 1) mixed over the alternatives (Robbins 1970, Statistical methods
 * related to the law of the iterated logarithm; Howard, Ramdas, McAuliffe, Sekhon
 * 2021, Time-uniform, nonparametric, nonasymptotic confidence sequences):
 *
 *		M(p) = B(x + 1, n - x + 1) / (p^x (1 - p)^(n - x)) < 1 / alpha
 *
 * The lift: the mixture sequential probability ratio test of Johari, Koomen,
 * Pekelis, Walsh (2017, Peeking at A/B tests; 2022, Always valid inference), with
 * Normal(0, tau^2) mixed over the differences of the log rates and their variance V
 * as estimated, which holds asymptotically (Waudby-Smith, Arbour, Sinha, Kennedy,
 * Ramdas 2024, Time-uniform central limit theory):
 *
 *		|difference| < sqrt(V (V + tau^2) / tau^2 * (2 log(1 / alpha) + log(1 + tau^2 / V)))
 *
 * Half a user who did is added to each group and half one who did not, which keeps
 * the variance finite and small samples from saying too much.
 */
#include "core/math/sequential.h"

#include <math.h>

/* log M(p), for 0 < p < 1 */
static double
log_evidence(double log_beta, double n, double x, double p)
{
	return log_beta - x * log(p) - (n - x) * log1p(-p);
}

/*
 * Where the evidence against a rate passes the limit, between a rate that is ruled
 * out and one that is not.
 */
static double
boundary(double log_beta, double n, double x, double limit, double out, double in)
{
	int i;

	for (i = 0; i < 100; i++)
	{
		double middle = (out + in) / 2;

		if (log_evidence(log_beta, n, x, middle) < limit)
			in = middle;
		else
			out = middle;
	}
	return out;
}

void
rs_rate_interval(uint64_t n, uint64_t x, double alpha, double *low, double *high)
{
	double trials = (double) n;
	double hits = (double) x;
	double rate = hits / trials;
	double limit = -log(alpha);
	double log_beta = lgamma(hits + 1) + lgamma(trials - hits + 1) - lgamma(trials + 2);

	*low = x == 0 ? 0 : boundary(log_beta, trials, hits, limit, 0, rate);
	*high = x == n ? 1 : boundary(log_beta, trials, hits, limit, 1, rate);
}

void
rs_lift_interval(uint64_t n0, uint64_t x0, uint64_t n1, uint64_t x1, double alpha, double expected,
				 double *low, double *high)
{
	double tau = log1p(expected);
	double mixed = tau * tau;
	double hits0 = (double) x0 + 0.5;
	double hits1 = (double) x1 + 0.5;
	double trials0 = (double) n0 + 1;
	double trials1 = (double) n1 + 1;
	double variance = 1 / hits0 - 1 / trials0 + 1 / hits1 - 1 / trials1;
	double difference = log(hits1 / trials1) - log(hits0 / trials0);
	double width =
		sqrt(variance * (variance + mixed) / mixed * (-2 * log(alpha) + log1p(mixed / variance)));

	if (n0 == 0 || n1 == 0)
		width = INFINITY;
	*low = expm1(difference - width);
	*high = expm1(difference + width);
}
