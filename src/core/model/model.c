/*
 * model.c
 *		A model in memory: its tensors, what it owns, and its item dictionary.
 */
#include "core/model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const RsTensor *
rs_model_tensor(const RsModel *model, const char *name)
{
	for (int i = 0; i < model->n_tensors; i++)
		if (strcmp(model->tensors[i].name, name) == 0)
			return &model->tensors[i];
	return NULL;
}

/* On failure data stays the caller's, owned or not. */
RsStatus
rs_model_add(RsContext *ctx, RsModel *model, const char *name, RsDtype dtype, int dims,
			 uint64_t rows, uint64_t columns, const void *data, bool owned)
{
	RsTensor *tensor;

	if (model->n_tensors >= RS_MAX_TENSORS || rs_model_tensor(model, name) != NULL)
		return rs_fail(ctx, RS_ERR_LIMIT, "cannot add tensor \"%s\" to the model", name);
	tensor = &model->tensors[model->n_tensors++];
	tensor->name = name;
	tensor->dtype = dtype;
	tensor->dims = dims;
	tensor->shape[0] = rows;
	tensor->shape[1] = dims == 2 ? columns : 1;
	tensor->data = data;
	if (owned)
		model->owned[model->n_owned++] = (void *) data;
	return RS_OK;
}

RsModel *
rs_model_part(const RsModel *model, const char *prefix)
{
	for (int i = 0; i < model->n_parts; i++)
		if (strcmp(model->parts[i].prefix, prefix) == 0)
			return model->parts[i].model;
	return NULL;
}

RsModel *
rs_model_add_part(RsContext *ctx, RsModel *model, const char *prefix)
{
	RsModel *part;

	if (model->n_parts >= RS_MAX_PARTS || rs_model_part(model, prefix) != NULL)
	{
		rs_fail(ctx, RS_ERR_LIMIT, "cannot add part \"%s\" to the model", prefix);
		return NULL;
	}
	part = rs_calloc(ctx, 1, sizeof(RsModel));
	if (part != NULL)
		model->parts[model->n_parts++] = (RsPart){prefix, part};
	return part;
}

bool
rs_is_shared(const char *name)
{
	return strcmp(name, RS_POPULARITY) == 0 || strcmp(name, RS_POPULAR) == 0;
}

RsStatus
rs_model_share(RsContext *ctx, const RsModel *model, RsModel *part)
{
	RsStatus status = RS_OK;

	part->ids = model->ids;
	part->n_users = model->n_users;
	part->n_events = model->n_events;
	part->timed = model->timed;
	for (int i = 0; i < model->n_tensors && status == RS_OK; i++)
	{
		const RsTensor *t = &model->tensors[i];

		if (rs_is_shared(t->name))
			status = rs_model_add(ctx, part, t->name, t->dtype, t->dims, t->shape[0], t->shape[1],
								  t->data, false);
	}
	return status;
}

void
rs_model_free(RsContext *ctx, RsModel *model)
{
	for (int i = 0; i < model->n_parts; i++)
	{
		rs_model_free(ctx, model->parts[i].model);
		rs_free(ctx, model->parts[i].model);
	}
	for (int i = 0; i < model->n_owned; i++)
		rs_free(ctx, model->owned[i]);
	memset(model, 0, sizeof(*model));
}

RsStatus
rs_invalid_bytes(RsContext *ctx, const char *format, ...)
{
	va_list args;

	rs_fail(ctx, RS_ERR_BYTES, "invalid model");
	va_start(args, format);
	vsnprintf(ctx->detail, sizeof(ctx->detail), format, args);
	va_end(args);
	return RS_ERR_BYTES;
}

/* Sign of id number i minus the one looked for. */
static int
compare_id(const RsIds *ids, uint32_t i, const void *bytes, size_t length)
{
	int64_t start;
	size_t own;
	int order;

	if (ids->type == RS_ID_BIGINT)
	{
		int64_t wanted;

		memcpy(&wanted, bytes, sizeof(wanted));
		return (ids->bigints[i] > wanted) - (ids->bigints[i] < wanted);
	}
	if (ids->type == RS_ID_UUID)
		return memcmp(ids->uuids + (size_t) i * 16, bytes, 16);
	start = ids->text_start[i];
	own = (size_t) (ids->text_start[i + 1] - start);
	order = memcmp(ids->text + start, bytes, own < length ? own : length);
	return order != 0 ? order : (own > length) - (own < length);
}

int64_t
rs_ids_find(const RsIds *ids, const void *bytes, size_t length)
{
	uint32_t low = 0;
	uint32_t high = ids->n;

	if ((ids->type == RS_ID_BIGINT && length != 8) || (ids->type == RS_ID_UUID && length != 16))
		return -1;
	while (low < high)
	{
		uint32_t middle = low + (high - low) / 2;
		int order = compare_id(ids, middle, bytes, length);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}
