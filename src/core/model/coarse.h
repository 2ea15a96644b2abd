/*
 * coarse.h
 *		Copies of vectors in a quarter of the room, with a proof of how coarse they are.
 *
 *		item_factors.bytes  U8 [blocks, 32 * width]  of rows 32 b .. 32 b + 31
 *		item_factors.steps  F32 [blocks, 2]          of block b: step, error
 *
 * width is dim rounded up to a multiple of 4.  A block is bytes[width / 4][32][4]:
 * four numbers of each of its rows, then the next four (vec.h multiplies that).
 * Number x of a row is near step * (byte - 128); the vector of the differences of
 * any row of the block is not longer than error.
 */
#ifndef RS_COARSE_H
#define RS_COARSE_H

#include "core/model/model.h"

#define RS_FACTOR_BYTES "item_factors.bytes"
#define RS_FACTOR_STEPS "item_factors.steps"

#define RS_COARSE_ROWS 32
#define RS_COARSE_MAX_DIM 4096

typedef struct RsCoarse
{
	const uint8_t *bytes; /* NULL: the model has none */
	const float *steps;
} RsCoarse;

static inline uint32_t
rs_coarse_width(uint32_t dim)
{
	return (dim + 3) / 4 * 4;
}

static inline uint32_t
rs_coarse_blocks(uint32_t n)
{
	return n / RS_COARSE_ROWS + (n % RS_COARSE_ROWS != 0);
}

static inline const uint8_t *
rs_coarse_block(const RsCoarse *coarse, uint32_t block, uint32_t dim)
{
	return coarse->bytes + (size_t) block * RS_COARSE_ROWS * rs_coarse_width(dim);
}

/* Are they worth their room?  Below this all vectors are read in microseconds. */
static inline bool
rs_coarse_pays(uint32_t n, uint32_t dim)
{
	return n >= 4096 && dim >= 16 && dim <= RS_COARSE_MAX_DIM;
}

/* Give the model coarse copies of rows[n_items][dim], which are finite. */
extern RsStatus rs_coarse_add(RsContext *ctx, RsModel *model, const float *rows, uint32_t dim);

/* Those of a model. */
extern RsCoarse rs_model_coarse(const RsModel *model);

/* Are they of these rows, or are there none?  Types are known to be right, and the
 * steps to be finite. */
extern RsStatus rs_coarse_check(RsContext *ctx, const RsModel *model, const float *rows,
								uint32_t dim);

#endif
