/*
 * user_vector.h
 *		How alike users are, told from what they did until now.
 *
 * By the cosine of their queries where those are vectors, but for what all queries
 * have alike; else by the cosine of their histories, weights summed by item.
 */
#ifndef RS_USER_VECTOR_H
#define RS_USER_VECTOR_H

#include "core/base/cells.h"
#include "core/model/algorithm.h"

typedef struct RsUserVector
{
	uint32_t n;
	float *value;  /* [n], NULL: by cells */
	RsCells cells; /* of the history */
	double norm;   /* 0: nothing is known */
} RsUserVector;

/* On failure there is nothing to free; RS_ERR_PARAM for items that are not in the model. */
extern RsStatus rs_user_vector_create(RsContext *ctx, const RsModel *model,
									  const RsHistory *history, RsUserVector *vector);
extern void rs_user_vector_free(RsContext *ctx, RsUserVector *vector);

/* Of two vectors of one model, -1 .. 1; NaN where nothing is known of one of them. */
extern double rs_user_likeness(const RsUserVector *a, const RsUserVector *b);

#endif
