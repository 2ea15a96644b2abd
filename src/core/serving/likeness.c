/*
 * likeness.c
 *		How alike items of a model are.
 */
#include "core/serving/likeness.h"

#include <math.h>

#include "core/base/cells.h"
#include "core/math/vec.h"

/* The model, or the first of its parts, that has vectors or rows. */
static const RsModel *
find_model(const RsModel *model)
{
	if (model->algorithm->kind == RS_QUERY_FACTORS || model->algorithm->row != NULL)
		return model;
	for (int i = 0; i < model->n_parts; i++)
		if (find_model(model->parts[i].model) != NULL)
			return model->parts[i].model;
	return NULL;
}

/* Weight of a row for an item. */
static float
weight_of(const RsItemRow *row, uint32_t item)
{
	return row->item == NULL ? row->value[item]
							 : rs_weight_among(row->item, row->value, row->n, item);
}

static void
measure_row(RsLikeness *likeness, uint32_t i)
{
	RsItemRow row = likeness->model->algorithm->row(likeness->model, likeness->items[i]);
	double own = weight_of(&row, likeness->items[i]);
	double norm = rs_norm(row.value, row.n);
	float most = 0;

	for (uint32_t j = 0; j < row.n; j++)
		most = fabsf(row.value[j]) > most ? fabsf(row.value[j]) : most;
	likeness->self[i] = most;
	norm = sqrt(norm * norm + 2 * own * most + (double) most * most);
	likeness->norm[i] = isfinite(norm) ? norm : 0;
}

RsStatus
rs_likeness_open(RsContext *ctx, const RsModel *model, const uint32_t *items, uint32_t n,
				 RsLikeness *likeness)
{
	*likeness = (RsLikeness){.model = find_model(model), .n = n, .items = items};
	likeness->norm = rs_calloc(ctx, n, sizeof(double));
	if (likeness->norm == NULL)
		return ctx->status;
	likeness->self = rs_calloc(ctx, n, sizeof(float));
	likeness->by_factors =
		likeness->model != NULL && likeness->model->algorithm->kind == RS_QUERY_FACTORS;
	if (likeness->self != NULL && likeness->model != NULL && !likeness->by_factors)
		likeness->row = rs_calloc(ctx, model->ids.n, sizeof(float));
	if (likeness->self == NULL ||
		(likeness->row == NULL && likeness->model != NULL && !likeness->by_factors))
	{
		rs_likeness_close(ctx, likeness);
		return ctx->status;
	}
	if (likeness->by_factors)
		likeness->factors = rs_model_factors(likeness->model);
	for (uint32_t i = 0; i < n && likeness->model != NULL; i++)
	{
		if (!likeness->by_factors)
			measure_row(likeness, i);
		else
		{
			double norm =
				rs_norm(rs_factors_row(&likeness->factors, items[i]), likeness->factors.dim);

			likeness->norm[i] = isfinite(norm) ? norm : 0;
		}
	}
	return RS_OK;
}

void
rs_likeness_close(RsContext *ctx, RsLikeness *likeness)
{
	rs_free(ctx, likeness->norm);
	rs_free(ctx, likeness->self);
	rs_free(ctx, likeness->row);
}

/* Product of the row that is spread out, of item i, with that of item j, each with the
 * item itself in it. */
static double
row_product(const RsLikeness *likeness, const float *spread, uint32_t i, uint32_t j)
{
	const uint32_t *items = likeness->items;
	RsItemRow other = likeness->model->algorithm->row(likeness->model, items[j]);
	double sum = 0;

	if (other.item == NULL)
		sum = rs_dot(spread, other.value, other.n);
	else
		for (uint32_t k = 0; k < other.n; k++)
			sum += (double) spread[other.item[k]] * other.value[k];
	return sum + (double) likeness->self[i] * weight_of(&other, items[i]) +
		   (double) likeness->self[j] * spread[items[j]];
}

/* Put the weights of a sparse row to their items, or zeros again. */
static void
spread_row(const RsLikeness *likeness, const RsItemRow *row, bool clear)
{
	for (uint32_t k = 0; k < row->n && row->item != NULL; k++)
		likeness->row[row->item[k]] = clear ? 0 : row->value[k];
}

void
rs_likeness_of(RsLikeness *likeness, uint32_t i, double *out)
{
	const RsFactors *factors = &likeness->factors;
	RsItemRow row = {0};

	if (likeness->norm[i] > 0 && !likeness->by_factors)
		row = likeness->model->algorithm->row(likeness->model, likeness->items[i]);
	spread_row(likeness, &row, false);
	for (uint32_t j = 0; j < likeness->n; j++)
	{
		double norm = likeness->norm[i] * likeness->norm[j];
		double cosine = 0;

		if (norm > 0)
			cosine =
				(likeness->by_factors
					 ? rs_dot(rs_factors_row(factors, likeness->items[i]),
							  rs_factors_row(factors, likeness->items[j]), factors->dim)
					 : row_product(likeness, row.item != NULL ? likeness->row : row.value, i, j)) /
				norm;
		out[j] = cosine >= 1 ? 1 : cosine > -1 ? cosine : -1;
	}
	spread_row(likeness, &row, true);
	out[i] = 1;
}
