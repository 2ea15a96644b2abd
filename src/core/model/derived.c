/*
 * derived.c
 *		What answers need of a model and its tensors say only after sorting.
 */
#include "core/model/derived.h"

#include <math.h>
#include <string.h>

#include "core/base/sort.h"
#include "core/math/vec.h"

#define BLOCK 1024        /* rows whose norms are computed at a time */
#define POLL_EVERY 262144 /* floats or items between two questions for cancel */

/* --- writing --- */

/*
 * Bring rows into the order of items, circle by circle of the permutation, and
 * note in row_of where each came to.  spare has room for one row.
 */
static RsStatus
sort_rows(RsContext *ctx, float *rows, uint32_t n, size_t dim, const uint32_t *items,
		  uint32_t *row_of, float *spare)
{
	uint32_t moved = 0;

	memset(row_of, 0xff, (size_t) n * sizeof(uint32_t));
	for (uint32_t first = 0; first < n; first++)
	{
		uint32_t row = first;

		if (row_of[items[first]] != UINT32_MAX)
			continue;
		memcpy(spare, rows + first * dim, dim * sizeof(float));
		for (; items[row] != first; row = items[row])
		{
			if (++moved % BLOCK == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			memcpy(rows + row * dim, rows + items[row] * dim, dim * sizeof(float));
			row_of[items[row]] = row;
		}
		memcpy(rows + row * dim, spare, dim * sizeof(float));
		row_of[first] = row;
	}
	return RS_OK;
}

/* Norms into norm, in order of row, and the rows' items and items' rows. */
static RsStatus
sort_factors(RsContext *ctx, float *rows, uint32_t n, uint32_t dim, float *norm, uint32_t *items,
			 uint32_t *row_of)
{
	float *by_item = rs_alloc(ctx, ((size_t) n + dim) * sizeof(float));
	RsStatus status = RS_OK;

	if (by_item == NULL)
		return ctx->status;
	for (uint32_t i = 0; i < n && status == RS_OK; i++)
	{
		by_item[i] = (float) rs_norm(rows + (size_t) i * dim, dim);
		if (!(by_item[i] < INFINITY))
			status = rs_fail(ctx, RS_ERR_DIVERGED, "vectors of items are not finite");
		else if (i % BLOCK == 0)
			status = rs_check_interrupt(ctx);
	}
	if (status == RS_OK)
		status = rs_order_descending(ctx, by_item, n, items);
	if (status == RS_OK)
	{
		for (uint32_t row = 0; row < n; row++)
			norm[row] = by_item[items[row]];
		status = sort_rows(ctx, rows, n, dim, items, row_of, by_item + n);
	}
	rs_free(ctx, by_item);
	return status;
}

RsStatus
rs_factors_add(RsContext *ctx, RsModel *model, float *rows, uint32_t dim)
{
	size_t n = model->ids.n;
	float *norm = rs_alloc(ctx, 3 * n * sizeof(uint32_t));
	uint32_t *items = (uint32_t *) norm + n;
	uint32_t *row_of = items + n;
	RsStatus status;

	if (norm == NULL)
		return ctx->status;
	status = sort_factors(ctx, rows, model->ids.n, dim, norm, items, row_of);
	if (status == RS_OK)
		status = rs_model_add(ctx, model, RS_FACTOR_NORMS, RS_F32, 1, n, 1, norm, true);
	if (status != RS_OK)
	{
		rs_free(ctx, norm);
		return status;
	}
	status = rs_model_add(ctx, model, RS_FACTOR_ITEMS, RS_I32, 1, n, 1, items, false);
	if (status == RS_OK)
		status = rs_model_add(ctx, model, RS_FACTOR_ROWS, RS_I32, 1, n, 1, row_of, false);
	if (status == RS_OK && rs_coarse_pays(model->ids.n, dim))
		status = rs_coarse_add(ctx, model, rows, dim);
	if (status == RS_OK)
		status = rs_model_add(ctx, model, RS_FACTORS, RS_F32, 2, n, dim, rows, true);
	return status;
}

RsStatus
rs_popularity_add(RsContext *ctx, RsModel *model, float *popularity)
{
	uint32_t n = model->ids.n;
	uint32_t *items = rs_alloc(ctx, (size_t) n * sizeof(uint32_t));
	RsStatus status;

	if (items == NULL)
		return ctx->status;
	status = rs_order_descending(ctx, popularity, n, items);
	if (status == RS_OK)
		status = rs_model_add(ctx, model, RS_POPULAR, RS_I32, 1, n, 1, items, true);
	if (status != RS_OK)
	{
		rs_free(ctx, items);
		return status;
	}
	return rs_model_add(ctx, model, RS_POPULARITY, RS_F32, 1, n, 1, popularity, true);
}

/* --- reading --- */

static const void *
data_of(const RsModel *model, const char *name)
{
	return rs_model_tensor(model, name)->data;
}

RsFactors
rs_model_factors(const RsModel *model)
{
	const RsTensor *rows = rs_model_tensor(model, RS_FACTORS);
	RsFactors factors = {.n = model->ids.n,
						 .dim = (uint32_t) rows->shape[1],
						 .rows = rows->data,
						 .norm = data_of(model, RS_FACTOR_NORMS),
						 .item = data_of(model, RS_FACTOR_ITEMS),
						 .row_of = data_of(model, RS_FACTOR_ROWS),
						 .coarse = rs_model_coarse(model)};

	return factors;
}

/* Norms descend and are those of the rows, which makes the rows finite too. */
static RsStatus
check_norms(RsContext *ctx, const RsFactors *factors)
{
	float computed[BLOCK];
	float before = INFINITY;

	for (uint32_t begin = 0; begin < factors->n; begin += BLOCK)
	{
		uint32_t rows = factors->n - begin < BLOCK ? factors->n - begin : BLOCK;
		const float *norm = factors->norm + begin;
		bool good = true;

		if (rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		rs_norm_rows(factors->rows + (size_t) begin * factors->dim, rows, factors->dim, computed);
		for (uint32_t i = 0; i < rows; i++)
		{
			/* written so that NaN fails too */
			good &=
				computed[i] < INFINITY && norm[i] <= before &&
				fabsf(norm[i] - computed[i]) <= computed[i] * (float) RS_NORM_TOLERANCE + 0x1p-148f;
			before = norm[i];
		}
		if (!good)
			return rs_invalid_bytes(ctx,
									"Tensor \"%s\" has a value that is not allowed, or its "
									"rows do not descend by their norms.",
									RS_FACTORS);
	}
	return RS_OK;
}

/* Each row's item has that row: then both are permutations. */
static RsStatus
check_permutations(RsContext *ctx, const RsFactors *factors)
{
	for (uint32_t row = 0; row < factors->n; row++)
	{
		if (row % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (factors->item[row] >= factors->n || factors->row_of[factors->item[row]] != row)
			return rs_invalid_bytes(ctx,
									"Tensors \"%s\" and \"%s\" are not permutations of the "
									"items, each the other's inverse.",
									RS_FACTOR_ITEMS, RS_FACTOR_ROWS);
	}
	return RS_OK;
}

RsStatus
rs_factors_check(RsContext *ctx, const RsModel *model)
{
	uint64_t dim = rs_model_tensor(model, RS_FACTORS)->shape[1];
	RsFactors factors = rs_model_factors(model);

	if (dim == 0 || dim > UINT32_MAX)
		return rs_invalid_bytes(ctx, "Tensor \"%s\" is of the wrong shape.", RS_FACTORS);
	if (check_norms(ctx, &factors) != RS_OK || check_permutations(ctx, &factors) != RS_OK)
		return ctx->status;
	return rs_coarse_check(ctx, model, factors.rows, factors.dim);
}

/* In the strict order "more popular, then lower number" no item stands twice. */
RsStatus
rs_popularity_check(RsContext *ctx, const RsModel *model)
{
	const float *popularity = data_of(model, RS_POPULARITY);
	const uint32_t *items = data_of(model, RS_POPULAR);
	uint32_t n = model->ids.n;

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t item = items[i];
		uint32_t before = items[i > 0 ? i - 1 : 0];

		if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (item >= n || (i > 0 && !(popularity[before] > popularity[item] ||
									 (popularity[before] == popularity[item] && before < item))))
			return rs_invalid_bytes(ctx, "Tensor \"%s\" is not the order of \"%s\".", RS_POPULAR,
									RS_POPULARITY);
	}
	return RS_OK;
}
