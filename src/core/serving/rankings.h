/*
 * rankings.h
 *		The items in order of score, as many as are asked for, then more.
 *
 * What comes first is found in one pass of the exact top k; what comes later in
 * passes that grow, so that n hits in pages of any size cost little more than
 * the deepest page by itself.  The order is that of topk.h, bit for bit, however
 * it is cut into pages.
 */
#ifndef RS_RANKINGS_H
#define RS_RANKINGS_H

#include "core/model/algorithm.h"
#include "core/serving/topk.h"

typedef struct RsServing RsServing;
typedef struct RsScratch RsScratch;
typedef struct RsRanking RsRanking;

/*
 * Begin the ranking of a history under a mask (NULL: all items may appear).  It
 * stands in the scratch, until another is begun there; serving and mask must stay
 * as they are meanwhile, the history need not.  Items that the model has nothing
 * to say of (score 0 of a score model; an empty history or one whose query is all
 * zero) do not appear.  NULL on failure, with ctx->status set: RS_ERR_PARAM for an
 * item that is not in the model.
 */
extern RsRanking *rs_ranking_open(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
								  const RsHistory *history, const RsMask *mask);

/* The same for the items most like one item, itself never: by cosine of the
 * factors, or by the item's own row of weights. */
extern RsRanking *rs_ranking_open_similar(RsContext *ctx, const RsServing *serving,
										  RsScratch *scratch, uint32_t item, const RsMask *mask);

/* The same by popularity, items of popularity 0 too. */
extern RsRanking *rs_ranking_open_popular(RsContext *ctx, const RsServing *serving,
										  RsScratch *scratch, const RsMask *mask);

/* The next hits into hits[n], *n_hits of them: fewer than n only where no more
 * qualify.  Polls for cancel; after a failure the ranking is at its end. */
extern RsStatus rs_ranking_next(RsContext *ctx, RsRanking *ranking, uint32_t n, RsHit *hits,
								uint32_t *n_hits);

/* The scores by which items rank, whether the mask lets them appear or not, into
 * out[n]; NaN for those that no mask would let appear.  RS_ERR_PARAM for an item
 * that is not in the model. */
extern RsStatus rs_ranking_scores(RsContext *ctx, const RsRanking *ranking, const uint32_t *items,
								  uint32_t n, float *out);

/* The same for all items: out[n_items]. */
extern RsStatus rs_ranking_score_all(RsContext *ctx, const RsRanking *ranking, float *out);

/* Free what later pages took; the ranking is at its end.  Not needed for others:
 * beginning another in the same scratch, or freeing that, does it too.  NULL is
 * allowed. */
extern void rs_ranking_close(RsContext *ctx, RsRanking *ranking);

#endif
