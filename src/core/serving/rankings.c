/*
 * rankings.c
 *		The items in order of score, as many as are asked for, then more.
 *
 * A pass of the top k finds what comes after the last hit, at least as many as
 * were handed out before, and keeps what was not asked for: the passes double.
 * Where a pass over factors could not stop early, the scores of all items are
 * written down once, and later passes read these.
 */
#include "core/serving/rankings.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"
#include "core/serving/view.h"

/* A pass that read more than one row in so many did not stop early. */
#define EARLY 4

/* --- beginning --- */

static RsRanking *
begin(RsContext *ctx, const RsServing *serving, RsScratch *scratch, const RsMask *mask)
{
	RsRanking *ranking = &scratch->ranking;

	rs_ranking_close(ctx, ranking);
	*ranking = (RsRanking){
		.serving = serving, .query = scratch->query, .known = &scratch->scores, .mask = mask};
	return ranking;
}

/* Are the scores the same for everybody? */
static bool
impersonal(const RsServing *serving)
{
	const RsModel *model = &serving->model;

	return rs_algorithm_flags(model->algorithm, &model->options, false) & RS_IMPERSONAL;
}

static RsStatus
make_query(RsContext *ctx, const RsServing *serving, const RsHistory *history, RsScratch *scratch)
{
	const RsModel *model = &serving->model;

	if (rs_check_history(ctx, model, history) != RS_OK)
		return ctx->status;
	if (!serving->by_factors)
	{
		rs_scores_clear(&scratch->scores);
		return model->algorithm->score(ctx, model, history, &scratch->scores);
	}
	memset(scratch->query, 0, (size_t) serving->factors.dim * sizeof(float));
	return model->algorithm->query(ctx, model, history, scratch->query);
}

RsRanking *
rs_ranking_open(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
				const RsHistory *history, const RsMask *mask)
{
	RsRanking *ranking = begin(ctx, serving, scratch, mask);

	if (history->n == 0 && history->features == NULL)
		return ranking;
	if (make_query(ctx, serving, history, scratch) != RS_OK)
		return NULL;
	if (!serving->by_factors)
	{
		ranking->kind = RS_RANK_SCORES;
		ranking->skip_zero = !impersonal(serving);
		if (rs_scores_read(&scratch->scores) == serving->popularity && !ranking->skip_zero)
			ranking->kind = RS_RANK_POPULAR;
	}
	else if (!rs_all_zero(scratch->query, serving->factors.dim))
		ranking->kind = RS_RANK_FACTORS;
	return ranking;
}

RsRanking *
rs_ranking_open_similar(RsContext *ctx, const RsServing *serving, RsScratch *scratch, uint32_t item,
						const RsMask *mask)
{
	RsRanking *ranking = begin(ctx, serving, scratch, mask);
	const float weight = 1;
	RsHistory history = {.n = 1, .item = &item, .weight = &weight};

	ranking->similar = true;
	ranking->item = item;
	if (serving->by_factors && item < serving->model.ids.n)
	{
		const float *row = rs_factors_row(&serving->factors, item);
		double norm = rs_norm(row, serving->factors.dim);

		if (norm > 0)
			ranking->kind = RS_RANK_COSINE;
		for (uint32_t i = 0; i < serving->factors.dim && norm > 0; i++)
			scratch->query[i] = (float) (row[i] / norm);
		return ranking;
	}
	if (make_query(ctx, serving, &history, scratch) != RS_OK)
		return NULL;
	ranking->skip_zero = true;
	if (!impersonal(serving)) /* it knows no likeness */
		ranking->kind = RS_RANK_SCORES;
	return ranking;
}

RsRanking *
rs_ranking_open_popular(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
						const RsMask *mask)
{
	RsRanking *ranking = begin(ctx, serving, scratch, mask);

	ranking->kind = RS_RANK_POPULAR;
	return ranking;
}

void
rs_ranking_close(RsContext *ctx, RsRanking *ranking)
{
	if (ranking == NULL)
		return;
	rs_free(ctx, ranking->kept);
	rs_free(ctx, ranking->scores);
	*ranking = (RsRanking){.kind = RS_RANK_NOTHING};
}

/* --- what comes next --- */

/* Factors have no early stop for this query: are their scores to be written down? */
static bool
wants_scores(const RsRanking *ranking)
{
	return ranking->serving->by_factors && ranking->scores == NULL && ranking->given > 0 &&
		   ranking->read > ranking->serving->model.ids.n / EARLY;
}

static RsStatus
write_scores(RsContext *ctx, RsRanking *ranking)
{
	ranking->scores = rs_alloc(ctx, (size_t) ranking->serving->model.ids.n * sizeof(float));
	if (ranking->scores == NULL)
		return ctx->status;
	return rs_topk_score_all(ctx, &ranking->serving->factors, ranking->query,
							 ranking->kind == RS_RANK_COSINE, ranking->scores);
}

/* One pass: the k best behind the last hit. */
static RsStatus
pass(RsContext *ctx, RsRanking *ranking, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	const RsServing *serving = ranking->serving;
	RsTop top = {.mask = ranking->mask,
				 .without = ranking->similar ? &ranking->item : NULL,
				 .after = ranking->given > 0 ? &ranking->last : NULL,
				 .k = k,
				 .hits = hits};
	RsStatus status = RS_OK;

	if (wants_scores(ranking))
		status = write_scores(ctx, ranking);
	if (status != RS_OK)
		return status;
	if (ranking->kind == RS_RANK_SCORES)
		status = rs_topk_scores(ctx, ranking->known, ranking->skip_zero, &top);
	else if (ranking->scores != NULL)
		status = rs_topk_scores(
			ctx, &(RsScores){.n = serving->model.ids.n, .copied = ranking->scores}, false, &top);
	else if (ranking->kind == RS_RANK_COSINE)
		status = rs_topk_cosine(ctx, &serving->factors, ranking->query, &top);
	else
		status = rs_topk_factors(ctx, &serving->factors, ranking->query, &top);
	*n_hits = top.n;
	ranking->read = top.read > ranking->read ? top.read : ranking->read;
	ranking->ended = top.n < k;
	return status;
}

/* A pass into what is kept, for k hits. */
static RsStatus
keep(RsContext *ctx, RsRanking *ranking, uint32_t k)
{
	if (ranking->room < k)
	{
		rs_free(ctx, ranking->kept);
		ranking->room = 0;
		ranking->kept = rs_alloc(ctx, (size_t) k * sizeof(RsHit));
		if (ranking->kept == NULL)
			return ctx->status;
		ranking->room = k;
	}
	ranking->at = 0;
	return pass(ctx, ranking, k, ranking->kept, &ranking->n);
}

/* The next up to n hits, at least one unless the end has come. */
static RsStatus
some(RsContext *ctx, RsRanking *ranking, uint32_t n, RsHit *hits, uint32_t *n_hits)
{
	uint32_t left = ranking->serving->model.ids.n - ranking->given;
	uint32_t k = ranking->given < left ? ranking->given : left;
	RsStatus status;

	n = n < left ? n : left;
	if (ranking->at == ranking->n && k <= n)
		return pass(ctx, ranking, n, hits, n_hits);
	if (ranking->at == ranking->n && (status = keep(ctx, ranking, k)) != RS_OK)
		return status;
	*n_hits = ranking->n - ranking->at < n ? ranking->n - ranking->at : n;
	memcpy(hits, ranking->kept + ranking->at, *n_hits * sizeof(RsHit));
	ranking->at += *n_hits;
	return RS_OK;
}

RsStatus
rs_ranking_next(RsContext *ctx, RsRanking *ranking, uint32_t n, RsHit *hits, uint32_t *n_hits)
{
	*n_hits = 0;
	if (ranking->kind == RS_RANK_POPULAR)
	{
		*n_hits = rs_popular_walk(ranking->serving, ranking->mask, &ranking->popular, n, hits);
		return RS_OK;
	}
	while (*n_hits < n && ranking->kind != RS_RANK_NOTHING &&
		   ranking->given < ranking->serving->model.ids.n &&
		   !(ranking->ended && ranking->at == ranking->n))
	{
		uint32_t found;

		if (some(ctx, ranking, n - *n_hits, hits + *n_hits, &found) != RS_OK)
		{
			ranking->kind = RS_RANK_NOTHING;
			*n_hits = 0;
			return ctx->status;
		}
		if (found == 0)
			break;
		*n_hits += found;
		ranking->given += found;
		ranking->last = hits[*n_hits - 1];
	}
	return RS_OK;
}

/* --- scores of given items --- */

static float
score_of(const RsRanking *ranking, uint32_t item)
{
	float score = NAN;

	if (ranking->similar && item == ranking->item)
		return NAN;
	switch (ranking->kind)
	{
		case RS_RANK_NOTHING:
			break;
		case RS_RANK_FACTORS:
		case RS_RANK_COSINE:
			score = rs_topk_score(&ranking->serving->factors, ranking->query,
								  ranking->kind == RS_RANK_COSINE, item);
			break;
		case RS_RANK_SCORES:
			score = rs_scores_read(ranking->known)[item];
			if (ranking->skip_zero && score == 0)
				return NAN;
			break;
		case RS_RANK_POPULAR:
			score = ranking->serving->popularity[item];
			break;
	}
	return isfinite(score) ? score : NAN;
}

RsStatus
rs_ranking_scores(RsContext *ctx, const RsRanking *ranking, const uint32_t *items, uint32_t n,
				  float *out)
{
	for (uint32_t i = 0; i < n; i++)
	{
		if (i % 4096 == 4095 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (items[i] >= ranking->serving->model.ids.n)
			return rs_fail(ctx, RS_ERR_PARAM, "item number %u is not in the model", items[i]);
		out[i] = score_of(ranking, items[i]);
	}
	return RS_OK;
}

RsStatus
rs_ranking_score_all(RsContext *ctx, const RsRanking *ranking, float *out)
{
	const RsServing *serving = ranking->serving;

	if (ranking->kind == RS_RANK_FACTORS || ranking->kind == RS_RANK_COSINE)
	{
		if (rs_topk_score_all(ctx, &serving->factors, ranking->query,
							  ranking->kind == RS_RANK_COSINE, out) != RS_OK)
			return ctx->status;
		if (ranking->similar)
			out[ranking->item] = NAN;
		return RS_OK;
	}
	for (uint32_t i = 0; i < serving->model.ids.n; i++)
		out[i] = score_of(ranking, i);
	return RS_OK;
}
