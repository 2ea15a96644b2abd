/*
 * item_rows.h
 *		Sparse item-item weights in a model: three tensors, summed by a query.
 *
 * Row = source item (what the user has), column = target item (what is scored),
 * columns ascending:
 *
 *		item_weights.offsets  I64 [n + 1]
 *		item_weights.items    I32 [nnz]
 *		item_weights.values   F32 [nnz]
 */
#ifndef RS_ITEM_ROWS_H
#define RS_ITEM_ROWS_H

#include "core/model/algorithm.h"

/* The three tensors, and the proof of their values: offsets monotone, columns
 * ascending and in range. */
extern int rs_item_rows_tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS]);
extern RsStatus rs_item_rows_check(RsContext *ctx, const RsModel *model);

/* Where the three stand. */
typedef struct RsItemRows
{
	const int64_t *offset;
	const uint32_t *item;
	const float *value;
} RsItemRows;

extern RsItemRows rs_item_rows(const RsModel *model);

/* Before a query of this history adds its rows to cleared scores. */
extern void rs_item_rows_prepare(const RsItemRows *rows, const RsHistory *history,
								 RsScores *scores);

/* Score of i += scale * w for each (i, w) in the row of source. */
extern void rs_item_rows_add(const RsItemRows *rows, uint32_t source, float scale,
							 RsScores *scores);

/* Weight of source for target. */
extern float rs_item_rows_weight(const RsItemRows *rows, uint32_t source, uint32_t target);

/* scores = sum of weight * row over the history. */
extern RsStatus rs_item_rows_score(RsContext *ctx, const RsModel *model, const RsHistory *history,
								   RsScores *scores);

/* What each entry of the history adds to that for one item. */
extern RsStatus rs_item_rows_explain(RsContext *ctx, const RsModel *model, const RsHistory *history,
									 uint32_t item, RsExplanation *out);

/* The row of an item. */
extern RsItemRow rs_item_rows_row(const RsModel *model, uint32_t item);

#endif
