/*
 * mlp_fit.h
 *		Epochs over the examples of a problem, in batches.
 */
#ifndef RS_MLP_FIT_H
#define RS_MLP_FIT_H

#include "core/algorithms/mlp/mlp_step.h"
#include "core/data/problem.h"

typedef struct RsMlpRun
{
	int epochs;        /* at most */
	double validation; /* share of the examples that is held out */
	int patience;      /* 0 = none */
	uint64_t seed;
} RsMlpRun;

/* Train net by step.  The model gets loss, iterations and the log of the epochs. */
extern RsStatus rs_mlp_fit(RsContext *ctx, const RsProblem *problem, const RsMlpRun *run,
						   RsMlpNet *net, RsMlpStep *step, RsModel *model);

#endif
