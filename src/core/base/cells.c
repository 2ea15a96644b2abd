/*
 * cells.c
 *		The cells of one sparse row.
 *
 * Equal columns are summed in the order of their weights, so that the sum does
 * not depend on the order in which they came.
 */
#include "core/base/cells.h"

#include "core/base/sort.h"

#include <float.h>
#include <string.h>

static inline bool
cell_less(const void *array, uint64_t a, uint64_t b)
{
	const RsCells *cells = array;

	if (cells->item[a] != cells->item[b])
		return cells->item[a] < cells->item[b];
	return cells->weight[a] < cells->weight[b];
}

static inline void
cell_swap(void *array, uint64_t a, uint64_t b)
{
	RsCells *cells = array;
	uint32_t item = cells->item[a];
	float weight = cells->weight[a];

	cells->item[a] = cells->item[b];
	cells->weight[a] = cells->weight[b];
	cells->item[b] = item;
	cells->weight[b] = weight;
}

float
rs_sum_weights(const float *weight, uint64_t n)
{
	double sum = 0;

	for (uint64_t i = 0; i < n; i++)
		sum += weight[i];
	return (float) (sum > FLT_MAX ? FLT_MAX : sum < -FLT_MAX ? -FLT_MAX : sum);
}

RsStatus
rs_cells_create(RsContext *ctx, const uint32_t *item, const float *weight, uint32_t n,
				RsCells *cells)
{
	RsStatus status;

	cells->n = 0;
	cells->item = rs_alloc(ctx, (size_t) n * (sizeof(uint32_t) + sizeof(float)));
	if (cells->item == NULL)
		return ctx->status;
	cells->weight = (float *) (cells->item + n);
	memcpy(cells->item, item, n * sizeof(uint32_t));
	memcpy(cells->weight, weight, n * sizeof(float));
	status = rs_sort_in_place(ctx, cells, n, cell_less, cell_swap);
	if (status != RS_OK)
	{
		rs_cells_free(ctx, cells);
		return status;
	}
	for (uint32_t i = 0; i < n;)
	{
		uint32_t run = i;
		float sum;

		while (run < n && cells->item[run] == cells->item[i])
			run++;
		sum = rs_sum_weights(cells->weight + i, run - i);
		if (sum != 0)
		{
			cells->item[cells->n] = cells->item[i];
			cells->weight[cells->n++] = sum;
		}
		i = run;
	}
	return RS_OK;
}

void
rs_cells_free(RsContext *ctx, RsCells *cells)
{
	rs_free(ctx, cells->item);
	cells->item = NULL;
}

float
rs_weight_among(const uint32_t *item, const float *weight, uint64_t n, uint32_t wanted)
{
	uint64_t low = 0;
	uint64_t high = n;

	while (low < high)
	{
		uint64_t middle = low + (high - low) / 2;

		if (item[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && item[low] == wanted ? weight[low] : 0;
}

float
rs_cells_weight(const RsCells *cells, uint32_t item)
{
	return rs_weight_among(cells->item, cells->weight, cells->n, item);
}
