/*
 * open.c
 *		Times to open the bytes of a model: validated whole, and as bytes that were
 *		validated before, beside reading them once (memory's own speed).
 *
 *		open [ROUNDS]
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#include "core/algorithms/algorithms.h"
#include "core/model/derived.h"
#include "core/model/modelbytes.h"
#include "core/serving/serving.h"

#define MOST_ROUNDS 101

static RsContext ctx;

static void
must(RsStatus status)
{
	if (status == RS_OK)
		return;
	fprintf(stderr, "%s %s\n", ctx.message, ctx.detail);
	exit(1);
}

static float *
random_floats(size_t n, float scale)
{
	float *out = rs_alloc(&ctx, n * sizeof(float));

	for (size_t i = 0; i < n; i++)
		out[i] = scale * (float) (uniform() + uniform() - 1);
	return out;
}

static void
add_factors(RsModel *model, uint32_t dim)
{
	uint32_t n = model->ids.n;
	float *rows = random_floats((size_t) n * dim, 1);

	for (uint32_t i = 0; i < n; i++)
	{
		float length = (float) exp(uniform() + uniform() - 1);

		for (uint32_t d = 0; d < dim; d++)
			rows[(size_t) i * dim + d] *= length;
	}
	must(rs_factors_add(&ctx, model, rows, dim));
	must(rs_model_add(&ctx, model, "gram", RS_F32, 2, dim, dim, random_floats(dim * dim, 1), true));
}

static void
add_weights(RsModel *model, uint32_t neighbors)
{
	uint32_t n = model->ids.n;
	size_t nnz = (size_t) n * neighbors;
	int64_t *offsets = rs_alloc(&ctx, (n + 1) * sizeof(int64_t));
	int32_t *items = rs_alloc(&ctx, nnz * sizeof(int32_t));

	for (uint32_t i = 0; i <= n; i++)
		offsets[i] = (int64_t) i * neighbors;
	for (size_t i = 0; i < nnz; i++)
		items[i] = (int32_t) (i % neighbors * (n / neighbors));
	must(rs_model_add(&ctx, model, "item_weights.offsets", RS_I64, 1, n + 1, 1, offsets, true));
	must(rs_model_add(&ctx, model, "item_weights.items", RS_I32, 1, nnz, 1, items, true));
	must(rs_model_add(&ctx, model, "item_weights.values", RS_F32, 1, nnz, 1, random_floats(nnz, 1),
					  true));
}

static bool
keep(void *opaque, const void *bytes, size_t length)
{
	char **next = opaque;

	memcpy(*next, bytes, length);
	*next += length;
	return true;
}

static double
median(double *times, int rounds)
{
	qsort(times, (size_t) rounds, sizeof(double), ascending);
	return times[rounds / 2];
}

static void
measure(const char *what, const void *bytes, size_t length, int rounds)
{
	double open[MOST_ROUNDS], view[MOST_ROUNDS], read[MOST_ROUNDS], begun;
	const uint64_t *words = bytes;
	uint64_t sum = 0;

	for (int i = 0; i < rounds; i++)
	{
		RsServing *serving;

		begun = now();
		for (size_t w = 0; w < length / 8; w++)
			sum += words[w];
		read[i] = now() - begun;
		begun = now();
		serving = rs_serving_open(&ctx, rs_algorithms(), bytes, length);
		open[i] = now() - begun;
		if (serving == NULL)
			must(ctx.status);
		rs_serving_close(&ctx, serving);
		begun = now();
		serving = rs_serving_open_trusted(&ctx, rs_algorithms(), bytes, length);
		view[i] = now() - begun;
		rs_serving_close(&ctx, serving);
	}
	printf("%-26s %10.1f %12.2f %12.4f %12.2f%s\n", what, (double) length / 1e6,
		   median(open, rounds) / 1e3, median(view, rounds) / 1e3, median(read, rounds) / 1e3,
		   sum == 1 ? " " : "");
}

static void
measure_model(const char *what, const RsAlgorithm *algorithm, uint32_t n, uint32_t width,
			  int rounds)
{
	RsModel model = {.algorithm = algorithm, .ids = {.type = RS_ID_BIGINT, .n = n}, .loss = NAN};
	int64_t *ids = malloc(n * sizeof(int64_t));
	float *popularity = random_floats(n, 1000);
	size_t length;
	char *bytes;
	char *next;

	for (uint32_t i = 0; i < n; i++)
	{
		ids[i] = i;
		popularity[i] = floorf(fabsf(popularity[i]));
	}
	model.ids.bigints = ids;
	rs_options_default(&model.options, algorithm->options);
	must(rs_popularity_add(&ctx, &model, popularity));
	if (algorithm == &rs_als)
	{
		must(rs_options_set(&ctx, &model.options, "factors", RS_OPTION_REAL, width, NULL));
		add_factors(&model, width);
	}
	else if (algorithm == &rs_item_knn)
		add_weights(&model, width);
	length = (size_t) rs_model_size(&model);
	bytes = next = rs_alloc(&ctx, length);
	must(rs_model_write(&ctx, &model, keep, &next));
	rs_model_free(&ctx, &model);
	measure(what, bytes, length, rounds);
	rs_free(&ctx, bytes);
	free(ids);
}

int
main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 11;

	if (rounds < 1 || rounds > MOST_ROUNDS)
		return 2;
	ctx = rs_context_malloc();
	printf("%-26s %10s %12s %12s %12s\n", "model", "MB", "open, ms", "view, ms", "read, ms");
	measure_model("factors 1,000,000 x 64", &rs_als, 1000000, 64, rounds);
	measure_model("factors 20,000 x 64", &rs_als, 20000, 64, rounds);
	measure_model("weights 20,000 x 200", &rs_item_knn, 20000, 200, rounds);
	measure_model("popularity 1,000,000", &rs_popularity, 1000000, 0, rounds);
	return 0;
}
