/*
 * test_parts.c
 *		A model that holds two others (blend.h): its parts in memory and in bytes.
 *		What all models must stand, it stands in the tests of model bytes and of
 *		serving.
 */
#include "models.h"

/* A blend within a blend, which there is not. */
static const char *const nested_prefixes[] = {"inner", NULL};

static RsStatus
train_nested(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	RsOptions of_part;

	rs_options_default(&of_part, blend_options);
	return rs_train_part(ctx, &blend, &of_part, problem, model, "inner");
}

static const RsAlgorithm nested = {
	.name = "nested",
	.flags = RS_CELLS | RS_SEQUENCES | RS_HISTORY,
	.kind = RS_QUERY_SCORES,
	.options = blend_options,
	.parts = nested_prefixes,
	.train = train_nested,
	.score = blend_score,
};

static RsStatus
train_blend(RsContext *ctx, const RsAlgorithm *algorithm, RsModel *model)
{
	static Case c;
	RsOptions values;
	RsStatus status;

	case_random(&c, 20, MODEL_ITEMS, 120, true, true, 7);
	rs_options_default(&values, blend_options);
	status = case_train(ctx, &c, 0, algorithm, &values, model);
	if (status == RS_OK)
		model->ids = model_ids(RS_ID_TEXT);
	return status;
}

TEST(written_read_and_asked)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsModel model, read;
	Bytes kept = {0, NULL}, again = {0, NULL};

	CHECK(train_blend(ctx, &blend, &model) == RS_OK);
	CHECK(model.n_parts == 2 && rs_model_part(&model, "before") == NULL);
	kept.data = malloc(rs_model_size(&model));
	CHECK(rs_model_write(ctx, &model, keep_bytes, &kept) == RS_OK);
	CHECK(rs_model_read(ctx, model_table, kept.data, kept.n, &read) == RS_OK);
	CHECK(read.n_parts == 2 && same_models(&model, &read));
	for (int i = 0; i < 2; i++)
	{
		const RsModel *a = rs_model_part(&model, blend_prefixes[i]);
		const RsModel *b = rs_model_part(&read, blend_prefixes[i]);

		CHECK(a->algorithm == b->algorithm &&
			  b->algorithm == (i == 0 ? &rs_item_knn : &rs_sequence));
		CHECK(memcmp(&a->options, &b->options, sizeof(RsOptions)) == 0);
		CHECK(b->n_users == read.n_users && b->ids.text == read.ids.text);
		CHECK(same_models(a, b) && b->n_tensors == 5);
	}
	again.data = malloc(kept.n);
	CHECK(rs_model_size(&read) == kept.n);
	CHECK(rs_model_write(ctx, &read, keep_bytes, &again) == RS_OK);
	CHECK(memcmp(kept.data, again.data, kept.n) == 0);
	CHECK(model_try(ctx, kept.data, kept.n) == RS_OK);
	/* to a table without it, it is nothing */
	rs_model_free(ctx, &read);
	CHECK(rs_model_read(ctx, rs_algorithms(), kept.data, kept.n, &read) == RS_ERR_BYTES);
	rs_model_free(ctx, &model);
	CHECK(heap.live == 0);
	free(kept.data);
	free(again.data);
}

/* The bytes with the first from in them replaced by to, of the same length. */
static void
refused(const char *bytes, size_t length, const char *from, const char *to, const char *detail)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	char *changed = malloc(length);
	size_t at = 0;

	memcpy(changed, bytes, length);
	while (at + strlen(from) < length && memcmp(changed + at, from, strlen(from)) != 0)
		at++;
	if (at + strlen(from) >= length || strlen(from) != strlen(to))
	{
		printf("%s -> %s\n", from, to);
		abort();
	}
	memcpy(changed + at, to, strlen(to));
	CHECK(model_try(ctx, changed, length) == RS_ERR_BYTES);
	if (strstr(ctx->detail, detail) == NULL)
	{
		printf("%s -> %s: %s\n", from, to, ctx->detail);
		CHECK(!"the expected detail");
	}
	CHECK(heap.live == 0);
	free(changed);
}

TEST(corrupt_parts)
{
	size_t length;
	char *bytes = model_bytes(&blend, RS_ID_TEXT, &length);

	refused(bytes, length, "\"after.algorithm\"", "\"often.algorithm\"",
			"\"often.algorithm\" is unknown");
	refused(bytes, length, "\"after.algorithm\"", "\"after.algorithn\"",
			"\"after.algorithn\" is unknown");
	refused(bytes, length, "\"after.algorithm\"", "\"after_algorithm\"",
			"\"after_algorithm\" is unknown");
	refused(bytes, length, "\"after.options\"", "\"after_options\"",
			"\"after_options\" is unknown");
	refused(bytes, length, "\"sequence\"", "\"sequencf\"",
			"\"after.algorithm\" has no valid value");
	refused(bytes, length, "\"sequence\", \"after", "\"als\"     , \"after", "unknown");
	refused(bytes, length, "\"sequence\", \"after", "\"blend\"   , \"after", "unknown");
	refused(bytes, length, "\"backward", "\"forwards", "Option");
	refused(bytes, length, "\"together.item_weights.values\"", "\"together.item_weights.valuex\"",
			"\"item_weights.values\" is missing");
	refused(bytes, length, "\"after.options\": \"{", "\"after.options\": 7{", "not a JSON object");
	refused(bytes, length, "\"together.item_weights.values\"", "\"itsether.item_weights.values\"",
			"is unknown");
	refused(bytes, length, "\"shares\"", "\"sharez\"", "\"shares\" is missing");
	refused(bytes, length, "\"item_popularity\"", "\"after.populariy\"",
			"\"item_popularity\" is missing");
	free(bytes);
}

TEST(failures_in_training)
{
	bool done[2] = {false, false};

	for (long at = 1; !done[0] || !done[1]; at++)
	{
		UnitHeap heap;
		RsModel model;
		RsContext *ctx = unit_heap(&heap, at, 0);
		RsStatus status = train_blend(ctx, &blend, &model);

		if (status == RS_OK)
			rs_model_free(ctx, &model);
		CHECK(heap.live == 0 && (status == RS_OK || (heap.failed && status == RS_ERR_NOMEM)));
		done[0] = !heap.failed;
		ctx = unit_heap(&heap, 0, at);
		status = train_blend(ctx, &blend, &model);
		if (status == RS_OK)
			rs_model_free(ctx, &model);
		CHECK(heap.live == 0 && status == (heap.canceled ? RS_ERR_CANCELED : RS_OK));
		done[1] = !heap.canceled;
	}
}

/* Parts too many, twice, of the wrong problem, or with parts of their own. */
TEST(refused_in_training)
{
	static Case c;
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsOptions values;
	RsModel model;

	CHECK(train_blend(ctx, &nested, &model) == RS_ERR_PARAM);
	case_random(&c, 20, MODEL_ITEMS, 120, false, false, 7);
	rs_options_default(&values, blend_options);
	CHECK(case_train(ctx, &c, 0, &blend, &values, &model) == RS_ERR_PARAM);
	CHECK(train_blend(ctx, &blend, &model) == RS_OK);
	CHECK(rs_model_check(ctx, &model) == RS_OK);
	model.parts[1].model->algorithm = &blend;
	CHECK(rs_model_check(ctx, &model) == RS_ERR_BYTES);
	CHECK_STR(ctx->detail, "Part \"after\" has parts itself.");
	model.parts[1].prefix = "other";
	CHECK(rs_model_check(ctx, &model) == RS_ERR_BYTES);
	CHECK_STR(ctx->detail, "Part \"after\" is missing.");
	model.parts[1].prefix = "after";
	model.algorithm = &rs_popularity;
	model.n_tensors--;
	CHECK(rs_model_check(ctx, &model) == RS_ERR_BYTES);
	CHECK_STR(ctx->detail, "It has a part that is unknown.");
	rs_model_free(ctx, &model);
	memset(&model, 0, sizeof(model));
	for (int i = 0; i < RS_MAX_PARTS; i++)
		CHECK(rs_model_add_part(ctx, &model, ((const char *[]){"a", "b", "c", "d"})[i]) != NULL);
	CHECK(rs_model_add_part(ctx, &model, "e") == NULL && ctx->status == RS_ERR_LIMIT);
	model.n_parts--;
	CHECK(rs_model_add_part(ctx, &model, "a") == NULL && ctx->status == RS_ERR_LIMIT);
	model.n_parts++;
	rs_model_free(ctx, &model);
	CHECK(heap.live == 0);
}

UNIT_MAIN(written_read_and_asked, corrupt_parts, failures_in_training, refused_in_training)
