/*
 * topk.c
 *		Times of the exact top k on one thread, beside a full scan.
 *
 * Rows as iALS leaves them: directions around 200 centres, norms lognormal with
 * sigma 0.6; queries are drawn like rows of unit norm.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/serving/topk.h"
#include "core/math/vec.h"

#define DIM 64
#define CENTRES 200
#define QUERIES 101
#define K 10

static uint64_t state = 42;

static double
uniform(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

static double
normal(void)
{
	double u = uniform();

	return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * uniform());
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}

static int
ascending(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
draw(float *row, const float *centres, double norm)
{
	const float *centre = centres + (size_t) (uniform() * CENTRES) * DIM;
	double length;

	for (int d = 0; d < DIM; d++)
		row[d] = centre[d] + (float) (0.7 * normal());
	length = rs_norm(row, DIM);
	for (int d = 0; d < DIM; d++)
		row[d] = (float) (row[d] * norm / length);
}

static void
measure(uint32_t n, const float *centres)
{
	RsContext ctx = rs_context_malloc();
	float *factors = malloc((size_t) n * DIM * sizeof(float));
	float *sorted = rs_alloc(&ctx, (size_t) n * DIM * sizeof(float));
	float *scores = malloc((size_t) n * sizeof(float));
	RsModel model = {.ids.n = n};
	RsFactors index;
	double exact[QUERIES], scan[QUERIES], similar[QUERIES], begun;
	RsHit hits[K], expected[K];
	int different = 0;
	uint64_t read = 0;
	double *norm = malloc(n * sizeof(double));

	if (factors == NULL || sorted == NULL || scores == NULL || norm == NULL)
		exit(1);
	for (uint32_t i = 0; i < n; i++)
	{
		norm[i] = exp(0.6 * normal());
		draw(factors + (size_t) i * DIM, centres, norm[i]);
	}
	memcpy(sorted, factors, (size_t) n * DIM * sizeof(float));
	begun = now();
	if (rs_factors_add(&ctx, &model, sorted, DIM) != RS_OK)
		exit(1);
	index = rs_model_factors(&model);
	printf("%u x %d: sorted in %.1f ms\n", n, DIM, (now() - begun) / 1e3);
	for (int q = 0; q < QUERIES; q++)
	{
		float query[DIM];
		RsTop top = {.k = K, .hits = hits};
		RsTop other = {.k = K, .hits = expected};

		draw(query, centres, 1);
		begun = now();
		rs_topk_factors(&ctx, &index, query, &top);
		exact[q] = now() - begun;
		begun = now();
		rs_topk_cosine(&ctx, &index, query, &other);
		similar[q] = now() - begun;
		begun = now();
		rs_dot_rows(query, factors, n, DIM, scores);
		rs_topk_scores(&ctx, scores, n, false, &other);
		scan[q] = now() - begun;
		for (uint32_t i = 0; i < n; i++)
			read += norm[i] >= hits[K - 1].score ? 1 : 0;
		for (int j = 0; j < K; j++)
			different += hits[j].item != expected[j].item || hits[j].score != expected[j].score;
	}
	qsort(exact, QUERIES, sizeof(double), ascending);
	qsort(scan, QUERIES, sizeof(double), ascending);
	qsort(similar, QUERIES, sizeof(double), ascending);
	printf("  top %d: median %.1f us, p95 %.1f us; rows read: %.2f %%; full scan: median %.1f us; "
		   "cosine: median %.1f us; %d hits differ\n",
		   K, exact[QUERIES / 2], exact[QUERIES * 95 / 100], 100 * (double) read / QUERIES / n,
		   scan[QUERIES / 2], similar[QUERIES / 2], different);
	rs_model_free(&ctx, &model);
	free(factors);
	free(scores);
	free(norm);
}

int
main(void)
{
	float centres[CENTRES * DIM];

	for (int i = 0; i < CENTRES * DIM; i++)
		centres[i] = (float) normal();
	measure(20000, centres);
	measure(1000000, centres);
	return 0;
}
