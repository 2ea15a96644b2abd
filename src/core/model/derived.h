/*
 * derived.h
 *		What answers need of a model and its tensors say only after sorting: made
 *		once, by training, and part of the model's bytes.
 *
 *		item_factors        F32 [n, dim]  vectors, longest first
 *		item_factors.norms  F32 [n]       of these rows
 *		item_factors.items  I32 [n]       item of each row
 *		item_factors.rows   I32 [n]       row of each item
 *		item_factors.bytes, item_factors.steps  of many vectors (coarse.h)
 *		item_popularity     F32 [n]       by item
 *		item_popularity.items I32 [n]     most popular first, ties by item
 */
#ifndef RS_DERIVED_H
#define RS_DERIVED_H

#include "core/model/coarse.h"
#include "core/model/model.h"

#define RS_FACTORS "item_factors"
#define RS_FACTOR_NORMS "item_factors.norms"
#define RS_FACTOR_ITEMS "item_factors.items"
#define RS_FACTOR_ROWS "item_factors.rows"

/* Vectors of the items; a score is the product of a query with one of them. */
typedef struct RsFactors
{
	uint32_t n;
	uint32_t dim;
	const float *rows;      /* [n][dim], norms descending */
	const float *norm;      /* [n], each within RS_NORM_TOLERANCE of its row's */
	const uint32_t *item;   /* [n] item of the row */
	const uint32_t *row_of; /* [n] row of the item */
	RsCoarse coarse;        /* of the rows */
} RsFactors;

static inline const float *
rs_factors_row(const RsFactors *factors, uint32_t item)
{
	return factors->rows + (size_t) factors->row_of[item] * factors->dim;
}

/* Most relative error of a stored norm: its float was rounded on another CPU. */
#define RS_NORM_TOLERANCE 0x1p-21

/*
 * Give the model the vectors rows[n_items][dim] of its items, in order of item:
 * they are sorted in place and, rs_alloc'ed, pass to the model.  On failure they
 * stay the caller's, in any order.  RS_ERR_DIVERGED where a norm is not finite.
 */
extern RsStatus rs_factors_add(RsContext *ctx, RsModel *model, float *rows, uint32_t dim);

/* The same for the popularity of its items, none of it NaN or below 0. */
extern RsStatus rs_popularity_add(RsContext *ctx, RsModel *model, float *popularity);

/* The factors of a model that has them, which was trained or read. */
extern RsFactors rs_model_factors(const RsModel *model);

/* Are the values of the tensors above, whose types and shapes are known to be
 * right, what they must be?  All floats but those of item_factors are known to be
 * finite. */
extern RsStatus rs_factors_check(RsContext *ctx, const RsModel *model);
extern RsStatus rs_popularity_check(RsContext *ctx, const RsModel *model);

#endif
