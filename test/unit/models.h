/*
 * models.h
 *		Small models of every algorithm and id type, as bytes; serving whatever
 *		opens.  For the tests of model bytes, the fuzzer and its corpus.
 */
#ifndef MODELS_H
#define MODELS_H

#include "blend.h"

#include "core/serving/serving.h"

#define MODEL_ITEMS 9

/* Every algorithm there is, and one that is known here alone. */
static const RsAlgorithm *const model_table[] = {
	&rs_als, &rs_ease, &rs_item_knn, &rs_mlp, &rs_popularity, &rs_sequence, &blend, NULL};

static const int64_t model_bigints[MODEL_ITEMS] = {INT64_MIN, -5,  0,    1,        2,
												   30,        400, 5000, INT64_MAX};
static const uint8_t model_uuids[MODEL_ITEMS][16] = {
	{0}, {0, 1}, {0, 2}, {1}, {1, 0, 1}, {0x7f}, {0x80}, {0x80, 255}, {255, 255}};
static const int64_t model_text_start[MODEL_ITEMS + 1] = {0, 0, 1, 3, 4, 6, 7, 9, 12, 14};
static const char model_text[] = "aaabbcdeezzz\xc3\xa9";

static UNIT_UNUSED RsIds
model_ids(RsIdType type)
{
	RsIds ids = {.type = type,
				 .n = MODEL_ITEMS,
				 .bigints = model_bigints,
				 .uuids = model_uuids[0],
				 .text_start = model_text_start,
				 .text = model_text};

	return ids;
}

/* Train a small model; its ids are static. */
static UNIT_UNUSED void
model_train(RsContext *ctx, const RsAlgorithm *algorithm, RsIdType type, RsModel *model)
{
	static Case c;
	RsOptions options;
	RsStatus status;

	rs_options_default(&options, algorithm->options);
	case_random(&c, 20, MODEL_ITEMS, 90,
				(rs_algorithm_flags(algorithm, &options, false) & RS_SEQUENCES) != 0, false, 7);
	if (algorithm == &rs_als)
		set_option(&options, "factors", 4);
	if (algorithm == &rs_mlp)
	{
		set_option(&options, "history", 3);
		set_option(&options, "epochs", 2);
		CHECK(rs_options_set_list(ctx, &options, "hidden", (const double[]){4, 5}, 2) == RS_OK);
	}
	status = case_train(ctx, &c, 0, algorithm, &options, model);
	if (status != RS_OK)
	{
		printf("%s: %s\n", algorithm->name, ctx->message);
		abort();
	}
	model->ids = model_ids(type);
}

/* The same as bytes in a block of exactly that size, to be freed. */
static UNIT_UNUSED char *
model_bytes(const RsAlgorithm *algorithm, RsIdType type, size_t *length)
{
	RsContext ctx = rs_context_malloc();
	RsModel model;
	Bytes bytes = {0, NULL};

	model_train(&ctx, algorithm, type, &model);
	bytes.data = malloc((size_t) rs_model_size(&model));
	if (rs_model_write(&ctx, &model, keep_bytes, &bytes) != RS_OK)
		abort();
	*length = bytes.n;
	rs_model_free(&ctx, &model);
	return bytes.data;
}

/* Open bytes, and if they open ask all there is to ask. */
static UNIT_UNUSED RsStatus
model_try(RsContext *ctx, const void *bytes, size_t length)
{
	RsServing *serving = rs_serving_open(ctx, model_table, bytes, length);
	RsScratch *scratch = serving != NULL ? rs_scratch_create(ctx, serving) : NULL;
	uint32_t items[3] = {0, 0, 0};
	float weights[3] = {1, 2, 0.5f};
	float contribution[3];
	RsExplanation explanation = {.events = contribution};
	float scores[MODEL_ITEMS];
	RsHistory history = {.n = 3, .item = items, .weight = weights};
	uint64_t exclude[1] = {5};
	RsHit hits[16];
	uint32_t n_hits;
	RsMask mask = {exclude, NULL};
	RsStatus status;
	uint32_t n;

	if (scratch == NULL)
	{
		rs_serving_close(ctx, serving);
		return ctx->status;
	}
	n = rs_serving_model(serving)->ids.n;
	items[1] = n / 2;
	items[2] = n - 1;
	status = rs_serving_recommend(ctx, serving, scratch, &history, n <= 64 ? &mask : NULL, 16, hits,
								  &n_hits);
	for (uint32_t i = 0; status == RS_OK && i < n_hits; i++)
		if (hits[i].item >= n || !isfinite(hits[i].score))
			abort();
	for (uint32_t i = 0; status == RS_OK && i < 3; i++)
		status = rs_serving_similar(ctx, serving, scratch, items[i], NULL, 16, hits, &n_hits);
	if (rs_serving_popular(serving, NULL, NULL, 16, hits) != (n < 16 ? n : 16))
		abort();
	if (status == RS_OK && n <= MODEL_ITEMS)
		status = rs_score_all(ctx, rs_serving_model(serving), &history, scores);
	if (status == RS_OK && rs_serving_model(serving)->algorithm->explain != NULL)
		status = rs_explain(ctx, rs_serving_model(serving), &history, n - 1, &explanation);
	rs_scratch_free(ctx, scratch);
	rs_serving_close(ctx, serving);
	if (status == RS_OK) /* what was validated needs no second look */
	{
		serving = rs_serving_open_trusted(ctx, model_table, bytes, length);
		if (serving == NULL)
			return ctx->status;
		if (rs_serving_popular(serving, NULL, NULL, 16, hits) != (n < 16 ? n : 16))
			abort();
		rs_serving_close(ctx, serving);
	}
	return status;
}

#endif
