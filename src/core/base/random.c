/*
 * random.c
 *		Random numbers from a counter: SplitMix64 (Steele, Lea, Flood, Fast Splittable
 *		Pseudorandom Number Generators, OOPSLA 2014) over a mixture of the arguments.
 */
#include "core/base/random.h"

/* The output function of SplitMix64. */
static inline uint64_t
scramble(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint64_t
rs_random(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t z = seed * 0xd1342543de82ef95u + a * 0xaf251af3b0f025b5u + 1;

	return scramble((z ^ (z >> 32)) * 0xdaba0b6eb09322e3u + (b + 1) * 0x9e3779b97f4a7c15u);
}

double
rs_random_uniform(uint64_t seed, uint64_t a, uint64_t b)
{
	return (double) (rs_random(seed, a, b) >> 11) * 0x1p-53;
}

/* The sum of four uniforms. */
double
rs_random_normal(uint64_t seed, uint64_t at)
{
	uint64_t z = scramble(seed * 0xd1342543de82ef95u + (at + 1) * 0x9e3779b97f4a7c15u);
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += ((double) ((z >> (16 * i)) & 0xffff) + 0.5) / 65536.0;
	return (sum - 2.0) * 1.7320508075688772;
}
