/*
 * likeness.c
 *		How alike items of a model are.
 */
#include "core/serving/likeness.h"

#include <math.h>

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
	uint32_t low = 0;
	uint32_t high = row->n;

	if (row->item == NULL)
		return row->value[item];
	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;

		if (row->item[middle] < item)
			low = middle + 1;
		else
			high = middle;
	}
	return low < row->n && row->item[low] == item ? row->value[low] : 0;
}

/* Sum of the products of weights for the same items. */
static double
product(const RsItemRow *a, const RsItemRow *b)
{
	double sum = 0;
	uint32_t i = 0;
	uint32_t j = 0;

	if (a->item == NULL)
		return rs_dot(a->value, b->value, a->n);
	while (i < a->n && j < b->n)
	{
		uint32_t left = a->item[i];
		uint32_t right = b->item[j];

		if (left == right)
			sum += (double) a->value[i] * b->value[j];
		i += left <= right;
		j += right <= left;
	}
	return sum;
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
	if (likeness->self == NULL)
	{
		rs_free(ctx, likeness->norm);
		return ctx->status;
	}
	likeness->by_factors =
		likeness->model != NULL && likeness->model->algorithm->kind == RS_QUERY_FACTORS;
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
}

/* Product of the rows of two items, each with the item itself in it. */
static double
row_product(const RsLikeness *likeness, uint32_t i, const RsItemRow *row, uint32_t j)
{
	RsItemRow other = likeness->model->algorithm->row(likeness->model, likeness->items[j]);

	return product(row, &other) +
		   (double) likeness->self[i] * weight_of(&other, likeness->items[i]) +
		   (double) likeness->self[j] * weight_of(row, likeness->items[j]);
}

void
rs_likeness_of(const RsLikeness *likeness, uint32_t i, double *out)
{
	const RsFactors *factors = &likeness->factors;
	RsItemRow row = {0};

	if (likeness->norm[i] > 0 && !likeness->by_factors)
		row = likeness->model->algorithm->row(likeness->model, likeness->items[i]);
	for (uint32_t j = 0; j < likeness->n; j++)
	{
		double norm = likeness->norm[i] * likeness->norm[j];
		double cosine = 0;

		if (norm > 0)
			cosine = (likeness->by_factors
						  ? rs_dot(rs_factors_row(factors, likeness->items[i]),
								   rs_factors_row(factors, likeness->items[j]), factors->dim)
						  : row_product(likeness, i, &row, j)) /
					 norm;
		out[j] = cosine >= 1 ? 1 : cosine > -1 ? cosine : -1;
	}
	out[i] = 1;
}
