/*
 * view.h
 *		What a serving and a scratch are made of, for the files of this room.
 */
#ifndef RS_VIEW_H
#define RS_VIEW_H

#include "core/model/algorithm.h"
#include "core/serving/topk.h"

/* How a ranking scores items. */
typedef enum RsRankingKind
{
	RS_RANK_NOTHING, /* nothing to say: no hits */
	RS_RANK_FACTORS, /* product of the query with the factors */
	RS_RANK_COSINE,  /* the same by cosine */
	RS_RANK_SCORES,  /* the scratch has the scores */
	RS_RANK_POPULAR  /* by popularity: their order is known */
} RsRankingKind;

struct RsRanking
{
	const struct RsServing *serving;
	const float *query;    /* of the scratch; by factors */
	const RsScores *known; /* of the scratch; by scores */
	const RsMask *mask;
	RsRankingKind kind;
	bool skip_zero; /* by scores: of an item of score 0 nothing is known */
	bool similar;   /* item may not appear */
	uint32_t item;

	uint32_t given; /* hits that were handed out */
	RsHit last;     /* given > 0: the last of them */
	uint32_t read;  /* most that one pass has looked at */
	bool ended;     /* no hits come after those that are kept */

	RsHit *kept; /* [room], NULL: none; found by a pass and not handed out */
	uint32_t room;
	uint32_t at; /* kept[at .. n-1] are next */
	uint32_t n;
	float *scores; /* [n_items], NULL: not needed yet; of factors, by item */

	uint32_t popular; /* RS_RANK_POPULAR: how far it has come in their order */
};

struct RsServing
{
	RsModel model;
	bool by_factors;
	RsFactors factors; /* by_factors */
	const float *popularity;
	const uint32_t *popular; /* items by popularity */
};

/* The next up to k items by popularity from place *at of their order; how many. */
static inline uint32_t
rs_popular_walk(const struct RsServing *serving, const RsMask *mask, uint32_t *at, uint32_t k,
				RsHit *hits)
{
	uint32_t n = 0;

	for (; *at < serving->model.ids.n && n < k; (*at)++)
	{
		uint32_t item = serving->popular[*at];

		if (rs_mask_allows(mask, item))
			hits[n++] = (RsHit){item, serving->popularity[item]};
	}
	return n;
}

struct RsScratch
{
	float *query;    /* [columns of the factors]; by factors */
	RsScores scores; /* by scores */
	struct RsRanking ranking;
};

#endif
