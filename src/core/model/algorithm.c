/*
 * algorithm.c
 *		What all algorithms have in common: training, the proof of a model, scores.
 */
#include "core/model/algorithm.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/math/vec.h"
#include "core/model/derived.h"

#define POLL_EVERY 1048576 /* cells between two questions for cancel */
#define ROWS 512           /* of factors that are scored at a time */

const RsAlgorithm *
rs_algorithm_find(const RsAlgorithm *const *table, const char *name)
{
	for (; *table != NULL; table++)
		if (strcmp((*table)->name, name) == 0)
			return *table;
	return NULL;
}

unsigned
rs_algorithm_flags(const RsAlgorithm *algorithm, const RsOptions *options, bool timed)
{
	return algorithm->flags_with != NULL ? algorithm->flags_with(options, timed) : algorithm->flags;
}

/* --- training --- */

/* Sum of weights an item, in double, then brought into 0 .. FLT_MAX. */
static RsStatus
add_popularity(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	const RsRows *rows = rs_problem_histories(problem);
	uint64_t n = rs_rows_count(rows);
	double *sum = rs_calloc(ctx, problem->n_items, sizeof(double));
	float *popularity;
	RsStatus status;

	if (sum == NULL)
		return ctx->status;
	popularity = rs_alloc(ctx, (size_t) problem->n_items * sizeof(float));
	if (popularity == NULL)
	{
		rs_free(ctx, sum);
		return ctx->status;
	}
	for (uint64_t i = 0; i < n; i++)
	{
		if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
		{
			rs_free(ctx, sum);
			rs_free(ctx, popularity);
			return ctx->status;
		}
		sum[rows->index[i]] += rows->weight[i];
	}
	for (uint32_t i = 0; i < problem->n_items; i++)
		popularity[i] = sum[i] <= 0 ? 0 : sum[i] > FLT_MAX ? FLT_MAX : (float) sum[i];
	rs_free(ctx, sum);
	status = rs_popularity_add(ctx, model, popularity);
	if (status != RS_OK)
		rs_free(ctx, popularity);
	return status;
}

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	unsigned flags =
		rs_algorithm_flags(model->algorithm, &model->options, problem->sequences.start != NULL);

	if (((flags & RS_CELLS) && problem->by_user.start == NULL) ||
		((flags & RS_SEQUENCES) && problem->sequences.start == NULL))
		return rs_fail(ctx, RS_ERR_PARAM, "events are not in the form that \"%s\" trains on",
					   model->algorithm->name);
	model->loss = NAN;
	model->timed = problem->sequences.start != NULL;
	return model->algorithm->train(ctx, problem, model);
}

RsStatus
rs_train(RsContext *ctx, const RsAlgorithm *algorithm, const RsOptions *options,
		 const RsProblem *problem, const RsIds *ids, RsModel *model)
{
	RsStatus status;

	memset(model, 0, sizeof(*model));
	if (ids->n != problem->n_items || problem->n_items > RS_MAX_ITEMS)
		return rs_fail(ctx, RS_ERR_LIMIT, "too many items: %u", problem->n_items);
	model->algorithm = algorithm;
	model->options = *options;
	model->ids = *ids;
	model->n_users = problem->n_users;
	model->n_events = problem->n_events;
	status = add_popularity(ctx, problem, model);
	if (status == RS_OK)
		status = train(ctx, problem, model);
	if (status != RS_OK)
		rs_model_free(ctx, model);
	return status;
}

RsStatus
rs_train_part(RsContext *ctx, const RsAlgorithm *algorithm, const RsOptions *options,
			  const RsProblem *problem, RsModel *model, const char *prefix)
{
	RsModel *part;

	if (algorithm->parts != NULL)
		return rs_fail(ctx, RS_ERR_PARAM, "a part of a model cannot have parts");
	part = rs_model_add_part(ctx, model, prefix);
	if (part == NULL || rs_model_share(ctx, model, part) != RS_OK)
		return ctx->status;
	part->algorithm = algorithm;
	part->options = *options;
	return train(ctx, problem, part);
}

/* --- the proof of a model --- */

static bool
fits(const RsTensorSpec *spec, const RsTensor *tensor)
{
	bool same = tensor->dtype == spec->dtype && tensor->dims == spec->dims;

	for (int d = 0; d < spec->dims; d++)
		same = same && (spec->shape[d] == RS_ANY || spec->shape[d] == tensor->shape[d]);
	return same;
}

static RsStatus
check_tensors(RsContext *ctx, const RsModel *model)
{
	uint64_t items = model->ids.n;
	uint64_t blocks = rs_coarse_blocks(model->ids.n);
	RsTensorSpec specs[RS_MAX_TENSORS + 7] = {{RS_POPULARITY, RS_F32, 1, {items}, false},
											  {RS_POPULAR, RS_I32, 1, {items}, false},
											  {RS_FACTOR_NORMS, RS_F32, 1, {items}, false},
											  {RS_FACTOR_ITEMS, RS_I32, 1, {items}, false},
											  {RS_FACTOR_ROWS, RS_I32, 1, {items}, false},
											  {RS_FACTOR_STEPS, RS_F32, 2, {blocks, 2}, true},
											  {RS_FACTOR_BYTES, RS_U8, 2, {blocks, RS_ANY}, true}};
	bool known[RS_MAX_TENSORS] = {false};
	int n = model->algorithm->kind == RS_QUERY_FACTORS ? 7 : 2;

	if (model->algorithm->tensors != NULL)
		n += model->algorithm->tensors(model, specs + n);
	for (int i = 0; i < n; i++)
	{
		const RsTensor *tensor = rs_model_tensor(model, specs[i].name);

		if (tensor != NULL && fits(&specs[i], tensor))
			known[tensor - model->tensors] = true;
		else if (tensor != NULL || !specs[i].optional)
			return rs_invalid_bytes(ctx, "Tensor \"%s\" is missing or of the wrong shape.",
									specs[i].name);
	}
	for (int i = 0; i < model->n_tensors; i++)
		if (!known[i])
			return rs_invalid_bytes(ctx, "Tensor \"%s\" is unknown.", model->tensors[i].name);
	return RS_OK;
}

static RsStatus check_own(RsContext *ctx, const RsModel *model);

/* Has it the parts that its algorithm names, which have none themselves? */
static RsStatus
check_parts(RsContext *ctx, const RsModel *model)
{
	const char *const *prefix = model->algorithm->parts;
	int n = 0;

	for (; prefix != NULL && prefix[n] != NULL; n++)
	{
		const RsModel *part = rs_model_part(model, prefix[n]);

		if (part == NULL)
			return rs_invalid_bytes(ctx, "Part \"%s\" is missing.", prefix[n]);
		if (part->algorithm->parts != NULL)
			return rs_invalid_bytes(ctx, "Part \"%s\" has parts itself.", prefix[n]);
		if (check_own(ctx, part) != RS_OK)
			return ctx->status;
	}
	if (n != model->n_parts)
		return rs_invalid_bytes(ctx, "It has a part that is unknown.");
	return RS_OK;
}

/* All but the order of popularity, which parts share with their model. */
static RsStatus
check_own(RsContext *ctx, const RsModel *model)
{
	if (check_tensors(ctx, model) != RS_OK ||
		(model->algorithm->kind == RS_QUERY_FACTORS && rs_factors_check(ctx, model) != RS_OK) ||
		check_parts(ctx, model) != RS_OK)
		return ctx->status;
	return model->algorithm->check != NULL ? model->algorithm->check(ctx, model) : RS_OK;
}

RsStatus
rs_model_check(RsContext *ctx, const RsModel *model)
{
	RsStatus status = check_own(ctx, model);

	return status == RS_OK ? rs_popularity_check(ctx, model) : status;
}

/* --- scores --- */

static RsStatus
check_item(RsContext *ctx, const RsModel *model, uint32_t item)
{
	if (item >= model->ids.n)
		return rs_fail(ctx, RS_ERR_PARAM, "item number %u is not in the model", item);
	return RS_OK;
}

RsStatus
rs_check_history(RsContext *ctx, const RsModel *model, const RsHistory *history)
{
	for (uint32_t i = 0; i < history->n; i++)
		if (check_item(ctx, model, history->item[i]) != RS_OK)
			return ctx->status;
	return RS_OK;
}

/* The query's product with the factors of each item. */
static RsStatus
score_factors(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	RsFactors factors = rs_model_factors(model);
	float *query = rs_calloc(ctx, factors.dim, sizeof(float));
	RsStatus status = query != NULL ? RS_OK : ctx->status;
	float product[ROWS];

	if (status == RS_OK)
		status = model->algorithm->query(ctx, model, history, query);
	for (uint32_t begin = 0, rows; begin < factors.n && status == RS_OK; begin += rows)
	{
		rows = factors.n - begin < ROWS ? factors.n - begin : ROWS;
		rs_dot_rows(query, factors.rows + (size_t) begin * factors.dim, rows, factors.dim, product);
		for (uint32_t i = 0; i < rows; i++)
			out[factors.item[begin + i]] = product[i];
		status = rs_check_interrupt(ctx);
	}
	rs_free(ctx, query);
	return status;
}

RsStatus
rs_score_all(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	RsScores scores;

	if (rs_check_history(ctx, model, history) != RS_OK)
		return ctx->status;
	if (model->algorithm->kind == RS_QUERY_FACTORS)
		return score_factors(ctx, model, history, out);
	scores = (RsScores){.n = model->ids.n, .score = out};
	rs_scores_clear(&scores);
	if (model->algorithm->score(ctx, model, history, &scores) != RS_OK)
		return ctx->status;
	if (scores.copied != NULL)
		memcpy(out, scores.copied, (size_t) scores.n * sizeof(float));
	return RS_OK;
}

RsStatus
rs_explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
		   RsExplanation *out)
{
	if (rs_check_history(ctx, model, history) != RS_OK || check_item(ctx, model, item) != RS_OK)
		return ctx->status;
	if (model->algorithm->explain == NULL)
		return rs_fail(ctx, RS_ERR_PARAM, "algorithm \"%s\" cannot explain its scores",
					   model->algorithm->name);
	for (uint32_t i = 0; i < history->n; i++)
		out->events[i] = 0;
	for (uint32_t i = 0; out->features != NULL && i < history->n_features; i++)
		out->features[i] = 0;
	out->rest = 0;
	return model->algorithm->explain(ctx, model, history, item, out);
}
