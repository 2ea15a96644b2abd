/*
 * test_serving.c
 *		Opening a model and asking it: recommend, similar, popular.
 */
#include "models.h"

#include <pthread.h>

#include "core/math/vec.h"

static uint32_t all_items[MODEL_ITEMS] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
static const float ones[MODEL_ITEMS] = {1, 1, 1, 1, 1, 1, 1, 1, 1};

/* Give a model other vectors of its items, rows[MODEL_ITEMS][dim] by item. */
static void
replace_factors(RsContext *ctx, RsModel *model, const float *rows, uint32_t dim)
{
	float *own = rs_alloc(ctx, MODEL_ITEMS * dim * sizeof(float));
	int kept = 0;

	memcpy(own, rows, MODEL_ITEMS * dim * sizeof(float));
	for (int i = 0; i < model->n_tensors; i++)
		if (strncmp(model->tensors[i].name, RS_FACTORS, strlen(RS_FACTORS)) != 0)
			model->tensors[kept++] = model->tensors[i];
	model->n_tensors = kept;
	CHECK(rs_factors_add(ctx, model, own, dim) == RS_OK);
}

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
	RsScratch *scratch;
	float *given = rs_alloc(ctx, sizeof(popularity));
	RsHit hits[20];
	uint32_t n;
	size_t length;
	char *bytes;

	rs_options_default(&model.options, rs_popularity.options);
	memcpy(given, popularity, sizeof(popularity));
	CHECK(rs_popularity_add(ctx, &model, given) == RS_OK);
	bytes = write_model(&model, &length);
	rs_model_free(ctx, &model);
	serving = rs_serving_open(ctx, model_table, bytes, length);
	CHECK(serving != NULL);
	scratch = rs_scratch_create(ctx, serving);
	CHECK((n = rs_serving_popular(serving, NULL, NULL, 20, hits)) == MODEL_ITEMS);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].item == expected[i] && hits[i].score == popularity[expected[i]]);
	CHECK((n = rs_serving_popular(serving, &without, NULL, 2, hits)) == 2);
	CHECK(hits[0].item == 1 && hits[1].item == 8);
	CHECK((n = rs_serving_popular(serving, &both, NULL, 5, hits)) == 1);
	CHECK(hits[0].item == 2 && hits[0].score == 0);
	CHECK((n = rs_serving_popular(serving, NULL, NULL, 0, hits)) == 0);
	/* as an algorithm it keeps the items of popularity 0 */
	CHECK(rs_serving_recommend(ctx, serving, scratch, &history, NULL, 20, hits, &n) == RS_OK &&
		  n == MODEL_ITEMS);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].item == expected[i]);
	CHECK(rs_serving_recommend(ctx, serving, scratch, &nothing, NULL, 20, hits, &n) == RS_OK &&
		  n == 0);
	CHECK(rs_serving_similar(ctx, serving, scratch, 1, NULL, 20, hits, &n) == RS_OK && n == 0);
	rs_scratch_free(ctx, scratch);
	rs_scratch_free(ctx, NULL);
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
	RsModel model;
	RsFactors trained;
	float factors[MODEL_ITEMS * 4];
	size_t length;
	char *bytes;
	RsServing *serving;
	RsScratch *scratch;
	RsHistory history = {.n = 2, .item = all_items, .weight = ones};
	float zeros[2] = {0, 0};
	RsHistory zero = {.n = 2, .item = all_items, .weight = zeros};
	uint32_t outside = MODEL_ITEMS;
	RsHistory wrong = {.n = 1, .item = &outside, .weight = ones};
	float query[4] = {0};
	RsHit hits[20], few[20];
	uint32_t n, m;

	model_train(ctx, &rs_als, RS_ID_TEXT, &model);
	trained = rs_model_factors(&model);
	for (int i = 0; i < MODEL_ITEMS; i++)
		memcpy(factors + i * 4, trained.rows + trained.row_of[i] * 4, 4 * sizeof(float));
	for (int d = 0; d < 4; d++)
	{
		factors[4 * 4 + d] = 0;
		factors[5 * 4 + d] = 2 * factors[2 * 4 + d];
	}
	replace_factors(ctx, &model, factors, 4);
	bytes = write_model(&model, &length);
	rs_model_free(ctx, &model);
	serving = rs_serving_open(ctx, model_table, bytes, length);
	CHECK(serving != NULL);
	scratch = rs_scratch_create(ctx, serving);

	CHECK(rs_als.query(ctx, rs_serving_model(serving), &history, query) == RS_OK);
	CHECK(rs_serving_recommend(ctx, serving, scratch, &history, NULL, 20, hits, &n) == RS_OK);
	CHECK(n == MODEL_ITEMS);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].score == rs_dot(query, factors + hits[i].item * 4, 4));
	CHECK(rs_serving_recommend(ctx, serving, scratch, &history, NULL, 3, few, &m) == RS_OK &&
		  m == 3);
	CHECK(memcmp(hits, few, 3 * sizeof(RsHit)) == 0);
	CHECK(rs_serving_recommend(ctx, serving, scratch, &zero, NULL, 3, few, &m) == RS_OK && m == 0);
	CHECK(rs_serving_recommend(ctx, serving, scratch, &wrong, NULL, 3, few, &m) == RS_ERR_PARAM &&
		  m == 0);

	CHECK(rs_serving_similar(ctx, serving, scratch, 2, NULL, 20, hits, &n) == RS_OK);
	CHECK(n == MODEL_ITEMS - 2); /* neither itself nor the zero row */
	CHECK(hits[0].item == 5);
	CHECK_NEAR(hits[0].score, 1, 1e-6);
	for (uint32_t i = 0; i < n; i++)
		CHECK(hits[i].item != 2 && hits[i].item != 4 && fabsf(hits[i].score) < 1.00001f);
	CHECK(rs_serving_similar(ctx, serving, scratch, 2, NULL, 1, few, &m) == RS_OK && m == 1);
	CHECK(few[0].item == 5);
	CHECK(rs_serving_similar(ctx, serving, scratch, 4, NULL, 5, few, &m) == RS_OK && m == 0);
	CHECK(rs_serving_similar(ctx, serving, scratch, MODEL_ITEMS, NULL, 5, few, &m) == RS_ERR_PARAM);
	rs_scratch_free(ctx, scratch);
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
		RsServing *serving = rs_serving_open(ctx, model_table, bytes, length);
		RsScratch *scratch = rs_scratch_create(ctx, serving);
		RsHistory history = {.n = 1, .item = all_items + 3, .weight = ones};
		float query[MODEL_ITEMS] = {0};
		RsHit hits[20];
		uint32_t n, known = 0;

		CHECK(serving != NULL);
		CHECK(rs_score_all(ctx, rs_serving_model(serving), &history, query) == RS_OK);
		for (int i = 0; i < MODEL_ITEMS; i++)
			known += query[i] != 0;
		CHECK(rs_serving_recommend(ctx, serving, scratch, &history, NULL, 20, hits, &n) == RS_OK);
		CHECK(n == known);
		for (uint32_t i = 0; i < n; i++)
			CHECK(hits[i].score == query[hits[i].item] && hits[i].score != 0 &&
				  (i == 0 || hits[i - 1].score >= hits[i].score));
		CHECK(rs_serving_similar(ctx, serving, scratch, 3, NULL, 20, hits, &n) == RS_OK);
		CHECK(n == known - (query[3] != 0));
		for (uint32_t i = 0; i < n; i++)
			CHECK(hits[i].item != 3);
		rs_scratch_free(ctx, scratch);
		rs_serving_close(ctx, serving);
		CHECK(heap.live == 0);
		free(bytes);
	}
}

/* EASE with the strongest weights alone. */
static char *
sparse_ease_bytes(size_t *length)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	char *bytes;

	rs_options_default(&options, rs_ease.options);
	set_option(&options, "dense_items", 0);
	set_option(&options, "neighbors", 4);
	case_random(&c, 20, MODEL_ITEMS, 90, false, false, 7);
	CHECK(case_train(&ctx, &c, 0, &rs_ease, &options, &model) == RS_OK);
	bytes = write_model(&model, length);
	rs_model_free(&ctx, &model);
	return bytes;
}

/* A random history with items that stand several times, and weights of both signs. */
static RsHistory
random_history(uint64_t *seed, uint32_t n_items, uint32_t *item, float *weight)
{
	RsHistory history = {.n = (uint32_t) (unit_random(seed) % 40), .item = item, .weight = weight};

	for (uint32_t i = 0; i < history.n; i++)
	{
		item[i] = (uint32_t) (unit_random(seed) % (1 + unit_random(seed) % n_items));
		weight[i] = (float) (unit_random(seed) % 7) - 2;
	}
	return history;
}

/* The parts of every item's score sum to it. */
static void
check_explained(RsContext *ctx, const RsModel *model, const RsHistory *history, const float *score)
{
	float contribution[40];
	RsExplanation parts = {.events = contribution};

	for (uint32_t item = 0; item < model->ids.n; item++)
	{
		double sum, size;

		CHECK(rs_explain(ctx, model, history, item, &parts) == RS_OK);
		sum = parts.rest;
		size = 1e-6 + fabs(parts.rest);
		CHECK(parts.rest == 0 || model->algorithm == &rs_popularity || model->algorithm == &rs_mlp);
		for (uint32_t i = 0; i < history->n; i++)
		{
			sum += contribution[i];
			size += fabs(contribution[i]);
		}
		CHECK_NEAR(sum, score[item], 1e-4 * size);
	}
	CHECK(rs_explain(ctx, model, history, model->ids.n, &parts) == RS_ERR_PARAM);
}

/* All scores are what serving recommends by, bit for bit. */
static void
check_scores(RsContext *ctx, const RsServing *serving, RsScratch *scratch, const RsHistory *history,
			 const float *score)
{
	const RsModel *model = rs_serving_model(serving);
	RsHit hits[MODEL_ITEMS];
	bool found[MODEL_ITEMS] = {false};
	bool any = false;
	uint32_t n;

	CHECK(rs_serving_recommend(ctx, serving, scratch, history, NULL, MODEL_ITEMS, hits, &n) ==
		  RS_OK);
	for (uint32_t i = 0; i < n; i++)
	{
		found[hits[i].item] = true;
		CHECK(hits[i].score == score[hits[i].item]);
	}
	for (int i = 0; i < MODEL_ITEMS; i++)
		any = any || score[i] != 0;
	for (int i = 0; i < MODEL_ITEMS; i++)
		CHECK(found[i] || score[i] == 0 || history->n == 0);
	CHECK(n == MODEL_ITEMS || model->algorithm->kind == RS_QUERY_SCORES || !any);
}

TEST(all_scores)
{
	for (int a = 0; model_table[a] != NULL; a++)
		for (int dense = 0; dense < 2; dense++)
		{
			UnitHeap heap;
			RsContext *ctx = unit_heap(&heap, 0, 0);
			const RsAlgorithm *algorithm = model_table[a];
			size_t length;
			char *bytes;
			RsServing *serving;
			RsScratch *scratch;
			uint64_t seed = 11;

			if (dense == 1 && algorithm != &rs_ease)
				continue;
			bytes = dense == 0 ? model_bytes(algorithm, RS_ID_TEXT, &length)
							   : sparse_ease_bytes(&length);
			serving = rs_serving_open(ctx, model_table, bytes, length);
			scratch = rs_scratch_create(ctx, serving);
			for (int round = 0; round < 60; round++)
			{
				const RsModel *model = rs_serving_model(serving);
				float score[MODEL_ITEMS], weight[40];
				uint32_t item[40];
				RsHistory history = random_history(&seed, MODEL_ITEMS, item, weight);

				CHECK(rs_score_all(ctx, model, &history, score) == RS_OK);
				check_scores(ctx, serving, scratch, &history, score);
				check_explained(ctx, model, &history, score);
				history.item = &(uint32_t){MODEL_ITEMS};
				history.n = 1;
				CHECK(rs_score_all(ctx, model, &history, score) == RS_ERR_PARAM);
				CHECK(rs_explain(ctx, model, &history, 0, &(RsExplanation){.events = weight}) ==
					  RS_ERR_PARAM);
			}
			rs_scratch_free(ctx, scratch);
			rs_serving_close(ctx, serving);
			CHECK(heap.live == 0);
			free(bytes);
		}
}

/* What one thread asks of the serving that all share. */
typedef struct Asking
{
	const RsServing *serving;
	RsHit hits[MODEL_ITEMS][2 * MODEL_ITEMS];
	uint32_t n[MODEL_ITEMS][2];
	bool failed;
	pthread_t thread;
} Asking;

static void *
ask(void *arg)
{
	Asking *asking = arg;
	RsContext ctx = rs_context_malloc();
	RsScratch *scratch = rs_scratch_create(&ctx, asking->serving);

	for (int round = 0; round < 20; round++)
		for (uint32_t item = 0; item < MODEL_ITEMS; item++)
		{
			RsHistory history = {.n = 2, .item = (uint32_t[]){item, 3}, .weight = ones};
			uint64_t exclude[1] = {(uint64_t) 1 << item};
			RsMask mask = {exclude, NULL};

			asking->failed |=
				rs_serving_recommend(&ctx, asking->serving, scratch, &history, &mask, MODEL_ITEMS,
									 asking->hits[item], &asking->n[item][0]) != RS_OK;
			asking->failed |=
				rs_serving_similar(&ctx, asking->serving, scratch, item, NULL, MODEL_ITEMS,
								   asking->hits[item] + MODEL_ITEMS, &asking->n[item][1]) != RS_OK;
		}
	rs_scratch_free(&ctx, scratch);
	return NULL;
}

/* Threads with a scratch of their own on one serving: run this under TSan too. */
TEST(shared_by_threads)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		RsContext ctx = rs_context_malloc();
		static Asking asking[3];
		size_t length;
		char *bytes = model_bytes(model_table[a], RS_ID_BIGINT, &length);
		RsServing *serving = rs_serving_open(&ctx, model_table, bytes, length);

		memset(asking, 0, sizeof(asking));
		for (int t = 0; t < 3; t++)
			asking[t].serving = serving;
		ask(&asking[0]);
		for (int t = 1; t < 3; t++)
			CHECK(pthread_create(&asking[t].thread, NULL, ask, &asking[t]) == 0);
		for (int t = 1; t < 3; t++)
		{
			pthread_join(asking[t].thread, NULL);
			CHECK(!asking[t].failed);
			CHECK(memcmp(asking[0].hits, asking[t].hits, sizeof(asking[t].hits)) == 0);
			CHECK(memcmp(asking[0].n, asking[t].n, sizeof(asking[t].n)) == 0);
		}
		rs_serving_close(&ctx, serving);
		free(bytes);
	}
}

/* Each allocation fails once, in every call. */
TEST(out_of_memory)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		size_t length;
		char *bytes = model_bytes(model_table[a], RS_ID_BIGINT, &length);
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

UNIT_MAIN(popular_items, factors, scores, all_scores, shared_by_threads, out_of_memory)
