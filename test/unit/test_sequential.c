/*
 * test_sequential.c
 *		Intervals that are looked at again and again: simulated, and beside the usual
 *		ones, which do not stand it.
 */
#include "unit.h"

#include "core/base/random.h"
#include "core/math/sequential.h"

#define ALPHA 0.05

/* Users of two groups as they come in, one of `share` into group 1. */
typedef struct Trial
{
	uint64_t seed;
	double rate[2];
	double share;
	uint64_t n[2];
	uint64_t x[2];
} Trial;

static void
next_user(Trial *trial)
{
	uint64_t i = trial->n[0] + trial->n[1];
	int group = rs_random_uniform(trial->seed, 0, i) < trial->share;

	trial->n[group]++;
	trial->x[group] += rs_random_uniform(trial->seed, 1, i) < trial->rate[group];
}

/* The usual interval of a difference of rates, at 95 %, leaves out 0. */
static bool
usual_rejects(const Trial *trial)
{
	double rate[2];
	double variance = 0;
	int g;

	for (g = 0; g < 2; g++)
	{
		if (trial->x[g] < 5)
			return false; /* as one is taught */
		rate[g] = (double) trial->x[g] / (double) trial->n[g];
		variance += rate[g] * (1 - rate[g]) / (double) trial->n[g];
	}
	return fabs(rate[1] - rate[0]) > 1.959964 * sqrt(variance);
}

/* Of `rounds` trials, those in which the lift is ruled out at any of the looks, one
 * after each user; *usual: in which the usual interval leaves out no lift at all. */
static int
lifts_missed(double rate0, double rate1, double share, double expected, int rounds, int users,
			 int *usual)
{
	double lift = rate1 / rate0 - 1;
	int missed = 0;
	int round;

	*usual = 0;
	for (round = 0; round < rounds; round++)
	{
		Trial trial = {.seed = (uint64_t) round, .rate = {rate0, rate1}, .share = share};
		bool out = false;
		bool usual_out = false;
		int i;

		for (i = 0; i < users; i++)
		{
			double low;
			double high;

			next_user(&trial);
			rs_lift_interval(trial.n[0], trial.x[0], trial.n[1], trial.x[1], ALPHA, expected, &low,
							 &high);
			out |= lift < low || lift > high;
			usual_out |= usual_rejects(&trial);
		}
		missed += out;
		*usual += usual_out;
	}
	return missed;
}

TEST(no_lift_is_seldom_found)
{
	static const double rates[] = {0.5, 0.1, 0.02};
	static const double shares[] = {0.5, 0.1};
	int r;
	int s;

	for (r = 0; r < 3; r++)
		for (s = 0; s < 2; s++)
		{
			int usual;
			int missed = lifts_missed(rates[r], rates[r], shares[s], 0.1, 300, 5000, &usual);

			printf("# rate %g, share %g: found %d, usual %d of 300\n", rates[r], shares[s], missed,
				   usual);
			CHECK(missed <= 300 * ALPHA);
			CHECK(usual > 300 * ALPHA);
		}
}

TEST(a_lift_is_found_and_measured)
{
	int usual;
	double low;
	double high;

	CHECK(lifts_missed(0.1, 0.13, 0.5, 0.1, 300, 5000, &usual) <= 300 * ALPHA);
	CHECK(lifts_missed(0.3, 0.2, 0.5, 0.5, 300, 5000, &usual) <= 300 * ALPHA);
	rs_lift_interval(10000, 1000, 10000, 1300, ALPHA, 0.1, &low, &high);
	CHECK(low > 0.1 && low < 0.3 && high > 0.3 && high < 0.5);
	rs_lift_interval(10000, 1300, 10000, 1000, ALPHA, 0.1, &low, &high);
	CHECK(high < 0 && low < -0.23);
	/* by hand: V = 2 (1/100.5 - 1/1001), tau = log 2 */
	rs_lift_interval(1000, 100, 1000, 100, ALPHA, 1, &low, &high);
	CHECK_NEAR(log1p(high),
			   sqrt(0.01790249 * (0.01790249 + 0.48045301) / 0.48045301 *
					(2 * 2.99573227 + log(1 + 0.48045301 / 0.01790249))),
			   1e-6);
	CHECK_NEAR(log1p(low), -log1p(high), 1e-12);
}

TEST(a_rate_stays_inside)
{
	static const double rates[] = {0.5, 0.05, 0.003};
	int r;

	for (r = 0; r < 3; r++)
	{
		int missed = 0;
		int usual = 0;
		int round;

		for (round = 0; round < 300; round++)
		{
			Trial trial = {.seed = (uint64_t) round, .rate = {rates[r], 0}, .share = -1};
			bool out = false;
			bool usual_out = false;
			int i;
			uint64_t look = 1;

			for (i = 0; i < 20000; i++)
			{
				double low;
				double high;
				double rate;

				next_user(&trial);
				if (trial.n[0] < look)
					continue;
				look += 1 + look / 20;
				rs_rate_interval(trial.n[0], trial.x[0], ALPHA, &low, &high);
				out |= rates[r] < low || rates[r] > high;
				rate = (double) trial.x[0] / (double) trial.n[0];
				usual_out |=
					trial.x[0] >= 5 && fabs(rate - rates[r]) >
										   1.959964 * sqrt(rate * (1 - rate) / (double) trial.n[0]);
			}
			missed += out;
			usual += usual_out;
		}
		printf("# rate %g: missed %d, usual %d of 300\n", rates[r], missed, usual);
		CHECK(missed <= 300 * ALPHA);
		CHECK(usual > 300 * ALPHA);
	}
}

TEST(edges)
{
	double low;
	double high;

	rs_rate_interval(0, 0, ALPHA, &low, &high);
	CHECK(low == 0 && high == 1);
	/* B(2, 1) / p = 1/2 / p = 20 */
	rs_rate_interval(1, 1, ALPHA, &low, &high);
	CHECK(high == 1);
	CHECK_NEAR(low, 0.025, 1e-12);
	rs_rate_interval(1, 0, ALPHA, &low, &high);
	CHECK(low == 0);
	CHECK_NEAR(high, 0.975, 1e-12);
	rs_rate_interval(1000000000000, 500000000000, ALPHA, &low, &high);
	CHECK(low < 0.5 && low > 0.49999 && high > 0.5 && high < 0.50001);
	rs_lift_interval(0, 0, 0, 0, ALPHA, 0.1, &low, &high);
	CHECK(low == -1 && isinf(high));
	rs_lift_interval(0, 0, 10, 5, ALPHA, 0.1, &low, &high);
	CHECK(low == -1 && isinf(high));
	rs_lift_interval(10, 10, 10, 10, ALPHA, 0.1, &low, &high);
	CHECK(low < 0 && low >= -1 && high > 0);
	rs_lift_interval(10, 0, 10, 0, ALPHA, 1e-3, &low, &high);
	CHECK(low < 0 && low >= -1 && high > 0);
}

UNIT_MAIN(no_lift_is_seldom_found, a_lift_is_found_and_measured, a_rate_stays_inside, edges)
