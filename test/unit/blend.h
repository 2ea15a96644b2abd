/*
 * blend.h
 *		An algorithm of two others: what goes together, and what follows what.  All
 *		that is known of it is in this file.
 */
#ifndef BLEND_H
#define BLEND_H

#include "items.h"

static const char *const blend_prefixes[] = {"together", "after", NULL};

/* The second's share of a score. */
static const RsOption blend_options[] = {
	{"share", RS_OPTION_REAL, 0.25, 0, 1, NULL, "How much the order counts."},
	{.name = NULL},
};

static RsStatus
blend_train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	RsOptions of_part;
	float *share = rs_alloc(ctx, 2 * sizeof(float));
	RsStatus status;

	if (share == NULL)
		return ctx->status;
	share[1] = (float) model->options.value[0];
	share[0] = 1 - share[1];
	status = rs_model_add(ctx, model, "shares", RS_F32, 1, 2, 1, share, true);
	if (status != RS_OK)
		return status;
	rs_options_default(&of_part, rs_item_knn.options);
	set_option(&of_part, "neighbors", 5);
	status = rs_train_part(ctx, &rs_item_knn, &of_part, problem, model, blend_prefixes[0]);
	if (status != RS_OK)
		return status;
	rs_options_default(&of_part, rs_sequence.options);
	return rs_train_part(ctx, &rs_sequence, &of_part, problem, model, blend_prefixes[1]);
}

/* A tensor of its own: the shares of the parts. */
static int
blend_tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS])
{
	(void) model;
	specs[0] = (RsTensorSpec){"shares", RS_F32, 1, {2}, false};
	return 1;
}

static RsStatus
blend_check(RsContext *ctx, const RsModel *model)
{
	const float *share = rs_model_tensor(model, "shares")->data;

	if (share[0] < 0 || share[1] < 0)
		return rs_invalid_bytes(ctx, "A share is below 0.");
	return RS_OK;
}

static float
blend_share(const RsModel *model, int part)
{
	return ((const float *) rs_model_tensor(model, "shares")->data)[part];
}

static RsStatus
blend_score(RsContext *ctx, const RsModel *model, const RsHistory *history, RsScores *scores)
{
	float *out = rs_scores_of_all(scores);
	float *score = rs_alloc(ctx, model->ids.n * sizeof(float));
	RsStatus status = score != NULL ? RS_OK : ctx->status;

	for (int part = 0; part < 2 && status == RS_OK; part++)
	{
		status = rs_score_all(ctx, rs_model_part(model, blend_prefixes[part]), history, score);
		for (uint32_t i = 0; i < model->ids.n && status == RS_OK; i++)
			out[i] += blend_share(model, part) * score[i];
	}
	rs_free(ctx, score);
	return status;
}

static RsStatus
blend_explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
			  RsExplanation *out)
{
	RsExplanation of_part = {.events = rs_alloc(ctx, history->n * sizeof(float))};
	RsStatus status = of_part.events != NULL ? RS_OK : ctx->status;

	for (int part = 0; part < 2 && status == RS_OK; part++)
	{
		status =
			rs_explain(ctx, rs_model_part(model, blend_prefixes[part]), history, item, &of_part);
		for (uint32_t i = 0; i < history->n && status == RS_OK; i++)
			out->events[i] += blend_share(model, part) * of_part.events[i];
		out->rest += blend_share(model, part) * of_part.rest;
	}
	rs_free(ctx, of_part.events);
	return status;
}

static const RsAlgorithm blend = {
	.name = "blend",
	.flags = RS_CELLS | RS_SEQUENCES | RS_HISTORY,
	.kind = RS_QUERY_SCORES,
	.options = blend_options,
	.parts = blend_prefixes,
	.train = blend_train,
	.tensors = blend_tensors,
	.check = blend_check,
	.score = blend_score,
	.explain = blend_explain,
};

#endif
