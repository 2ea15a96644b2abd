/*
 * given.h
 *		Random models of algorithms that only tests know, random histories and masks:
 *		"given" has factors and takes its query from the history, "rows" scores items
 *		by a rule, "everybody" does so for all alike.
 */
#ifndef GIVEN_H
#define GIVEN_H

#include "items.h"

#include "core/serving/serving.h"

#define ITEMS 700
#define WORDS (ITEMS / 64 + 1)
#define MAX_DIM 24

static uint64_t seed = 1;

static UNIT_UNUSED uint32_t
below(uint32_t n)
{
	return (uint32_t) (unit_random(&seed) % n);
}

static const RsOption no_options[] = {{.name = NULL}};

static UNIT_UNUSED int
given_tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS])
{
	specs[0] = (RsTensorSpec){RS_FACTORS, RS_F32, 2, {model->ids.n, RS_ANY}, false};
	return 1;
}

static UNIT_UNUSED RsStatus
given_query(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	uint32_t dim = rs_model_factors(model).dim;

	(void) ctx;
	for (uint32_t i = 0; i < history->n; i++)
		out[i % dim] += history->weight[i];
	return RS_OK;
}

static UNIT_UNUSED RsStatus
rows_score(RsContext *ctx, const RsModel *model, const RsHistory *history, RsScores *scores)
{
	uint32_t step = history->item[0] % 9 + 1; /* some queries touch few items */

	(void) ctx;
	for (uint32_t i = 0; i < history->n; i++)
		for (uint32_t j = 0; j < model->ids.n; j += step)
		{
			scores->score[j] += history->weight[i] * (float) (j * (history->item[i] + 7) % 31 % 5);
			if (!scores->all)
				rs_scores_touch(scores, j);
		}
	if (step == 1)
		scores->all = true;
	return RS_OK;
}

static UNIT_UNUSED RsStatus
no_train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	(void) problem;
	(void) model;
	return rs_fail(ctx, RS_ERR_PARAM, "not to be trained");
}

static const RsAlgorithm given = {.name = "given",
								  .flags = RS_CELLS | RS_HISTORY,
								  .kind = RS_QUERY_FACTORS,
								  .options = no_options,
								  .train = no_train,
								  .tensors = given_tensors,
								  .query = given_query};
static const RsAlgorithm rows = {.name = "rows",
								 .flags = RS_CELLS | RS_HISTORY,
								 .kind = RS_QUERY_SCORES,
								 .options = no_options,
								 .train = no_train,
								 .score = rows_score};
static const RsAlgorithm everybody = {.name = "everybody",
									  .flags = RS_CELLS | RS_IMPERSONAL,
									  .kind = RS_QUERY_SCORES,
									  .options = no_options,
									  .train = no_train,
									  .score = rows_score};
static const RsAlgorithm *const table[] = {&given, &rows, &everybody, NULL};

/* Vectors of random length in coarse or fine numbers: equal scores, rows of 0,
 * norms that differ much or not at all. */
static UNIT_UNUSED float *
random_factors(RsContext *ctx, uint32_t n, uint32_t dim)
{
	float *factors = rs_alloc(ctx, (size_t) n * dim * sizeof(float));
	bool coarse = below(2) == 0;
	double spread = below(2) == 0 ? 1.2 : 0;

	for (uint32_t i = 0; i < n; i++)
	{
		double length = below(30) == 0 ? 0 : exp(spread * unit_normal(&seed));

		for (uint32_t d = 0; d < dim; d++)
			factors[i * dim + d] =
				coarse ? (float) below(3) - 1 : (float) (length * unit_normal(&seed));
	}
	return factors;
}

static UNIT_UNUSED Bytes
random_model(const RsAlgorithm *algorithm, uint32_t n)
{
	static int64_t ids[ITEMS];
	RsContext ctx = rs_context_malloc();
	RsModel model = {
		.algorithm = algorithm, .ids = {.type = RS_ID_BIGINT, .n = n, .bigints = ids}, .loss = NAN};
	float *popularity = rs_alloc(&ctx, n * sizeof(float));
	Bytes bytes;

	for (uint32_t i = 0; i < n; i++)
	{
		ids[i] = i;
		popularity[i] = (float) below(9);
	}
	rs_options_default(&model.options, no_options);
	CHECK(rs_popularity_add(&ctx, &model, popularity) == RS_OK);
	if (algorithm->kind == RS_QUERY_FACTORS)
	{
		uint32_t dim = 1 + below(MAX_DIM);

		CHECK(rs_factors_add(&ctx, &model, random_factors(&ctx, n, dim), dim) == RS_OK);
	}
	bytes = (Bytes){0, malloc((size_t) rs_model_size(&model))};
	CHECK(rs_model_write(&ctx, &model, keep_bytes, &bytes) == RS_OK);
	rs_model_free(&ctx, &model);
	return bytes;
}

typedef struct Asked
{
	uint32_t item[30];
	float weight[30];
	RsHistory history;
	uint64_t exclude[WORDS];
	uint64_t include[WORDS];
	RsMask mask;
} Asked;

static UNIT_UNUSED void
random_asked(Asked *asked, uint32_t n_items)
{
	uint32_t rate = 1 + below(100);

	asked->history = (RsHistory){.n = below(30), .item = asked->item, .weight = asked->weight};
	for (uint32_t i = 0; i < asked->history.n; i++)
	{
		asked->item[i] = below(n_items);
		asked->weight[i] = below(2) ? (float) below(3) - 1 : (float) unit_normal(&seed);
	}
	if (below(20) == 0)
		memset(asked->weight, 0, sizeof(asked->weight));
	for (uint32_t w = 0; w < WORDS; w++)
	{
		asked->exclude[w] = unit_random(&seed) & unit_random(&seed);
		asked->include[w] = 0;
		for (int b = 0; b < 64; b++)
			asked->include[w] |= (uint64_t) (below(100) < rate) << b;
	}
	asked->mask = (RsMask){.exclude = below(2) ? asked->exclude : NULL,
						   .include = below(2) ? asked->include : NULL};
}

#endif
