/*
 * serving.h
 *		A validated model made ready to answer: history in, items out.
 */
#ifndef RS_SERVING_H
#define RS_SERVING_H

#include "core/model/algorithm.h"
#include "core/serving/topk.h"

typedef struct RsServing RsServing;

/* Read, validate and index model bytes, which must stay (8-aligned), of an
 * algorithm of table.  NULL on failure, with ctx->status set. */
extern RsServing *rs_serving_open(RsContext *ctx, const RsAlgorithm *const *table,
								  const void *bytes, uint64_t length);
extern void rs_serving_close(RsContext *ctx, RsServing *serving);
extern const RsModel *rs_serving_model(const RsServing *serving);

/* Bytes held beyond the model's own. */
extern size_t rs_serving_bytes(const RsServing *serving);

/*
 * Top k for a history under a mask.  *n_hits 0 .. k.  Items that the model has
 * nothing to say of (score 0 of a score model; an empty history or one whose
 * query is all zero) do not appear: the caller fills up from popularity.
 */
extern RsStatus rs_serving_recommend(RsContext *ctx, RsServing *serving, const RsHistory *history,
									 const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits);

/* Items most like item (itself never): by cosine of the factors, or by the
 * item's own row of weights. */
extern RsStatus rs_serving_similar(RsContext *ctx, RsServing *serving, uint32_t item,
								   const RsMask *mask, uint32_t k, RsHit *hits, uint32_t *n_hits);

/* Most popular items under a mask; always all of them that qualify. */
extern RsStatus rs_serving_popular(RsContext *ctx, RsServing *serving, const RsMask *mask,
								   uint32_t k, RsHit *hits, uint32_t *n_hits);

#endif
