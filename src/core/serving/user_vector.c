/*
 * user_vector.c
 *		How alike users are, told from what they did until now.
 */
#include "core/serving/user_vector.h"

#include <math.h>

#include "core/math/vec.h"
#include "core/model/derived.h"

static RsStatus
make_query(RsContext *ctx, const RsModel *model, const RsHistory *history, RsUserVector *vector)
{
	RsStatus status;

	vector->n = rs_model_factors(model).dim;
	vector->value = rs_calloc(ctx, vector->n, sizeof(float));
	if (vector->value == NULL)
		return ctx->status;
	status = model->algorithm->query(ctx, model, history, vector->value);
	if (status != RS_OK)
		rs_free(ctx, vector->value);
	vector->n -= model->algorithm->constants;
	return status;
}

RsStatus
rs_user_vector_create(RsContext *ctx, const RsModel *model, const RsHistory *history,
					  RsUserVector *vector)
{
	RsStatus status = rs_check_history(ctx, model, history);

	*vector = (RsUserVector){0};
	if (status == RS_OK && model->algorithm->kind == RS_QUERY_FACTORS)
		status = make_query(ctx, model, history, vector);
	else if (status == RS_OK)
		status = rs_cells_create(ctx, history->item, history->weight, history->n, &vector->cells);
	if (status != RS_OK)
		return status;
	vector->norm = vector->value != NULL ? rs_norm(vector->value, vector->n)
										 : rs_norm(vector->cells.weight, vector->cells.n);
	return RS_OK;
}

void
rs_user_vector_free(RsContext *ctx, RsUserVector *vector)
{
	if (vector->value != NULL)
		rs_free(ctx, vector->value);
	else
		rs_cells_free(ctx, &vector->cells);
}

double
rs_user_likeness(const RsUserVector *a, const RsUserVector *b)
{
	double product = 0;
	double cosine;

	if (!(a->norm > 0 && b->norm > 0))
		return NAN;
	if (a->value != NULL)
		product = rs_dot(a->value, b->value, a->n);
	else
		for (uint32_t i = 0; i < b->cells.n; i++)
			product += (double) b->cells.weight[i] * rs_cells_weight(&a->cells, b->cells.item[i]);
	cosine = product / (a->norm * b->norm);
	return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}
