/*
 * serving.h
 *		Answers from the bytes of a model: history in, items out.
 *
 * The bytes hold all that answers need and never change: backends and threads may
 * share them.  A serving is a process's view of them, pointers and no more, and
 * does not change either.  What a call writes to is an RsScratch, of one caller
 * at a time.
 */
#ifndef RS_SERVING_H
#define RS_SERVING_H

#include "core/serving/rankings.h"

/* View bytes from anyone, of an algorithm of table.  They are validated whole and
 * must stay, 8-aligned; aligned to 64 they are read faster.  NULL on failure, with
 * ctx->status set. */
extern RsServing *rs_serving_open(RsContext *ctx, const RsAlgorithm *const *table,
								  const void *bytes, uint64_t length);

/* The same for bytes that rs_serving_open or rs_model_read has accepted before:
 * reads the header and none of the numbers. */
extern RsServing *rs_serving_open_trusted(RsContext *ctx, const RsAlgorithm *const *table,
										  const void *bytes, uint64_t length);
extern void rs_serving_close(RsContext *ctx, RsServing *serving);
extern const RsModel *rs_serving_model(const RsServing *serving);

/* Room for one call at a time on this serving; NULL on failure. */
extern RsScratch *rs_scratch_create(RsContext *ctx, const RsServing *serving);
extern void rs_scratch_free(RsContext *ctx, RsScratch *scratch);

/* The first k hits of rs_ranking_open: *n_hits 0 .. k.  For what the model has
 * nothing to say of the caller fills up from popularity. */
extern RsStatus rs_serving_recommend(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
									 const RsHistory *history, const RsMask *mask, uint32_t k,
									 RsHit *hits, uint32_t *n_hits);

/* The first k hits of rs_ranking_open_similar. */
extern RsStatus rs_serving_similar(RsContext *ctx, const RsServing *serving, RsScratch *scratch,
								   uint32_t item, const RsMask *mask, uint32_t k, RsHit *hits,
								   uint32_t *n_hits);

/* Most popular items under a mask into hits[k], always all of them that qualify;
 * how many.  *at, 0 at first, is where the next call goes on; at NULL: from the first. */
extern uint32_t rs_serving_popular(const RsServing *serving, const RsMask *mask, uint32_t *at,
								   uint32_t k, RsHit *hits);

#endif
