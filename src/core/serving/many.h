/*
 * many.h
 *		Answers for many users at a time.
 */
#ifndef RS_MANY_H
#define RS_MANY_H

#include "core/serving/rankings.h"

/*
 * For each of n histories what rs_serving_recommend gives, bit for bit, on
 * ctx->threads: hits[n][k], n_hits[n].  masks[n]; NULL: all items may appear for
 * all.  Takes memory for a scratch a thread.  Polls for cancel.  RS_ERR_PARAM for an
 * item that is not in the model.
 */
extern RsStatus rs_serving_batch(RsContext *ctx, const RsServing *serving, uint32_t n,
								 const RsHistory *histories, const RsMask *masks, uint32_t k,
								 RsHit *hits, uint32_t *n_hits);

#endif
