/*
 * item_rows.c
 *		Sparse item-item weights in a model: proof, query, explanation.
 */
#include "core/algorithms/item_rows.h"

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
	const RsTensor *items = rs_model_tensor(model, "item_weights.items");
	const int64_t *offset = rs_model_tensor(model, "item_weights.offsets")->data;
	const int32_t *item = items->data;
	uint32_t n = model->ids.n;
	uint32_t row;

	if (offset[0] != 0 || offset[n] < 0 || (uint64_t) offset[n] != items->shape[0])
		return rs_invalid_bytes(ctx, "The offsets of item_weights do not cover its items.");
	for (row = 0; row < n; row++)
	{
		int64_t before = -1;
		int64_t i;

		if (offset[row + 1] < offset[row] || offset[row + 1] > offset[n])
			return rs_invalid_bytes(ctx, "The offsets of item_weights do not ascend.");
		for (i = offset[row]; i < offset[row + 1]; i++)
		{
			if (item[i] <= before || (uint32_t) item[i] >= n)
				return rs_invalid_bytes(ctx, "The items of item_weights do not ascend.");
			before = item[i];
		}
		if ((row % 65536 == 0 || offset[row + 1] - offset[row] > 4096) &&
			rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
	}
	return RS_OK;
}

void
rs_item_rows_add(const RsModel *model, uint32_t source, float scale, float *out)
{
	const int64_t *offset = rs_model_tensor(model, "item_weights.offsets")->data;
	const int32_t *item = rs_model_tensor(model, "item_weights.items")->data;
	const float *value = rs_model_tensor(model, "item_weights.values")->data;
	int64_t i;

	for (i = offset[source]; i < offset[source + 1]; i++)
		out[item[i]] += scale * value[i];
}

float
rs_item_rows_weight(const RsModel *model, uint32_t source, uint32_t target)
{
	const int64_t *offset = rs_model_tensor(model, "item_weights.offsets")->data;
	const int32_t *item = rs_model_tensor(model, "item_weights.items")->data;
	const float *value = rs_model_tensor(model, "item_weights.values")->data;
	int64_t low = offset[source];
	int64_t high = offset[source + 1];

	while (low < high)
	{
		int64_t middle = low + (high - low) / 2;

		if ((uint32_t) item[middle] < target)
			low = middle + 1;
		else
			high = middle;
	}
	return low < offset[source + 1] && (uint32_t) item[low] == target ? value[low] : 0;
}

RsStatus
rs_item_rows_query(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	uint32_t i;

	for (i = 0; i < history->n; i++)
	{
		if (i % 32 == 31 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		rs_item_rows_add(model, history->item[i], history->weight[i], out);
	}
	return RS_OK;
}

RsStatus
rs_item_rows_explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
					 RsExplanation *out)
{
	(void) ctx;
	for (uint32_t i = 0; i < history->n; i++)
		out->events[i] = history->weight[i] * rs_item_rows_weight(model, history->item[i], item);
	return RS_OK;
}

RsItemRow
rs_item_rows_row(const RsModel *model, uint32_t item)
{
	const int64_t *offset = rs_model_tensor(model, "item_weights.offsets")->data;
	const uint32_t *target = rs_model_tensor(model, "item_weights.items")->data;
	const float *value = rs_model_tensor(model, "item_weights.values")->data;

	return (RsItemRow){(uint32_t) (offset[item + 1] - offset[item]), target + offset[item],
					   value + offset[item]};
}
