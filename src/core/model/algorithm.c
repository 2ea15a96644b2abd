/*
 * algorithm.c
 *		The table of algorithms, and what all trainings have in common.
 */
#include "core/model/algorithm.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define POLL_EVERY 1048576 /* cells between two questions for cancel */

static const RsAlgorithm *const algorithms[] = {&rs_als,        &rs_ease,     &rs_item_knn, &rs_mlp,
												&rs_popularity, &rs_sequence, NULL};

const RsAlgorithm *const *
rs_algorithms(void)
{
	return algorithms;
}

const RsAlgorithm *
rs_algorithm_find(const char *name)
{
	int i;

	for (i = 0; algorithms[i] != NULL; i++)
		if (strcmp(algorithms[i]->name, name) == 0)
			return algorithms[i];
	return NULL;
}

/* Sum of weights an item, in double, then brought into 0 .. FLT_MAX. */
static RsStatus
add_popularity(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	bool timed = problem->seq_start != NULL;
	uint64_t n = timed ? problem->n_events : problem->nnz;
	const uint32_t *item = timed ? problem->seq_item : problem->user_item;
	const float *weight = timed ? problem->seq_weight : problem->user_weight;
	double *sum = rs_calloc(ctx, problem->n_items, sizeof(double));
	float *popularity;
	RsStatus status;
	uint64_t i;

	if (sum == NULL)
		return ctx->status;
	popularity = rs_alloc(ctx, (size_t) problem->n_items * sizeof(float));
	if (popularity == NULL)
	{
		rs_free(ctx, sum);
		return ctx->status;
	}
	for (i = 0; i < n; i++)
	{
		if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
		{
			rs_free(ctx, sum);
			rs_free(ctx, popularity);
			return ctx->status;
		}
		sum[item[i]] += weight[i];
	}
	for (i = 0; i < problem->n_items; i++)
		popularity[i] = sum[i] <= 0 ? 0 : sum[i] > FLT_MAX ? FLT_MAX : (float) sum[i];
	rs_free(ctx, sum);
	status = rs_model_add(ctx, model, "item_popularity", RS_F32, 1, problem->n_items, 1, popularity,
						  true);
	if (status != RS_OK)
		rs_free(ctx, popularity);
	return status;
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
	model->loss = NAN;
	status = add_popularity(ctx, problem, model);
	if (status == RS_OK)
		status = algorithm->train(ctx, problem, model);
	if (status != RS_OK)
		rs_model_free(ctx, model);
	return status;
}
