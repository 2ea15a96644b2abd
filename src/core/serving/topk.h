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
#include "core/serving/top.h"

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
