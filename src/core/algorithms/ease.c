/*
 * ease.c
 *		EASE: a linear model of items on items, in closed form.
 *
 * Minimises over B with zero diagonal (Steck 2019, "Embarrassingly shallow
 * autoencoders for sparse data")
 *
 *		sum_u N_u^-e |x_u - x_u B|^2  +  |L^1/2 B|^2,   L = lambda + r diag(G)
 *
 * with G = sum_u N_u^-e x_u^T x_u and N_u the effective number of items that a user
 * has (rs_rows_effective).  e = user_exponent; r = p / (1 - p) for p = dropout (EDLAE: Steck 2020, "Autoencoders that don't overfit
 * towards the identity").  Then P = (G + L)^-1 and B_ij = -P_ij / P_jj.
 *
 * Where users are few the same P comes from a users x users system (Woodbury; see
 * ease_fit.c).  B is kept dense up to `dense_items` items, else the strongest
 * `neighbors` sources of each target.  Query: x B for the history x; a negative
 * weight lowers what its item would raise.
 */
#include "core/algorithms/ease_fit.h"

#include "core/algorithms/item_rows.h"
#include "core/algorithms/item_rows_build.h"
#include "core/math/vec.h"

#include <math.h>
#include <string.h>

static const RsOption options[] = {
	{"regularization", RS_OPTION_REAL, 60, 1e-3, 1e9, NULL,
	 "L2 penalty lambda: more for few or noisy events."},
	{"user_exponent", RS_OPTION_REAL, 0.5, 0, 2, NULL,
	 "How much users with many items count less."},
	{"dropout", RS_OPTION_REAL, 0.1, 0, 0.99, NULL,
	 "Share p of a history that is thought lost: adds p / (1 - p) of its own diagonal to the "
	 "penalty."},
	{"dense_items", RS_OPTION_INT, 8000, 0, 60000, NULL,
	 "Up to so many items the model keeps all weights, 4 bytes times the square."},
	{"neighbors", RS_OPTION_INT, 200, 1, RS_MAX_ITEMS, NULL,
	 "Beyond dense_items: strongest sources kept for each target item."},
	{.name = NULL},
};

/* The strongest weights of a target. */
static void
target_row(void *arg, uint32_t target, RsRowScratch *row, int thread)
{
	RsEaseFit *fit = arg;
	uint32_t n = fit->problem->n_items;

	rs_ease_target(fit, target, row->sum, thread);
	for (uint32_t i = 0; i < n; i++)
	{
		if (row->sum[i] == 0)
			continue;
		row->mark[i] = 1;
		row->touched[row->n++] = i;
	}
}

/* B, whole, becomes the dense tensor. */
static RsStatus
keep_dense(RsContext *ctx, RsEaseFit *fit, RsModel *model)
{
	uint64_t n = fit->problem->n_items;
	RsStatus status = rs_model_add(ctx, model, "item_weights", RS_F32, 2, n, n, fit->weights, true);

	if (status != RS_OK)
		return status;
	if ((void *) fit->weights == fit->system)
		fit->system = NULL;
	fit->weights = NULL;
	return RS_OK;
}

/* Are the weights kept whole? */
static bool
is_dense(const RsOptions *values, uint32_t n_items)
{
	return n_items <= values->value[RS_EASE_DENSE_ITEMS];
}

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	const double *option = model->options.value;
	RsEaseFit fit = {
		.problem = problem, .option = option, .dense = is_dense(&model->options, problem->n_items)};
	RsRowPlan plan = {.n_items = problem->n_items,
					  .neighbors = (uint32_t) option[RS_EASE_NEIGHBORS],
					  .by_target = true,
					  .phase = "choosing neighbors",
					  .body = target_row,
					  .arg = &fit};
	RsStatus status = rs_ease_solve(ctx, &fit);

	if (status == RS_OK)
		status = fit.dense ? keep_dense(ctx, &fit, model) : rs_item_rows_build(ctx, &plan, model);
	if (fit.bad && (status == RS_OK || status == RS_ERR_DIVERGED))
		status = rs_ease_unsolved(ctx);
	rs_ease_free(ctx, &fit);
	if (status == RS_OK)
		model->iterations = 1;
	return status;
}

static int
tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS])
{
	uint64_t n = model->ids.n;

	if (!is_dense(&model->options, model->ids.n))
		return rs_item_rows_tensors(model, specs);
	specs[0] = (RsTensorSpec){"item_weights", RS_F32, 2, {n, n}, false};
	return 1;
}

static RsStatus
check(RsContext *ctx, const RsModel *model)
{
	return is_dense(&model->options, model->ids.n) ? RS_OK : rs_item_rows_check(ctx, model);
}

static RsStatus
score(RsContext *ctx, const RsModel *model, const RsHistory *history, RsScores *scores)
{
	const RsTensor *dense = rs_model_tensor(model, "item_weights");
	size_t n = model->ids.n;
	float *out;
	uint32_t i;

	if (dense == NULL)
		return rs_item_rows_score(ctx, model, history, scores);
	out = rs_scores_of_all(scores);
	for (i = 0; i < history->n; i++)
	{
		if (i % 32 == 31 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		rs_axpy(history->weight[i], (const float *) dense->data + history->item[i] * n, out, n);
	}
	return RS_OK;
}

static RsStatus
explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
		RsExplanation *out)
{
	const RsTensor *dense = rs_model_tensor(model, "item_weights");
	size_t n = model->ids.n;

	if (dense == NULL)
		return rs_item_rows_explain(ctx, model, history, item, out);
	for (uint32_t i = 0; i < history->n; i++)
		out->events[i] =
			history->weight[i] * ((const float *) dense->data)[history->item[i] * n + item];
	return RS_OK;
}

static RsItemRow
row(const RsModel *model, uint32_t item)
{
	const RsTensor *dense = rs_model_tensor(model, "item_weights");
	size_t n = model->ids.n;

	if (dense == NULL)
		return rs_item_rows_row(model, item);
	return (RsItemRow){(uint32_t) n, NULL, (const float *) dense->data + item * n};
}

const RsAlgorithm rs_ease = {
	.name = "ease",
	.flags = RS_CELLS | RS_HISTORY,
	.kind = RS_QUERY_SCORES,
	.options = options,
	.train = train,
	.tensors = tensors,
	.check = check,
	.score = score,
	.explain = explain,
	.row = row,
};
