/*
 * coarse.c
 *		Copies of vectors in a quarter of the room.
 *
 * Errors are measured, not estimated: step * (byte - 128) has 24 + 8 bits and is
 * exact in double, its difference from a float is rounded once, and so a sum of
 * squares is off by less than n + 4 units of 2^-53.  What is written is larger than
 * what was measured by 2^-20, so that every machine measures less.
 */
#include "core/model/coarse.h"

#include <math.h>
#include <string.h>

#define POLL_BLOCKS 1024 /* between two questions for cancel */
#define HALF 128

/* The longest difference between a row of a block and its coarse copy. */
static double
longest_error(const float *rows, uint32_t n, uint32_t dim, const uint8_t *bytes, double step)
{
	double longest = 0;

	for (uint32_t j = 0; j < n; j++)
	{
		double sum[4] = {0};

		for (uint32_t d = 0; d < dim; d++)
		{
			int byte = bytes[(d / 4 * RS_COARSE_ROWS + j) * 4 + d % 4];
			double off = (double) rows[(size_t) j * dim + d] - step * (byte - HALF);

			sum[d % 4] += off * off;
		}
		longest = fmax(longest, (sum[0] + sum[1]) + (sum[2] + sum[3]));
	}
	return sqrt(longest);
}

/* One block of n rows into bytes and step[2]. */
static void
write_block(const float *rows, uint32_t n, uint32_t dim, uint8_t *bytes, float *step)
{
	float most = 0;

	for (size_t i = 0; i < (size_t) n * dim; i++)
		most = fabsf(rows[i]) > most ? fabsf(rows[i]) : most;
	step[0] = most / 127;
	memset(bytes, HALF, (size_t) RS_COARSE_ROWS * rs_coarse_width(dim));
	for (uint32_t j = 0; j < n && step[0] > 0; j++)
	{
		for (uint32_t d = 0; d < dim; d++)
		{
			double steps = rint((double) rows[(size_t) j * dim + d] / step[0]);

			steps = fmin(fmax(steps, -127), 127);
			bytes[(d / 4 * RS_COARSE_ROWS + j) * 4 + d % 4] = (uint8_t) (HALF + (int) steps);
		}
	}
	step[1] =
		nextafterf((float) (longest_error(rows, n, dim, bytes, step[0]) * (1 + 0x1p-20)), INFINITY);
}

static uint32_t
rows_of_block(const RsModel *model, uint32_t block)
{
	uint32_t left = model->ids.n - block * RS_COARSE_ROWS;

	return left < RS_COARSE_ROWS ? left : RS_COARSE_ROWS;
}

RsStatus
rs_coarse_add(RsContext *ctx, RsModel *model, const float *rows, uint32_t dim)
{
	uint32_t blocks = rs_coarse_blocks(model->ids.n);
	size_t size = (size_t) RS_COARSE_ROWS * rs_coarse_width(dim);
	float *steps = rs_alloc(ctx, blocks * (2 * sizeof(float) + size));
	uint8_t *bytes = (uint8_t *) (steps + 2 * (size_t) blocks);
	RsStatus status = steps != NULL ? RS_OK : ctx->status;

	for (uint32_t b = 0; b < blocks && status == RS_OK; b++)
	{
		write_block(rows + (size_t) b * RS_COARSE_ROWS * dim, rows_of_block(model, b), dim,
					bytes + b * size, steps + 2 * (size_t) b);
		if (b % POLL_BLOCKS == 0)
			status = rs_check_interrupt(ctx);
	}
	if (status == RS_OK)
		status = rs_model_add(ctx, model, RS_FACTOR_STEPS, RS_F32, 2, blocks, 2, steps, true);
	if (status != RS_OK)
	{
		rs_free(ctx, steps);
		return status;
	}
	return rs_model_add(ctx, model, RS_FACTOR_BYTES, RS_U8, 2, blocks, size, bytes, false);
}

RsCoarse
rs_model_coarse(const RsModel *model)
{
	const RsTensor *bytes = rs_model_tensor(model, RS_FACTOR_BYTES);
	const RsTensor *steps = rs_model_tensor(model, RS_FACTOR_STEPS);

	return bytes != NULL && steps != NULL ? (RsCoarse){bytes->data, steps->data} : (RsCoarse){0};
}

RsStatus
rs_coarse_check(RsContext *ctx, const RsModel *model, const float *rows, uint32_t dim)
{
	const RsTensor *bytes = rs_model_tensor(model, RS_FACTOR_BYTES);
	const RsTensor *steps = rs_model_tensor(model, RS_FACTOR_STEPS);
	RsCoarse coarse = rs_model_coarse(model);

	if (bytes == NULL && steps == NULL)
		return RS_OK;
	if (bytes == NULL || steps == NULL || dim > RS_COARSE_MAX_DIM ||
		bytes->shape[1] != (uint64_t) RS_COARSE_ROWS * rs_coarse_width(dim))
		return rs_invalid_bytes(ctx, "Tensor \"%s\" or \"%s\" is missing or of the wrong shape.",
								RS_FACTOR_BYTES, RS_FACTOR_STEPS);
	for (uint32_t b = 0; b < rs_coarse_blocks(model->ids.n); b++)
	{
		const float *step = coarse.steps + 2 * (size_t) b;

		if (b % POLL_BLOCKS == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (!(step[0] >= 0) ||
			!(longest_error(rows + (size_t) b * RS_COARSE_ROWS * dim, rows_of_block(model, b), dim,
							rs_coarse_block(&coarse, b, dim), step[0]) <= step[1]))
			return rs_invalid_bytes(ctx, "Tensor \"%s\" is further from \"%s\" than it says.",
									RS_FACTOR_BYTES, "item_factors");
	}
	return RS_OK;
}
