/*
 * popularity.c
 *		The most popular items, the same for everybody.
 *
 * score(i) = sum over users of w_ui, never below 0.  Decay by age is in the
 * weights already.  The baseline that every other algorithm has to beat, and
 * what fills up a list where an algorithm has nothing to say.
 */
#include "core/model/algorithm.h"

#include <string.h>

static const RsOption options[] = {{.name = NULL}};

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	(void) problem;
	rs_report(ctx, "counting", 1, 1, model->loss);
	model->iterations = 1; /* rs_train has added item_popularity */
	return RS_OK;
}

static RsStatus
score(RsContext *ctx, const RsModel *model, const RsHistory *history, RsScores *scores)
{
	(void) ctx;
	(void) history;
	scores->copied = rs_model_tensor(model, RS_POPULARITY)->data;
	return RS_OK;
}

static RsStatus
explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
		RsExplanation *out)
{
	(void) ctx;
	(void) history;
	out->rest = ((const float *) rs_model_tensor(model, RS_POPULARITY)->data)[item];
	return RS_OK;
}

const RsAlgorithm rs_popularity = {
	.name = "popularity",
	.flags = RS_CELLS | RS_IMPERSONAL,
	.kind = RS_QUERY_SCORES,
	.options = options,
	.train = train,
	.score = score,
	.explain = explain,
};
