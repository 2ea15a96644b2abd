/*
 * ease_fit.h
 *		The inverse P = (G + L)^-1 of EASE, whole or on demand.
 */
#ifndef RS_EASE_FIT_H
#define RS_EASE_FIT_H

#include "core/base/threads.h"
#include "core/model/algorithm.h"

enum
{
	RS_EASE_REGULARIZATION,
	RS_EASE_USER_EXPONENT,
	RS_EASE_DROPOUT,
	RS_EASE_DENSE_ITEMS,
	RS_EASE_NEIGHBORS
};

typedef struct RsEaseFit
{
	const RsProblem *problem;
	const double *option;
	bool dense;        /* the caller wants P whole, whatever it takes */
	float *user_scale; /* [n_users] N^-(e/2): x' = w * user_scale */
	float *penalty;    /* [n_items] L */
	float *diagonal;   /* [n_items] scratch of the caller */
	float *items;      /* P [n_items][n_items], or NULL: then see users */
	float *users;      /* M = (1 + X' L^-1 X'^T)^-1 [n_users][n_users], or NULL */
	float *scratch;    /* [threads][n_users], with users */
	int bad;           /* something is not finite; any thread */
} RsEaseFit;

/* Fill items (always when dense) or users.  RS_ERR_LIMIT before anything large
 * is allocated if neither form fits. */
extern RsStatus rs_ease_solve(RsContext *ctx, RsEaseFit *fit);

/* Row of P from users: out[n_items], any thread. */
extern void rs_ease_inverse_row(const RsEaseFit *fit, uint32_t item, float *out, int thread);

extern void rs_ease_free(RsContext *ctx, RsEaseFit *fit);

#endif
