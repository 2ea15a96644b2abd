/*
 * serving.c
 *		Answers from the bytes of a model: history in, items out.
 */
#include "core/serving/serving.h"

#include "core/model/modelread.h"
#include "core/serving/view.h"

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

/* Scores start cleared. */
static RsStatus
create_room(RsContext *ctx, const RsServing *serving, RsScratch *scratch)
{
	uint32_t n = serving->model.ids.n;

	if (serving->by_factors)
	{
		scratch->query = rs_alloc(ctx, (size_t) serving->factors.dim * sizeof(float));
		return scratch->query != NULL ? RS_OK : ctx->status;
	}
	scratch->scores.n = n;
	if ((scratch->scores.score = rs_calloc(ctx, n, sizeof(float))) == NULL ||
		(scratch->scores.touched = rs_calloc(ctx, rs_scores_words(n), sizeof(uint64_t))) == NULL ||
		(scratch->scores.words = rs_alloc(ctx, rs_scores_words(n) * sizeof(uint32_t))) == NULL)
		return ctx->status;
	return RS_OK;
}

RsScratch *
rs_scratch_create(RsContext *ctx, const RsServing *serving)
{
	RsScratch *scratch = rs_calloc(ctx, 1, sizeof(RsScratch));

	if (scratch == NULL)
		return NULL;
	if (create_room(ctx, serving, scratch) != RS_OK)
	{
		rs_scratch_free(ctx, scratch);
		return NULL;
	}
	return scratch;
}

void
rs_scratch_free(RsContext *ctx, RsScratch *scratch)
{
	if (scratch == NULL)
		return;
	rs_ranking_close(ctx, &scratch->ranking);
	rs_free(ctx, scratch->query);
	rs_free(ctx, scratch->scores.score);
	rs_free(ctx, scratch->scores.touched);
	rs_free(ctx, scratch->scores.words);
	rs_free(ctx, scratch);
}

RsStatus
rs_serving_recommend(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
					 const RsHistory *history, const RsMask *mask, uint32_t k, RsHit *hits,
					 uint32_t *n_hits)
{
	RsRanking *ranking = rs_ranking_open(ctx, serving, scratch, history, mask);

	*n_hits = 0;
	return ranking != NULL ? rs_ranking_next(ctx, ranking, k, hits, n_hits) : ctx->status;
}

RsStatus
rs_serving_similar(RsContext *ctx, const RsServing *serving, RsScratch *scratch, uint32_t item,
				   const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	RsRanking *ranking = rs_ranking_open_similar(ctx, serving, scratch, item, mask);

	*n_hits = 0;
	return ranking != NULL ? rs_ranking_next(ctx, ranking, k, hits, n_hits) : ctx->status;
}

uint32_t
rs_serving_popular(const RsServing *serving, const RsMask *mask, uint32_t *at, uint32_t k,
				   RsHit *hits)
{
	uint32_t start = 0;

	return rs_popular_walk(serving, mask, at != NULL ? at : &start, k, hits);
}
