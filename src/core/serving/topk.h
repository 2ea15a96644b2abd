/*
 * topk.h
 *		The k best items, exactly.
 *
 * Order: score descending, then item number ascending.  Items whose score is
 * not finite never appear.
 */
#ifndef RS_TOPK_H
#define RS_TOPK_H

#include "core/model/derived.h"
#include "core/model/scores.h"

typedef struct RsHit
{
	uint32_t item;
	float score;
} RsHit;

/* Which items may appear.  Bitmaps of n_items bits (bit i of word i/64), NULL
 * for "none excluded" and "all included". */
typedef struct RsMask
{
	const uint64_t *exclude;
	const uint64_t *include;
} RsMask;

static inline bool
rs_mask_allows(const RsMask *mask, uint32_t item)
{
	uint64_t bit = (uint64_t) 1 << (item % 64);

	if (mask == NULL)
		return true;
	return (mask->exclude == NULL || !(mask->exclude[item / 64] & bit)) &&
		   (mask->include == NULL || (mask->include[item / 64] & bit));
}

/* What is asked of a top k, and what came of it. */
typedef struct RsTop
{
	const RsMask *mask;      /* NULL: all items */
	const uint32_t *without; /* one item that may not appear either; NULL: none */
	const RsHit *after;      /* only hits that come after this one in the order; NULL: all */
	uint32_t k;
	RsHit *hits; /* [k] */

	uint32_t n;    /* how many there are */
	uint32_t read; /* rows or scores that were looked at */
} RsTop;

/* Does a come after b in the order of hits? */
static inline bool
rs_hit_after(RsHit a, RsHit b)
{
	return a.score < b.score || (a.score == b.score && a.item > b.item);
}

/* The k best of all factors for query[dim].  Equal to scoring every item with
 * rs_dot and sorting, bit for bit.  Polls for cancel. */
extern RsStatus rs_topk_factors(RsContext *ctx, const RsFactors *factors, const float *query,
								RsTop *top);

/* The same by cosine: score = (query · row) / |row|, for rows that are not 0. */
extern RsStatus rs_topk_cosine(RsContext *ctx, const RsFactors *factors, const float *query,
							   RsTop *top);

/* The same over ready scores, at the cost of what was touched; skip_zero leaves
 * items of score 0 out, touched or not. */
extern RsStatus rs_topk_scores(RsContext *ctx, const RsScores *scores, bool skip_zero, RsTop *top);

/* The score by which rs_topk_factors, or rs_topk_cosine, ranks an item; NaN where
 * it never appears. */
extern float rs_topk_score(const RsFactors *factors, const float *query, bool cosine,
						   uint32_t item);

/* The same of all items: out[n], by item.  Polls for cancel. */
extern RsStatus rs_topk_score_all(RsContext *ctx, const RsFactors *factors, const float *query,
								  bool cosine, float *out);

#endif
