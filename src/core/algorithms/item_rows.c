/*
 * item_rows.c
 *		Sparse item-item weights in a model: proof, query, explanation.
 */
#include "core/algorithms/item_rows.h"

#include "core/base/cells.h"

int
rs_item_rows_tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS])
{
	const RsTensor *items = rs_model_tensor(model, "item_weights.items");
	uint64_t nnz = items != NULL ? items->shape[0] : 0;

	specs[0] =
		(RsTensorSpec){"item_weights.offsets", RS_I64, 1, {(uint64_t) model->ids.n + 1}, false};
	specs[1] = (RsTensorSpec){"item_weights.items", RS_I32, 1, {RS_ANY}, false};
	specs[2] = (RsTensorSpec){"item_weights.values", RS_F32, 1, {nnz}, false};
	return 3;
}

RsStatus
rs_item_rows_check(RsContext *ctx, const RsModel *model)
{
	RsItemRows rows = rs_item_rows(model);
	const int64_t *offset = rows.offset;
	uint64_t nnz = rs_model_tensor(model, "item_weights.items")->shape[0];
	uint32_t n = model->ids.n;
	uint32_t row;

	if (offset[0] != 0 || offset[n] < 0 || (uint64_t) offset[n] != nnz)
		return rs_invalid_bytes(ctx, "The offsets of item_weights do not cover its items.");
	for (row = 0; row < n; row++)
	{
		int64_t before = -1;
		int64_t i;

		if (offset[row + 1] < offset[row] || offset[row + 1] > offset[n])
			return rs_invalid_bytes(ctx, "The offsets of item_weights do not ascend.");
		for (i = offset[row]; i < offset[row + 1]; i++)
		{
			if (rows.item[i] <= before || rows.item[i] >= n)
				return rs_invalid_bytes(ctx, "The items of item_weights do not ascend.");
			before = rows.item[i];
		}
		if ((row % 65536 == 0 || offset[row + 1] - offset[row] > 4096) &&
			rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
	}
	return RS_OK;
}

RsItemRows
rs_item_rows(const RsModel *model)
{
	RsItemRows rows = {.offset = rs_model_tensor(model, "item_weights.offsets")->data,
					   .item = rs_model_tensor(model, "item_weights.items")->data,
					   .value = rs_model_tensor(model, "item_weights.values")->data};

	return rows;
}

/* Where rows say something of one item in so many, to note which is not worth it. */
#define MANY 8

void
rs_item_rows_prepare(const RsItemRows *rows, const RsHistory *history, RsScores *scores)
{
	int64_t entries = 0;

	for (uint32_t i = 0; i < history->n; i++)
		entries += rows->offset[history->item[i] + 1] - rows->offset[history->item[i]];
	if (entries > scores->n / MANY)
		rs_scores_of_all(scores);
}

void
rs_item_rows_add(const RsItemRows *rows, uint32_t source, float scale, RsScores *scores)
{
	const uint32_t *item = rows->item;
	const float *value = rows->value;
	float *score = scores->score;
	int64_t end = rows->offset[source + 1];

	for (int64_t i = rows->offset[source]; i < end; i++)
		score[item[i]] += scale * value[i];
	if (scores->all)
		return;
	for (int64_t i = rows->offset[source]; i < end; i++)
		rs_scores_touch(scores, item[i]);
}

float
rs_item_rows_weight(const RsItemRows *rows, uint32_t source, uint32_t target)
{
	int64_t begin = rows->offset[source];

	return rs_weight_among(rows->item + begin, rows->value + begin,
						   (uint64_t) (rows->offset[source + 1] - begin), target);
}

RsStatus
rs_item_rows_score(RsContext *ctx, const RsModel *model, const RsHistory *history, RsScores *scores)
{
	RsItemRows rows = rs_item_rows(model);

	rs_item_rows_prepare(&rows, history, scores);
	for (uint32_t i = 0; i < history->n; i++)
	{
		if (i % 32 == 31 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		rs_item_rows_add(&rows, history->item[i], history->weight[i], scores);
	}
	return RS_OK;
}

RsStatus
rs_item_rows_explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
					 RsExplanation *out)
{
	RsItemRows rows = rs_item_rows(model);

	(void) ctx;
	for (uint32_t i = 0; i < history->n; i++)
		out->events[i] = history->weight[i] * rs_item_rows_weight(&rows, history->item[i], item);
	return RS_OK;
}

RsItemRow
rs_item_rows_row(const RsModel *model, uint32_t item)
{
	RsItemRows rows = rs_item_rows(model);
	int64_t begin = rows.offset[item];

	return (RsItemRow){(uint32_t) (rows.offset[item + 1] - begin), rows.item + begin,
					   rows.value + begin};
}
