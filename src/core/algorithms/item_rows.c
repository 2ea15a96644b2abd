/*
 * item_rows.c
 *		Sparse item-item weights in a model: check and query.
 */
#include "core/algorithms/item_rows.h"

RsStatus
rs_item_rows_check(RsContext *ctx, const RsModel *model)
{
	const RsTensor *offsets = rs_model_tensor(model, "item_weights.offsets");
	const RsTensor *items = rs_model_tensor(model, "item_weights.items");
	const RsTensor *values = rs_model_tensor(model, "item_weights.values");
	uint32_t n = model->ids.n;
	const int64_t *offset;
	const int32_t *item;
	uint32_t row;

	if (offsets == NULL || offsets->dtype != RS_I64 || offsets->dims != 1 ||
		offsets->shape[0] != (uint64_t) n + 1 || items == NULL || items->dtype != RS_I32 ||
		items->dims != 1 || values == NULL || values->dtype != RS_F32 || values->dims != 1 ||
		values->shape[0] != items->shape[0])
		return rs_fail(ctx, RS_ERR_BYTES, "model has no item_weights of the right shapes");
	offset = offsets->data;
	item = items->data;
	if (offset[0] != 0 || offset[n] < 0 || (uint64_t) offset[n] != items->shape[0])
		return rs_fail(ctx, RS_ERR_BYTES, "offsets of item_weights do not cover its items");
	for (row = 0; row < n; row++)
	{
		int64_t before = -1;
		int64_t i;

		if (offset[row + 1] < offset[row] || offset[row + 1] > offset[n])
			return rs_fail(ctx, RS_ERR_BYTES, "offsets of item_weights are not ascending");
		for (i = offset[row]; i < offset[row + 1]; i++)
		{
			if (item[i] <= before || (uint32_t) item[i] >= n)
				return rs_fail(ctx, RS_ERR_BYTES, "items of item_weights are not ascending");
			before = item[i];
		}
		if (row % 65536 == 0 && rs_check_interrupt(ctx) != RS_OK)
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

RsStatus
rs_item_rows_query(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	uint32_t i;

	for (i = 0; i < history->n; i++)
	{
		if (i % 256 == 255 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		rs_item_rows_add(model, history->item[i], history->weight[i], out);
	}
	return RS_OK;
}
