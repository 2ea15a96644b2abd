/*
 * measure.h
 *		What the measurements of the core share: random numbers that are the same
 *		each time, a clock, the order of times.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <time.h>

/* Even in [0, 1). */
static inline double
uniform(void)
{
	static uint64_t state = 42;
	uint64_t z = (state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

/* Microseconds. */
static inline double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/* Microseconds of CPU time, of all threads. */
static inline double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

/* For qsort. */
static inline int
ascending(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

#endif
