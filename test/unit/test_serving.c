/*
 * test_serving.c
 *		Opening a model and asking it: recommend, similar, popular.
 */
#include "models.h"

#include "core/math/vec.h"

static uint32_t all_items[MODEL_ITEMS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
static const float ones[MODEL_ITEMS] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Bytes of a model with tensors of our own. */
static char *
write_model(RsModel *model, size_t *length)
{
	RsContext ctx = rs_context_malloc();
	Bytes bytes = {0, malloc((size_t) rs_model_size(model))};

	CHECK(rs_model_write(&ctx, model, keep_bytes, &bytes) == RS_OK);
	*length = bytes.n;
	return bytes.data;
}

TEST(popular_items)
{
	static const float popularity[MODEL_ITEMS] = {1, 5, 0, 5, 2, 0, 9, 1, 3};
	static const uint32_t expected[MODEL_ITEMS] = {6, 1, 3, 8, 4, 0, 7, 2, 5};
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsModel model = {.algorithm = &rs_popularity, .ids = model_ids(RS_ID_UUID), .loss = NAN};
	RsHistory history = {.n = 1, .item = all_items, .weight = ones};
	RsHistory nothing = {.n = 0, .item = NULL, .weight = NULL};
	uint64_t exclude[1] = {1u << 6 | 1u << 3};
	uint64_t include[1] = {1u << 3 | 1u << 2};
	RsMask without = {exclude, NULL}, both = {exclude, include};
	RsServing *serving;
	RsHit hits[20];
	uint32_t n;
	size_t length;
	char *bytes;

	rs_options_default(&model.options, rs_popularity.options);
	CHECK(rs_model_add(ctx, &model, "item_popularity", RS_F32, 1, MODEL_ITEMS, 1, popularity,
					   false) == RS_OK);
	bytes = write_model(&model, &length);
	serving = rs_serving_open(ctx, rs_algorithms(), bytes, length);
	CHECK(serving != NULL && rs_serving_bytes(serving) >= MODEL_ITEMS * 8);
	CHECK(rs_serving_popular(ctx, serving, NULL, 20, hits, &n) == RS_OK && n == MODEL_ITEMS);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].item == expected[i] && hits[i].score == popularity[expected[i]]);
	CHECK(rs_serving_popular(ctx, serving, &without, 2, hits, &n) == RS_OK && n == 2);
	CHECK(hits[0].item == 1 && hits[1].item == 8);
	CHECK(rs_serving_popular(ctx, serving, &both, 5, hits, &n) == RS_OK && n == 1);
	CHECK(hits[0].item == 2 && hits[0].score == 0);
	CHECK(rs_serving_popular(ctx, serving, NULL, 0, hits, &n) == RS_OK && n == 0);
	/* as an algorithm it keeps the items of popularity 0 */
	CHECK(rs_serving_recommend(ctx, serving, &history, NULL, 20, hits, &n) == RS_OK &&
		  n == MODEL_ITEMS);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].item == expected[i]);
	CHECK(rs_serving_recommend(ctx, serving, &nothing, NULL, 20, hits, &n) == RS_OK && n == 0);
	CHECK(rs_serving_similar(ctx, serving, 1, NULL, 20, hits, &n) == RS_OK && n == 0);
	rs_serving_close(ctx, serving);
	rs_serving_close(ctx, NULL);
	CHECK(heap.live == 0);
	free(bytes);
}

/* The factors with item 4 made zero and item 5 the double of item 2. */
TEST(factors)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	size_t length;
	char *bytes = model_bytes(&rs_als, RS_ID_TEXT, &length);
	RsServing *serving;
	RsHistory history = {.n = 2, .item = all_items, .weight = ones};
	float zeros[2] = {0, 0};
	RsHistory zero = {.n = 2, .item = all_items, .weight = zeros};
	uint32_t outside = MODEL_ITEMS;
	RsHistory wrong = {.n = 1, .item = &outside, .weight = ones};
	float query[4] = {0};
	float *factors;
	RsHit hits[20], few[20];
	uint32_t n, m;

	serving = rs_serving_open(ctx, rs_algorithms(), bytes, length);
	factors = (float *) rs_model_tensor(rs_serving_model(serving), "item_factors")->data;
	for (int d = 0; d < 4; d++)
	{
		factors[4 * 4 + d] = 0;
		factors[5 * 4 + d] = 2 * factors[2 * 4 + d];
	}
	rs_serving_close(ctx, serving);
	serving = rs_serving_open(ctx, rs_algorithms(), bytes, length);
	CHECK(serving != NULL);

	CHECK(rs_als.query(ctx, rs_serving_model(serving), &history, query) == RS_OK);
	CHECK(rs_serving_recommend(ctx, serving, &history, NULL, 20, hits, &n) == RS_OK);
	CHECK(n == MODEL_ITEMS);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].score == rs_dot(query, factors + hits[i].item * 4, 4));
	CHECK(rs_serving_recommend(ctx, serving, &history, NULL, 3, few, &m) == RS_OK && m == 3);
	CHECK(memcmp(hits, few, 3 * sizeof(RsHit)) == 0);
	CHECK(rs_serving_recommend(ctx, serving, &zero, NULL, 3, few, &m) == RS_OK && m == 0);
	CHECK(rs_serving_recommend(ctx, serving, &wrong, NULL, 3, few, &m) == RS_ERR_PARAM && m == 0);

	CHECK(rs_serving_similar(ctx, serving, 2, NULL, 20, hits, &n) == RS_OK);
	CHECK(n == MODEL_ITEMS - 2); /* neither itself nor the zero row */
	CHECK(hits[0].item == 5);
	CHECK_NEAR(hits[0].score, 1, 1e-6);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].item != 2 && hits[i].item != 4 && fabsf(hits[i].score) < 1.00001f);
	CHECK(rs_serving_similar(ctx, serving, 2, NULL, 1, few, &m) == RS_OK && m == 1);
	CHECK(few[0].item == 5);
	CHECK(rs_serving_similar(ctx, serving, 4, NULL, 5, few, &m) == RS_OK && m == 0);
	CHECK(rs_serving_similar(ctx, serving, MODEL_ITEMS, NULL, 5, few, &m) == RS_ERR_PARAM);
	rs_serving_close(ctx, serving);
	CHECK(heap.live == 0);
	free(bytes);
}

TEST(scores)
{
	const RsAlgorithm *const algorithms[] = {&rs_ease, &rs_item_knn, &rs_sequence};

	for (int a = 0; a < 3; a++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		size_t length;
		char *bytes = model_bytes(algorithms[a], RS_ID_BIGINT, &length);
		RsServing *serving = rs_serving_open(ctx, rs_algorithms(), bytes, length);
		RsHistory history = {.n = 1, .item = all_items + 3, .weight = ones};
		float query[MODEL_ITEMS] = {0};
		RsHit hits[20];
		uint32_t n, known = 0;

		CHECK(serving != NULL);
		CHECK(algorithms[a]->query(ctx, rs_serving_model(serving), &history, query) == RS_OK);
		for (int i = 0; i < MODEL_ITEMS; i++)
			known += query[i] != 0;
		CHECK(rs_serving_recommend(ctx, serving, &history, NULL, 20, hits, &n) == RS_OK);
		CHECK(n == known);
		for (uint32_t i = 0; i < n; i++)
			CHECK(hits[i].score == query[hits[i].item] && hits[i].score != 0 &&
				  (i == 0 || hits[i - 1].score >= hits[i].score));
		CHECK(rs_serving_similar(ctx, serving, 3, NULL, 20, hits, &n) == RS_OK);
		CHECK(n == known - (query[3] != 0));
		for (uint32_t i = 0; i < n; i++)
			CHECK(hits[i].item != 3);
		rs_serving_close(ctx, serving);
		CHECK(heap.live == 0);
		free(bytes);
	}
}

/* Each allocation fails once, in every call. */
TEST(out_of_memory)
{
	for (int a = 0; rs_algorithms()[a] != NULL; a++)
	{
		size_t length;
		char *bytes = model_bytes(rs_algorithms()[a], RS_ID_BIGINT, &length);
		bool done = false;

		for (long at = 1; !done; at++)
		{
			UnitHeap heap;
			RsStatus status = model_try(unit_heap(&heap, at, 0), bytes, length);

			CHECK(status == (heap.failed ? RS_ERR_NOMEM : RS_OK));
			CHECK(heap.live == 0);
			done = !heap.failed;
		}
		free(bytes);
	}
}

UNIT_MAIN(popular_items, factors, scores, out_of_memory)
