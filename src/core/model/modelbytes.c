/*
 * modelbytes.c
 *		Writing a model as bytes: a safetensors file, the same bytes each time.
 *
 *		+--------+-------------------------------+---------+---------+-----
 *		| u64 LE | JSON header, padded with      | tensor  | tensor  | ...
 *		| H      | spaces so that 8 | (8 + H)    | (I64)   | (F32..) | (U8)
 *		+--------+-------------------------------+---------+---------+-----
 *		0        8                               8 + H
 *
 *		{"__metadata__": {"format": "recsys", "format_version": "1",
 *		   "library_version", "algorithm", "options": "{\"factors\": 64, ...}",
 *		   "id_type": "bigint" | "uuid" | "text", "items", "users", "events",
 *		   "iterations", "loss": a number or "null"},          all strings
 *		 "item_ids": {"dtype": "I64", "shape": [n], "data_offsets": [b, e]}, ...}
 *
 * Item ids are the tensor item_ids (I64[n] or U8[n,16]) or the pair
 * item_ids.offsets (I64[n+1]) and item_ids.text (U8[total]).  Offsets count
 * from 8 + H.  safetensors forbids gaps, so tensors go by element size, largest
 * first: then each is aligned to its elements.  Any safetensors reader opens it.
 */
#include "core/model/modelbytes.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/model/algorithm.h"

#define PIECE ((uint64_t) 1 << 20) /* handed to the sink at a time */

const char *const rs_dtype_names[] = {"U8", "I32", "I64", "F32", NULL};
const char *const rs_id_type_names[] = {"bigint", "uuid", "text", NULL};

size_t
rs_dtype_size(RsDtype dtype)
{
	static const size_t sizes[] = {1, 4, 8, 4};

	return sizes[dtype];
}

static uint64_t
tensor_bytes(const RsTensor *tensor)
{
	uint64_t count = tensor->shape[0] * (tensor->dims == 2 ? tensor->shape[1] : 1);

	return count * rs_dtype_size(tensor->dtype);
}

static RsTensor
make_tensor(const char *name, RsDtype dtype, int dims, uint64_t rows, uint64_t columns,
			const void *data)
{
	RsTensor tensor = {name, dtype, dims, {rows, columns}, data};

	return tensor;
}

/* All tensors of the file in their order; how many. */
static int
file_tensors(const RsModel *model, RsTensor *out)
{
	const RsIds *ids = &model->ids;
	RsTensor all[RS_MAX_FILE_TENSORS];
	int n = 0;
	int placed = 0;

	switch (ids->type)
	{
		case RS_ID_BIGINT:
			all[n++] = make_tensor(RS_IDS_NAME, RS_I64, 1, ids->n, 1, ids->bigints);
			break;
		case RS_ID_UUID:
			all[n++] = make_tensor(RS_IDS_NAME, RS_U8, 2, ids->n, 16, ids->uuids);
			break;
		case RS_ID_TEXT:
			all[n++] = make_tensor(RS_ID_OFFSETS_NAME, RS_I64, 1, (uint64_t) ids->n + 1, 1,
								   ids->text_start);
			all[n++] = make_tensor(RS_ID_TEXT_NAME, RS_U8, 1, (uint64_t) ids->text_start[ids->n], 1,
								   ids->text);
			break;
	}
	for (int i = 0; i < model->n_tensors; i++)
		all[n++] = model->tensors[i];
	for (size_t size = 8; size >= 1; size /= 2)
		for (int i = 0; i < n; i++)
			if (rs_dtype_size(all[i].dtype) == size)
				out[placed++] = all[i];
	return placed;
}

/* A text that is counted, and kept as far as there is room. */
typedef struct Text
{
	char *buffer;
	size_t size;
	size_t used;
} Text;

static void __attribute__((format(printf, 2, 3))) put(Text *text, const char *format, ...)
{
	bool room = text->used < text->size;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(room ? text->buffer + text->used : NULL, room ? text->size - text->used : 0,
					   format, args);
	va_end(args);
	text->used += length > 0 ? (size_t) length : 0;
}

/* A member whose value is a string. */
static void
put_member(Text *text, const char *name, const char *value)
{
	put(text, ", \"%s\": \"", name);
	for (; *value != '\0'; value++)
		put(text, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	put(text, "\"");
}

static void
put_count(Text *text, const char *name, uint64_t value)
{
	put(text, ", \"%s\": \"%llu\"", name, (unsigned long long) value);
}

static void
put_metadata(Text *text, const RsModel *model)
{
	char options[RS_MAX_OPTIONS_TEXT];
	char loss[32] = "null";

	rs_options_json(&model->options, options, sizeof(options));
	if (isfinite(model->loss))
		snprintf(loss, sizeof(loss), "%.17g", model->loss);
	put(text, "{\"__metadata__\": {\"format\": \"recsys\", \"format_version\": \"%d\"",
		RS_FORMAT_VERSION);
	put_member(text, "library_version", RS_LIBRARY_VERSION);
	put_member(text, "algorithm", model->algorithm->name);
	put_member(text, "options", options);
	put_member(text, "id_type", rs_id_type_names[model->ids.type]);
	put_count(text, "items", model->ids.n);
	put_count(text, "users", model->n_users);
	put_count(text, "events", model->n_events);
	put_count(text, "iterations", model->iterations > 0 ? (uint64_t) model->iterations : 0);
	put_member(text, "loss", loss);
	put(text, "}");
}

/* The header with its padding; *data_bytes is what follows it. */
static void
put_header(Text *text, const RsModel *model, const RsTensor *tensors, int n, uint64_t *data_bytes)
{
	uint64_t offset = 0;

	put_metadata(text, model);
	for (int i = 0; i < n; i++)
	{
		const RsTensor *t = &tensors[i];
		uint64_t end = offset + tensor_bytes(t);

		put(text, ", \"%s\": {\"dtype\": \"%s\", \"shape\": [%llu", t->name,
			rs_dtype_names[t->dtype], (unsigned long long) t->shape[0]);
		if (t->dims == 2)
			put(text, ", %llu", (unsigned long long) t->shape[1]);
		put(text, "], \"data_offsets\": [%llu, %llu]}", (unsigned long long) offset,
			(unsigned long long) end);
		offset = end;
	}
	put(text, "}");
	while (text->used % 8 != 0)
		put(text, " ");
	*data_bytes = offset;
}

uint64_t
rs_model_size(const RsModel *model)
{
	RsTensor tensors[RS_MAX_FILE_TENSORS];
	int n = file_tensors(model, tensors);
	Text text = {NULL, 0, 0};
	uint64_t data_bytes;

	put_header(&text, model, tensors, n, &data_bytes);
	return 8 + text.used + data_bytes;
}

/* Hand bytes to the sink in pieces, asking for cancel between them. */
static RsStatus
send(RsContext *ctx, RsSink sink, void *opaque, const void *bytes, uint64_t length)
{
	const char *at = bytes;

	while (length > 0)
	{
		uint64_t piece = length < PIECE ? length : PIECE;

		if (rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (!sink(opaque, at, (size_t) piece))
			return rs_fail(ctx, RS_ERR_CANCELED, "writing the model was stopped");
		at += piece;
		length -= piece;
	}
	return RS_OK;
}

RsStatus
rs_model_write(RsContext *ctx, const RsModel *model, RsSink sink, void *opaque)
{
	RsTensor tensors[RS_MAX_FILE_TENSORS];
	int n = file_tensors(model, tensors);
	Text text = {NULL, 0, 0};
	uint64_t data_bytes;
	uint64_t header;
	RsStatus status;

	put_header(&text, model, tensors, n, &data_bytes);
	header = text.used;
	text.size = text.used + 1;
	text.used = 0;
	text.buffer = rs_alloc(ctx, text.size);
	if (text.buffer == NULL)
		return ctx->status;
	put_header(&text, model, tensors, n, &data_bytes);

	status = send(ctx, sink, opaque, &header, sizeof(header));
	if (status == RS_OK)
		status = send(ctx, sink, opaque, text.buffer, header);
	for (int i = 0; i < n && status == RS_OK; i++)
		status = send(ctx, sink, opaque, tensors[i].data, tensor_bytes(&tensors[i]));
	rs_free(ctx, text.buffer);
	return status;
}
