/*
 * best.h
 *		The k best so far: a heap in the hits of an RsTop, with the worst at the root.
 */
#ifndef RS_BEST_H
#define RS_BEST_H

#include <math.h>

#include "core/base/context.h"
#include "core/serving/top.h"

#define RS_BEST_POLL 131072 /* hits sorted between two questions for cancel */

/* What rs_dot is at most: |q| |r| times this, for g, RS_NORM_TOLERANCE and the rounding
 * of these products, generously (topk.c), */
static inline double
rs_best_widen(uint32_t dim)
{
	return 1 + ((double) dim + 16) * 0x1p-23;
}

/* and this, for what is lost below the smallest floats. */
static inline double
rs_best_slack(uint32_t dim)
{
	return ((double) dim + 16) * 0x1p-148;
}

/* Let hit sink from position i of a heap of n. */
static inline void
rs_best_sift(RsHit *hits, uint32_t n, uint32_t i, RsHit hit)
{
	for (;;)
	{
		uint64_t child = 2 * (uint64_t) i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && rs_hit_after(hits[child + 1], hits[child]))
			child++;
		if (!rs_hit_after(hits[child], hit))
			break;
		hits[i] = hits[child];
		i = (uint32_t) child;
	}
	hits[i] = hit;
}

/* Put an item that may appear in if it is among the k best. */
static inline void
rs_best_add(RsTop *top, uint32_t item, float score)
{
	RsHit hit = {item, score};
	uint32_t i;

	if (!isfinite(score) || (top->after != NULL && !rs_hit_after(hit, *top->after)))
		return;
	if (top->n == top->k)
	{
		if (rs_hit_after(top->hits[0], hit))
			rs_best_sift(top->hits, top->n, 0, hit);
		return;
	}
	for (i = top->n++; i > 0 && rs_hit_after(hit, top->hits[(i - 1) / 2]); i = (i - 1) / 2)
		top->hits[i] = top->hits[(i - 1) / 2];
	top->hits[i] = hit;
}

/* What a score must reach to be looked at; -inf while there is room. */
static inline float
rs_best_threshold(const RsTop *top)
{
	return top->n == top->k ? top->hits[0].score : -INFINITY;
}

/* May this item appear, whatever its score? */
static inline bool
rs_best_allows(const RsTop *top, uint32_t item)
{
	return rs_mask_allows(top->mask, item) && (top->without == NULL || item != *top->without);
}

/* Sort the heap into the order of results. */
static inline RsStatus
rs_best_finish(RsContext *ctx, RsTop *top)
{
	for (uint32_t n = top->n; n > 1; n--)
	{
		RsHit last = top->hits[n - 1];

		if (n % RS_BEST_POLL == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		top->hits[n - 1] = top->hits[0];
		rs_best_sift(top->hits, n - 1, 0, last);
	}
	return RS_OK;
}

#endif
