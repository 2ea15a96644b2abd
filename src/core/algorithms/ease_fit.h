/*
 * ease_fit.h
 *		What ease.c asks of ease_fit.c: the weights B of EASE, whole or by target.
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
	bool dense;         /* the caller wants B whole, whatever it takes */
	bool by_users;      /* the system that is solved: users x users, or items x items */
	bool wide;          /* in double precision */
	double *user_scale; /* [n_users] N^-(e/2): x' = w * user_scale */
	double *penalty;    /* [n_items] L */
	double *gram;       /* [n_items] diagonal of G + L */
	double *diagonal;   /* [n_items] of P, as far as it is known */
	double *probe;      /* [n_items] (G + L) v, with v = plus or minus gram^-1/2 by turns */
	void *system;       /* P [n_items][n_items], or M = (1 + X' L^-1 X'^T)^-1 of users */
	void *scratch;      /* [threads][n_users + n_items], with users */
	float *weights;     /* dense: B [n_items][n_items], which the caller takes */
	int bad;            /* something cannot be told; any thread */
} RsEaseFit;

/*
 * Solve the system and, when dense, fill weights.  Which system, and in which
 * precision, depends on the problem alone.  RS_ERR_LIMIT before anything large
 * is allocated if it does not fit; RS_ERR_DIVERGED, with what to raise, where even
 * double precision does not tell the weights.
 */
extern RsStatus rs_ease_solve(RsContext *ctx, RsEaseFit *fit);

/* Weights B[.][target] into out[n_items], any thread; sets bad where they cannot be
 * told. */
extern void rs_ease_target(RsEaseFit *fit, uint32_t target, float *out, int thread);

/* The error for bad. */
extern RsStatus rs_ease_unsolved(RsContext *ctx);

extern void rs_ease_free(RsContext *ctx, RsEaseFit *fit);

#endif
