/*
 * cells.h
 *		The cells of one sparse row: each column once, with the sum of its weights.
 */
#ifndef RS_CELLS_H
#define RS_CELLS_H

#include "core/base/context.h"

typedef struct RsCells
{
	uint32_t n;
	uint32_t *item; /* ascending */
	float *weight;  /* finite, not 0 */
} RsCells;

/*
 * From n pairs in any order: sorted, duplicates summed by rs_sum_weights, sums of
 * 0 left out.  What is left does not depend on the order.  Polls for cancel; on
 * failure there is nothing to free.
 */
extern RsStatus rs_cells_create(RsContext *ctx, const uint32_t *item, const float *weight,
								uint32_t n, RsCells *cells);
extern void rs_cells_free(RsContext *ctx, RsCells *cells);

/* Weight of an item among n of them, ascending; 0 where it is not there. */
extern float rs_weight_among(const uint32_t *item, const float *weight, uint64_t n,
							 uint32_t wanted);

/* Weight of an item, 0 where it has no cell. */
extern float rs_cells_weight(const RsCells *cells, uint32_t item);

/* Nearest float to the sum of n weights, added as they stand; finite. */
extern float rs_sum_weights(const float *weight, uint64_t n);

#endif
