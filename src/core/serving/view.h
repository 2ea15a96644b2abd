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
	RS_RANK_SCORES   /* the query is the scores */
} RsRankingKind;

struct RsRanking
{
	const struct RsServing *serving;
	const float *query; /* of the scratch */
	const RsMask *mask;
	RsRankingKind kind;
	bool skip_zero; /* RS_RANK_SCORES: of an item of score 0 nothing is known */
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
};

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
	struct RsRanking ranking;
};

#endif
