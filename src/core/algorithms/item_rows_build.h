/*
 * item_rows_build.h
 *		Sparse item-item weights, built row by row in parallel.
 *
 * item_rows.h says how they lie in the model.
 */
#ifndef RS_ITEM_ROWS_BUILD_H
#define RS_ITEM_ROWS_BUILD_H

#include "core/model/model.h"

/* A dense row under construction, one a thread; all zero between rows. */
typedef struct RsRowScratch
{
	float *sum;        /* [n] */
	uint8_t *mark;     /* [n] is it in touched? */
	uint32_t *touched; /* [n] in the order of their first touch */
	uint64_t *bitmap;  /* [(n + 63) / 64] */
	uint32_t n;        /* touched */
} RsRowScratch;

/* Add value to column item. */
static inline void
rs_row_add(RsRowScratch *row, uint32_t item, float value)
{
	if (!row->mark[item])
	{
		row->mark[item] = 1;
		row->touched[row->n++] = item;
	}
	row->sum[item] += value;
}

/* Fill the row of an item.  Runs in any thread; must depend on arg and item alone. */
typedef void (*RsRowBody)(void *arg, uint32_t item, RsRowScratch *row, int thread);

typedef struct RsRowPlan
{
	uint32_t n_items;
	uint32_t neighbors; /* entries kept of each built row, by absolute value; 0 = all */
	bool by_target;     /* a built row is a column of the weights: turn it round */
	bool own;           /* an item may be its own neighbour */
	const char *phase;  /* for reports */
	RsRowBody body;
	void *arg;
} RsRowPlan;

/* Build all rows and add the tensors.  An item is its own neighbour only where the plan
 * says so; zeros are dropped.  RS_ERR_DIVERGED when a value is not finite. */
extern RsStatus rs_item_rows_build(RsContext *ctx, const RsRowPlan *plan, RsModel *model);

#endif
