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

#include "measure.h"

#include "core/algorithms/algorithms.h"
#include "core/math/vec.h"
#include "core/model/modelbytes.h"
#include "core/serving/many.h"
#include "core/serving/serving.h"

#define DIM 64
#define CENTRES 200
#define QUERIES 101
#define K 10
#define NEIGHBORS 50
#define USERS 20000
#define PAST 50

static double
normal(void)
{
	double u = uniform();

	return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * uniform());
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
		RsScores all = {.n = n, .copied = scores};

		draw(query, centres, 1);
		begun = now();
		rs_topk_factors(&ctx, &index, query, &top);
		exact[q] = now() - begun;
		begun = now();
		rs_topk_cosine(&ctx, &index, query, &other);
		similar[q] = now() - begun;
		begun = now();
		rs_dot_rows(query, factors, n, DIM, scores);
		rs_topk_scores(&ctx, &all, false, &other);
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

/* Rows of one length each: no stop by norms.  One thread, wall and CPU time, by
 * product and by cosine, with the coarse copies and without. */
static void
measure_flat(uint32_t n)
{
	RsContext ctx = rs_context_malloc();
	float *rows = rs_alloc(&ctx, (size_t) n * DIM * sizeof(float));
	RsModel model = {.ids.n = n};
	RsFactors with, without;
	double begun;
	int different = 0;

	if (rows == NULL)
		exit(1);
	for (size_t i = 0; i < (size_t) n * DIM; i++)
		rows[i] = (float) normal();
	begun = cpu();
	if (rs_factors_add(&ctx, &model, rows, DIM) != RS_OK)
		exit(1);
	printf("%u x %d, Gaussian: sorted and copied in %.0f ms", n, DIM, (cpu() - begun) / 1e3);
	begun = cpu();
	if (rs_factors_check(&ctx, &model) != RS_OK)
		exit(1);
	printf(", proven in %.0f ms\n", (cpu() - begun) / 1e3);
	with = without = rs_model_factors(&model);
	without.coarse = (RsCoarse){0};
	for (int cosine = 0; cosine < 2; cosine++)
	{
		double took[2][QUERIES], spent[2][QUERIES];

		for (int q = 0; q < QUERIES; q++)
		{
			float query[DIM];
			RsHit hits[2][K];

			for (int d = 0; d < DIM; d++)
				query[d] = (float) normal();
			for (int c = 0; c < 2; c++)
			{
				RsTop top = {.k = K, .hits = hits[c]};

				took[c][q] = now();
				spent[c][q] = cpu();
				(cosine ? rs_topk_cosine : rs_topk_factors)(&ctx, c == 0 ? &with : &without, query,
															&top);
				spent[c][q] = cpu() - spent[c][q];
				took[c][q] = now() - took[c][q];
			}
			different += memcmp(hits[0], hits[1], sizeof(hits[0])) != 0;
		}
		for (int c = 0; c < 2; c++)
		{
			qsort(took[c], QUERIES, sizeof(double), ascending);
			qsort(spent[c], QUERIES, sizeof(double), ascending);
			printf("  %s, %s coarse copies: median %.2f ms, p95 %.2f ms; CPU median %.2f ms\n",
				   cosine ? "cosine" : "product", c == 0 ? "with" : "without",
				   took[c][QUERIES / 2] / 1e3, took[c][QUERIES * 95 / 100] / 1e3,
				   spent[c][QUERIES / 2] / 1e3);
		}
	}
	printf("  %d lists differ\n", different);
	rs_model_free(&ctx, &model);
}

static bool
keep_bytes(void *opaque, const void *bytes, size_t length)
{
	char **at = opaque;

	memcpy(*at, bytes, length);
	*at += length;
	return true;
}

/* Bytes of an item_knn of n items with NEIGHBORS each, drawn evenly; NULL ids. */
static char *
rows_model(uint32_t n, size_t *length)
{
	RsContext ctx = rs_context_malloc();
	RsModel model = {.algorithm = &rs_item_knn, .loss = NAN};
	int64_t *ids = malloc(n * sizeof(int64_t));
	int64_t *offset = malloc(((size_t) n + 1) * sizeof(int64_t));
	uint32_t *item = malloc((size_t) n * NEIGHBORS * sizeof(uint32_t));
	float *value = malloc((size_t) n * NEIGHBORS * sizeof(float));
	float *popularity = rs_calloc(&ctx, n, sizeof(float));
	char *bytes, *at;

	rs_options_default(&model.options, rs_item_knn.options);
	model.ids = (RsIds){.type = RS_ID_BIGINT, .n = n, .bigints = ids};
	for (uint32_t i = 0; i <= n; i++)
		offset[i] = (int64_t) i * NEIGHBORS;
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t stretch = n / NEIGHBORS;

		ids[i] = i;
		for (uint32_t j = 0; j < NEIGHBORS; j++)
		{
			item[i * NEIGHBORS + j] = j * stretch + (uint32_t) (uniform() * stretch);
			value[i * NEIGHBORS + j] = (float) uniform();
		}
	}
	rs_popularity_add(&ctx, &model, popularity);
	rs_model_add(&ctx, &model, "item_weights.offsets", RS_I64, 1, (uint64_t) n + 1, 1, offset,
				 false);
	rs_model_add(&ctx, &model, "item_weights.items", RS_I32, 1, (uint64_t) n * NEIGHBORS, 1, item,
				 false);
	rs_model_add(&ctx, &model, "item_weights.values", RS_F32, 1, (uint64_t) n * NEIGHBORS, 1, value,
				 false);
	*length = (size_t) rs_model_size(&model);
	at = bytes = malloc(*length);
	if (rs_model_write(&ctx, &model, keep_bytes, &at) != RS_OK)
		exit(1);
	rs_model_free(&ctx, &model);
	free(ids);
	free(offset);
	free(item);
	free(value);
	return bytes;
}

/* A whole answer of item rows, for histories of n_history items. */
static void
measure_rows(uint32_t n)
{
	static const uint32_t n_history[] = {1, 20, 200, 5000};
	RsContext ctx = rs_context_malloc();
	size_t length;
	char *bytes = rows_model(n, &length);
	RsServing *serving = rs_serving_open(&ctx, rs_algorithms(), bytes, length);
	RsScratch *scratch = serving != NULL ? rs_scratch_create(&ctx, serving) : NULL;
	uint32_t items[5000];
	float weights[5000];
	RsHit hits[K];
	uint32_t n_hits;

	if (serving == NULL)
		printf("%s %s\n", ctx.message, ctx.detail), exit(1);
	printf("%u items x %d neighbors:\n", n, NEIGHBORS);
	for (int h = 0; h < 4; h++)
	{
		RsHistory history = {.n = n_history[h], .item = items, .weight = weights};
		double took[QUERIES];

		for (int q = 0; q < QUERIES; q++)
		{
			double begun;

			for (uint32_t i = 0; i < history.n; i++)
			{
				items[i] = (uint32_t) (uniform() * n);
				weights[i] = 1;
			}
			begun = now();
			if (rs_serving_recommend(&ctx, serving, scratch, &history, NULL, K, hits, &n_hits) !=
				RS_OK)
				exit(1);
			took[q] = now() - begun;
		}
		qsort(took, QUERIES, sizeof(double), ascending);
		printf("  history of %u: median %.1f us, p95 %.1f us\n", history.n, took[QUERIES / 2],
			   took[QUERIES * 95 / 100]);
	}
	rs_scratch_free(&ctx, scratch);
	rs_serving_close(&ctx, serving);
	free(bytes);
}

/* Bytes of an als of n items, rows as in measure(). */
static char *
factors_model(uint32_t n, const float *centres, size_t *length)
{
	RsContext ctx = rs_context_malloc();
	RsModel model = {.algorithm = &rs_als, .loss = NAN};
	int64_t *ids = malloc(n * sizeof(int64_t));
	float *rows = rs_alloc(&ctx, (size_t) n * DIM * sizeof(float));
	float *gram = rs_calloc(&ctx, DIM * DIM, sizeof(float));
	char *bytes, *at;

	rs_options_default(&model.options, rs_als.options);
	model.ids = (RsIds){.type = RS_ID_BIGINT, .n = n, .bigints = ids};
	for (uint32_t i = 0; i < n; i++)
	{
		ids[i] = i;
		draw(rows + (size_t) i * DIM, centres, exp(0.6 * normal()));
	}
	for (uint32_t i = 0; i < n; i++)
		for (int d = 0; d < DIM; d++)
			rs_axpy(rows[(size_t) i * DIM + d], rows + (size_t) i * DIM, gram + d * DIM, DIM);
	rs_popularity_add(&ctx, &model, rs_calloc(&ctx, n, sizeof(float)));
	rs_factors_add(&ctx, &model, rows, DIM);
	rs_model_add(&ctx, &model, "gram", RS_F32, 2, DIM, DIM, gram, true);
	*length = (size_t) rs_model_size(&model);
	at = bytes = malloc(*length);
	if (rs_model_write(&ctx, &model, keep_bytes, &at) != RS_OK)
		exit(1);
	rs_model_free(&ctx, &model);
	free(ids);
	return bytes;
}

/* Whole answers for many users of PAST items each, none of which comes again: one
 * after the other on one thread, then in a batch. */
static void
measure_batch(uint32_t n, const float *centres)
{
	RsContext ctx = rs_context_malloc();
	size_t length;
	char *bytes = factors_model(n, centres, &length);
	RsServing *serving = rs_serving_open(&ctx, rs_algorithms(), bytes, length);
	RsScratch *scratch = serving != NULL ? rs_scratch_create(&ctx, serving) : NULL;
	uint32_t *items = malloc((size_t) USERS * PAST * sizeof(uint32_t));
	float *ones = malloc(PAST * sizeof(float));
	size_t words = n / 64 + 1;
	uint64_t *seen = calloc(USERS * words, sizeof(uint64_t));
	RsHistory *histories = malloc(USERS * sizeof(RsHistory));
	RsMask *masks = calloc(USERS, sizeof(RsMask));
	RsHit *hits = malloc((size_t) USERS * K * sizeof(RsHit));
	uint32_t *n_hits = malloc(USERS * sizeof(uint32_t));
	uint32_t n_one;
	RsHit one[K];
	int different = 0;
	double begun, spent;

	if (serving == NULL)
		printf("%s %s\n", ctx.message, ctx.detail), exit(1);
	for (uint32_t u = 0; u < USERS; u++)
	{
		histories[u] = (RsHistory){.n = PAST, .item = items + (size_t) u * PAST, .weight = ones};
		masks[u].exclude = seen + u * words;
		for (uint32_t i = 0; i < PAST; i++)
		{
			uint32_t item = (uint32_t) (uniform() * n);

			ones[i] = 1;
			items[(size_t) u * PAST + i] = item;
			seen[u * words + item / 64] |= (uint64_t) 1 << (item % 64);
		}
	}
	begun = now();
	spent = cpu();
	for (uint32_t u = 0; u < USERS; u++)
		rs_serving_recommend(&ctx, serving, scratch, &histories[u], &masks[u], K, one, &n_one);
	printf("%u x %d, %d users with %d items, users/s (CPU us a user): %.0f (%.1f) one by one", n,
		   DIM, USERS, PAST, USERS / (now() - begun) * 1e6, (cpu() - spent) / USERS);
	for (ctx.threads = 1; ctx.threads <= 2; ctx.threads++)
	{
		begun = now();
		spent = cpu();
		if (rs_serving_batch(&ctx, serving, USERS, histories, masks, K, hits, n_hits) != RS_OK)
			exit(1);
		printf(", %.0f (%.1f) in a batch on %d", USERS / (now() - begun) * 1e6,
			   (cpu() - spent) / USERS, ctx.threads);
	}
	for (uint32_t u = 0; u < USERS; u++)
	{
		rs_serving_recommend(&ctx, serving, scratch, &histories[u], &masks[u], K, one, &n_one);
		different +=
			n_one != n_hits[u] || memcmp(one, hits + (size_t) u * K, n_one * sizeof(RsHit)) != 0;
	}
	printf(" threads; %d lists differ\n", different);
	rs_scratch_free(&ctx, scratch);
	rs_serving_close(&ctx, serving);
	free(bytes);
	free(items);
	free(ones);
	free(seen);
	free(histories);
	free(masks);
	free(hits);
	free(n_hits);
}

int
main(void)
{
	float centres[CENTRES * DIM];

	for (int i = 0; i < CENTRES * DIM; i++)
		centres[i] = (float) normal();
	measure(20000, centres);
	measure(1000000, centres);
	measure_flat(1000000);
	measure_rows(1000000);
	measure_batch(20000, centres);
	return 0;
}
