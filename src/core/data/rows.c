/*
 * rows.c
 *		Sparse rows, and the counting sort that makes them.
 */
#include "core/data/rows.h"

#include <math.h>
#include <string.h>

double
rs_rows_effective(const RsRows *rows, uint64_t row)
{
	double sum = 0;
	double squares = 0;

	for (uint64_t i = rows->start[row]; i < rows->start[row + 1]; i++)
	{
		double weight = fabs((double) rows->weight[i]);

		sum += weight;
		squares += weight * weight;
	}
	return rs_effective_count(sum, squares);
}

RsStatus
rs_rows_create_starts(RsContext *ctx, uint32_t n, RsRows *rows)
{
	rows->n = n;
	rows->start = rs_calloc(ctx, (size_t) n + 1, sizeof(uint64_t));
	return rows->start != NULL ? RS_OK : ctx->status;
}

RsStatus
rs_rows_create_entries(RsContext *ctx, uint64_t count, RsRows *rows)
{
	rows->index = rs_alloc(ctx, count * sizeof(uint32_t));
	if (rows->index == NULL)
		return ctx->status;
	rows->weight = rs_alloc(ctx, count * sizeof(float));
	return rows->weight != NULL ? RS_OK : ctx->status;
}

void
rs_rows_free(RsContext *ctx, RsRows *rows)
{
	rs_free(ctx, rows->start);
	rs_free(ctx, rows->index);
	rs_free(ctx, rows->weight);
	memset(rows, 0, sizeof(*rows));
}

void
rs_counts_to_starts(uint64_t *start, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t count = start[i];

		start[i] = sum;
		sum += count;
	}
	start[n] = sum;
}

void
rs_restore_starts(uint64_t *start, uint32_t n)
{
	if (n > 0)
		memmove(start + 1, start, (size_t) n * sizeof(uint64_t));
	start[0] = 0;
}
