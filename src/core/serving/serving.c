/*
 * serving.c
 *		A validated model made ready to answer: history in, items out.
 *
 * What is prepared once: the factor index, the items by popularity, and room
 * for a query.  That room makes a serving one caller's at a time.
 */
#include "core/serving/serving.h"

#include <math.h>
#include <string.h>

#include "core/base/sort.h"
#include "core/math/vec.h"

struct RsServing
{
	RsModel model;
	const float *factors; /* of the items, or NULL for a score model */
	float *own_factors;   /* the same where the model has them in another form */
	RsFactorIndex *index;
	const float *popularity;
	uint32_t *popular; /* items by popularity */
	uint32_t query_n;  /* columns of the factors, or items */
	float *query;      /* [query_n] */
	size_t bytes;
};

/* What the algorithm's kind needs; its check has proven the rest. */
static RsStatus
prepare_factors(RsContext *ctx, RsServing *serving)
{
	serving->factors =
		rs_item_factors(ctx, &serving->model, &serving->query_n, &serving->own_factors);
	if (serving->factors == NULL)
		return ctx->status;
	if (serving->own_factors != NULL)
		serving->bytes += (size_t) serving->model.ids.n * serving->query_n * sizeof(float);
	serving->index =
		rs_factor_index_create(ctx, serving->factors, serving->model.ids.n, serving->query_n);
	if (serving->index == NULL)
		return ctx->status;
	serving->bytes += rs_factor_index_bytes(serving->index);
	return RS_OK;
}

static RsStatus
prepare(RsContext *ctx, RsServing *serving)
{
	uint32_t n = serving->model.ids.n;

	serving->query_n = n;
	if (serving->model.algorithm->kind == RS_QUERY_FACTORS &&
		prepare_factors(ctx, serving) != RS_OK)
		return ctx->status;
	serving->popularity = rs_model_tensor(&serving->model, RS_POPULARITY)->data;
	serving->popular = rs_alloc(ctx, (size_t) n * sizeof(uint32_t));
	serving->query = rs_alloc(ctx, (size_t) serving->query_n * sizeof(float));
	if (serving->popular == NULL || serving->query == NULL)
		return ctx->status;
	serving->bytes += sizeof(*serving) + (size_t) n * sizeof(uint32_t) +
					  (size_t) serving->query_n * sizeof(float);
	return rs_order_descending(ctx, serving->popularity, n, serving->popular);
}

RsServing *
rs_serving_open(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes, uint64_t length)
{
	RsServing *serving = rs_calloc(ctx, 1, sizeof(RsServing));

	if (serving == NULL)
		return NULL;
	if (rs_model_read(ctx, table, bytes, length, &serving->model) != RS_OK ||
		prepare(ctx, serving) != RS_OK)
	{
		rs_serving_close(ctx, serving);
		return NULL;
	}
	return serving;
}

void
rs_serving_close(RsContext *ctx, RsServing *serving)
{
	if (serving == NULL)
		return;
	rs_factor_index_free(ctx, serving->index);
	rs_free(ctx, serving->own_factors);
	rs_free(ctx, serving->popular);
	rs_free(ctx, serving->query);
	rs_model_free(ctx, &serving->model);
	rs_free(ctx, serving);
}

const RsModel *
rs_serving_model(const RsServing *serving)
{
	return &serving->model;
}

size_t
rs_serving_bytes(const RsServing *serving)
{
	return serving->bytes;
}

/* The query of a history into serving->query. */
static RsStatus
make_query(RsContext *ctx, RsServing *serving, const RsHistory *history)
{
	if (rs_check_history(ctx, &serving->model, history) != RS_OK)
		return ctx->status;
	memset(serving->query, 0, (size_t) serving->query_n * sizeof(float));
	return serving->model.algorithm->query(ctx, &serving->model, history, serving->query);
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
rs_serving_recommend(RsContext *ctx, RsServing *serving, const RsHistory *history,
					 const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	*n_hits = 0;
	if (history->n == 0 && history->features == NULL)
		return RS_OK;
	if (make_query(ctx, serving, history) != RS_OK)
		return ctx->status;
	if (serving->index == NULL)
		*n_hits =
			rs_topk_scores(serving->query, serving->query_n, mask, !impersonal(serving), k, hits);
	else if (!all_zero(serving->query, serving->query_n))
		*n_hits = rs_topk_factors(serving->index, serving->query, mask, k, hits);
	return RS_OK;
}

/* By cosine: one more than asked for, less the item itself wherever it stands. */
static RsStatus
similar_factors(RsContext *ctx, RsServing *serving, uint32_t item, const RsMask *mask, uint32_t k,
				RsHit *hits, uint32_t *n_hits)
{
	uint32_t n = serving->model.ids.n;
	uint32_t dim = serving->query_n;
	const float *row = serving->factors + (size_t) item * dim;
	double norm = rs_norm(row, dim);
	RsHit *all;
	uint32_t found;

	if (!(norm > 0))
		return RS_OK;
	k = k < n ? k : n;
	all = rs_alloc(ctx, ((size_t) k + 1) * sizeof(RsHit));
	if (all == NULL)
		return ctx->status;
	for (uint32_t i = 0; i < dim; i++)
		serving->query[i] = (float) (row[i] / norm);
	found = rs_topk_cosine(serving->index, serving->query, mask, k + 1, all);
	for (uint32_t i = 0; i < found && *n_hits < k; i++)
		if (all[i].item != item)
			hits[(*n_hits)++] = all[i];
	rs_free(ctx, all);
	return RS_OK;
}

RsStatus
rs_serving_similar(RsContext *ctx, RsServing *serving, uint32_t item, const RsMask *mask,
				   uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	const float weight = 1;
	RsHistory history = {.n = 1, .item = &item, .weight = &weight};

	*n_hits = 0;
	if (item >= serving->model.ids.n)
		return rs_fail(ctx, RS_ERR_PARAM, "item number %u is not in the model", item);
	if (serving->index != NULL)
		return similar_factors(ctx, serving, item, mask, k, hits, n_hits);
	if (impersonal(serving)) /* it knows no likeness */
		return RS_OK;
	if (make_query(ctx, serving, &history) != RS_OK)
		return ctx->status;
	serving->query[item] = 0;
	*n_hits = rs_topk_scores(serving->query, serving->query_n, mask, true, k, hits);
	return RS_OK;
}

RsStatus
rs_serving_popular(RsContext *ctx, RsServing *serving, const RsMask *mask, uint32_t k, RsHit *hits,
				   uint32_t *n_hits)
{
	uint32_t n = serving->model.ids.n;

	(void) ctx;
	*n_hits = 0;
	for (uint32_t i = 0; i < n && *n_hits < k; i++)
	{
		uint32_t item = serving->popular[i];

		if (rs_mask_allows(mask, item))
		{
			hits[*n_hits].item = item;
			hits[(*n_hits)++].score = serving->popularity[item];
		}
	}
	return RS_OK;
}
