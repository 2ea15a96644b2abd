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

/* Up to k hits into hits[k], *n_hits of them.  query[dim].  Equal to scoring every
 * item with rs_dot and sorting, bit for bit.  Polls for cancel. */
extern RsStatus rs_topk_factors(RsContext *ctx, const RsFactors *factors, const float *query,
								const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits);

/* The same by cosine: score = (query · row) / |row|, for rows that are not 0. */
extern RsStatus rs_topk_cosine(RsContext *ctx, const RsFactors *factors, const float *query,
							   const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits);

/* The same over ready scores; skip_zero leaves items of score 0 out. */
extern RsStatus rs_topk_scores(RsContext *ctx, const float *scores, uint32_t n, const RsMask *mask,
							   bool skip_zero, uint32_t k, RsHit *hits, uint32_t *n_hits);

#endif
