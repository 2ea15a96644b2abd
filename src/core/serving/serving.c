/*
 * serving.c
 *		Answers from the bytes of a model: history in, items out.
 */
#include "core/serving/serving.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"
#include "core/model/modelread.h"

struct RsServing
{
	RsModel model;
	bool by_factors;
	RsFactors factors; /* by_factors */
	const float *popularity;
	const uint32_t *popular; /* items by popularity */
	uint32_t query_n;        /* columns of the factors, or items */
};

struct RsScratch
{
	float *query; /* [query_n] */
};

/* A view of bytes by this way of reading them. */
static RsServing *
open_bytes(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes, uint64_t length,
		   RsStatus (*read)(RsContext *, const RsAlgorithm *const *, const void *, uint64_t,
							RsModel *))
{
	RsServing *serving = rs_calloc(ctx, 1, sizeof(RsServing));

	if (serving == NULL)
		return NULL;
	if (read(ctx, table, bytes, length, &serving->model) != RS_OK)
	{
		rs_free(ctx, serving);
		return NULL;
	}
	serving->by_factors = serving->model.algorithm->kind == RS_QUERY_FACTORS;
	if (serving->by_factors)
		serving->factors = rs_model_factors(&serving->model);
	serving->query_n = serving->by_factors ? serving->factors.dim : serving->model.ids.n;
	serving->popularity = rs_model_tensor(&serving->model, RS_POPULARITY)->data;
	serving->popular = rs_model_tensor(&serving->model, RS_POPULAR)->data;
	return serving;
}

RsServing *
rs_serving_open(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes, uint64_t length)
{
	return open_bytes(ctx, table, bytes, length, rs_model_read);
}

RsServing *
rs_serving_open_trusted(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes,
						uint64_t length)
{
	return open_bytes(ctx, table, bytes, length, rs_model_read_trusted);
}

void
rs_serving_close(RsContext *ctx, RsServing *serving)
{
	if (serving == NULL)
		return;
	rs_model_free(ctx, &serving->model);
	rs_free(ctx, serving);
}

const RsModel *
rs_serving_model(const RsServing *serving)
{
	return &serving->model;
}

RsScratch *
rs_scratch_create(RsContext *ctx, const RsServing *serving)
{
	RsScratch *scratch = rs_alloc(ctx, sizeof(RsScratch));

	if (scratch == NULL)
		return NULL;
	scratch->query = rs_alloc(ctx, (size_t) serving->query_n * sizeof(float));
	if (scratch->query == NULL)
	{
		rs_free(ctx, scratch);
		return NULL;
	}
	return scratch;
}

void
rs_scratch_free(RsContext *ctx, RsScratch *scratch)
{
	if (scratch == NULL)
		return;
	rs_free(ctx, scratch->query);
	rs_free(ctx, scratch);
}

static RsStatus
make_query(RsContext *ctx, const RsServing *serving, const RsHistory *history, float *query)
{
	if (rs_check_history(ctx, &serving->model, history) != RS_OK)
		return ctx->status;
	memset(query, 0, (size_t) serving->query_n * sizeof(float));
	return serving->model.algorithm->query(ctx, &serving->model, history, query);
}

/* Are the scores the same for everybody? */
static bool
impersonal(const RsServing *serving)
{
	const RsModel *model = &serving->model;

	return rs_algorithm_flags(model->algorithm, &model->options, false) & RS_IMPERSONAL;
}

static bool
all_zero(const float *value, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (value[i] != 0)
			return false;
	return true;
}

RsStatus
rs_serving_recommend(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
					 const RsHistory *history, const RsMask *mask, uint32_t k, RsHit *hits,
					 uint32_t *n_hits)
{
	*n_hits = 0;
	if (history->n == 0 && history->features == NULL)
		return RS_OK;
	if (make_query(ctx, serving, history, scratch->query) != RS_OK)
		return ctx->status;
	if (!serving->by_factors)
		return rs_topk_scores(ctx, scratch->query, serving->query_n, mask, !impersonal(serving), k,
							  hits, n_hits);
	if (all_zero(scratch->query, serving->query_n))
		return RS_OK;
	return rs_topk_factors(ctx, &serving->factors, scratch->query, mask, k, hits, n_hits);
}

/* By cosine: one more than asked for, less the item itself wherever it stands. */
static RsStatus
similar_factors(RsContext *ctx, const RsServing *serving, float *query, uint32_t item,
				const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	const RsFactors *factors = &serving->factors;
	const float *row = rs_factors_row(factors, item);
	double norm = rs_norm(row, factors->dim);
	RsHit *all;
	uint32_t found;
	RsStatus status;

	if (!(norm > 0))
		return RS_OK;
	k = k < factors->n ? k : factors->n;
	all = rs_alloc(ctx, ((size_t) k + 1) * sizeof(RsHit));
	if (all == NULL)
		return ctx->status;
	for (uint32_t i = 0; i < factors->dim; i++)
		query[i] = (float) (row[i] / norm);
	status = rs_topk_cosine(ctx, factors, query, mask, k + 1, all, &found);
	for (uint32_t i = 0; status == RS_OK && i < found && *n_hits < k; i++)
		if (all[i].item != item)
			hits[(*n_hits)++] = all[i];
	rs_free(ctx, all);
	return status;
}

RsStatus
rs_serving_similar(RsContext *ctx, const RsServing *serving, RsScratch *scratch, uint32_t item,
				   const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	const float weight = 1;
	RsHistory history = {.n = 1, .item = &item, .weight = &weight};

	*n_hits = 0;
	if (item >= serving->model.ids.n)
		return rs_fail(ctx, RS_ERR_PARAM, "item number %u is not in the model", item);
	if (serving->by_factors)
		return similar_factors(ctx, serving, scratch->query, item, mask, k, hits, n_hits);
	if (impersonal(serving)) /* it knows no likeness */
		return RS_OK;
	if (make_query(ctx, serving, &history, scratch->query) != RS_OK)
		return ctx->status;
	scratch->query[item] = 0;
	return rs_topk_scores(ctx, scratch->query, serving->query_n, mask, true, k, hits, n_hits);
}

uint32_t
rs_serving_popular(const RsServing *serving, const RsMask *mask, uint32_t *at, uint32_t k,
				   RsHit *hits)
{
	uint32_t start = 0;
	uint32_t n = 0;

	at = at != NULL ? at : &start;
	for (; *at < serving->model.ids.n && n < k; ++*at)
	{
		uint32_t item = serving->popular[*at];

		if (rs_mask_allows(mask, item))
		{
			hits[n].item = item;
			hits[n++].score = serving->popularity[item];
		}
	}
	return n;
}
