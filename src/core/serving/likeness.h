/*
 * likeness.h
 *		How alike items of a model are: the cosine of their vectors, or of their rows
 *		of weights where a model has no vectors.
 *
 * Two items whose rows name each other alone have nothing in common but each
 * other, so a row stands with its own item in it, at the greatest weight of the row:
 *
 *		v_i = row_i + max |row_i| e_i      likeness(i, j) = v_i · v_j / (|v_i| |v_j|)
 *
 * A matrix of likenesses is that of products of unit vectors, so it is positive
 * semidefinite.  What has no vector, a zero one or an empty row, is like itself alone.
 */
#ifndef RS_LIKENESS_H
#define RS_LIKENESS_H

#include "core/model/algorithm.h"
#include "core/model/derived.h"

typedef struct RsLikeness
{
	const RsModel *model; /* with vectors or rows: a part of a model without; NULL: none has */
	bool by_factors;
	RsFactors factors;
	uint32_t n;
	const uint32_t *items; /* [n], the caller's */
	double *norm;          /* [n]; 0: like itself alone */
	float *self;           /* [n] weight of the item in its own row */
	float *row;            /* [n_items] sparse rows: zeros; one row while it is compared */
} RsLikeness;

/* Between these items, which must stay.  On failure there is nothing to free. */
extern RsStatus rs_likeness_open(RsContext *ctx, const RsModel *model, const uint32_t *items,
								 uint32_t n, RsLikeness *likeness);
extern void rs_likeness_close(RsContext *ctx, RsLikeness *likeness);

/* Likeness of items[i] to each of the items, -1 .. 1: out[n], out[i] being 1. */
extern void rs_likeness_of(RsLikeness *likeness, uint32_t i, double *out);

#endif
