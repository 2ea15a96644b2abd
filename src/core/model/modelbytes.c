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
 *		{"__metadata__": {"format": "recsys", "format_version": "2",
 *		   "library_version", "algorithm", "options": "{\"factors\": 64, ...}",
 *		   "id_type": "bigint" | "uuid" | "text", "items", "users", "events",
 *		   "timed": "true" | "false", "iterations", "loss": a number or "null"},
 *		                                                       all strings
 *		 "item_ids": {"dtype": "I64", "shape": [n], "data_offsets": [b, e]}, ...}
 *
 * Item ids are the tensor item_ids (I64[n] or U8[n,16]) or the pair
 * item_ids.offsets (I64[n+1]) and item_ids.text (U8[total]).  Offsets count
 * from 8 + H.  A part of a model adds "prefix.algorithm" and "prefix.options" to
 * the metadata and "prefix.name" for each of its tensors but those that it shares
 * (item_popularity and its order).
 *
 * safetensors forbids gaps, so tensors go by element size, largest first: then
 * each is aligned to its elements.  Among equals the longest goes first, and the
 * header is padded so that the longest of 4-byte elements, what a query reads,
 * begins at a multiple of 64.  Any safetensors reader opens it.
 */
#include "core/model/modelbytes.h"

#include "core/base/json_write.h"

#include <math.h>
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

static bool
goes_before(const RsTensor *a, const RsTensor *b)
{
	if (rs_dtype_size(a->dtype) != rs_dtype_size(b->dtype))
		return rs_dtype_size(a->dtype) > rs_dtype_size(b->dtype);
	return tensor_bytes(a) > tensor_bytes(b);
}

/* The tensors of a file in their order. */
typedef struct FileTensors
{
	int n;
	RsTensor tensor[RS_MAX_FILE_TENSORS];
	char part_name[RS_MAX_FILE_TENSORS][RS_MAX_NAME]; /* of tensors of parts, not in order */
} FileTensors;

static void
list_tensors(const RsModel *model, FileTensors *file)
{
	const RsIds *ids = &model->ids;
	RsTensor all[RS_MAX_FILE_TENSORS];
	int n = 0;

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
	for (int p = 0; p < model->n_parts; p++)
	{
		const RsModel *part = model->parts[p].model;

		for (int i = 0; i < part->n_tensors; i++)
		{
			if (rs_is_shared(part->tensors[i].name))
				continue;
			snprintf(file->part_name[n], RS_MAX_NAME, "%s.%s", model->parts[p].prefix,
					 part->tensors[i].name);
			all[n] = part->tensors[i];
			all[n].name = file->part_name[n];
			n++;
		}
	}
	for (int i = 0; i < n; i++)
	{
		int at = i;

		for (; at > 0 && goes_before(&all[i], &file->tensor[at - 1]); at--)
			file->tensor[at] = file->tensor[at - 1];
		file->tensor[at] = all[i];
	}
	file->n = n;
}

/* A member whose value is a string. */
static void
put_member(RsJsonOut *out, const char *name, const char *value)
{
	rs_json_put(out, ", ");
	rs_json_put_word(out, name);
	rs_json_put(out, ": ");
	rs_json_put_word(out, value);
}

static void
put_count(RsJsonOut *out, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long) value);
	put_member(out, name, text);
}

/* Algorithm and options of a model, or of a part under its prefix. */
static void
put_algorithm(RsJsonOut *out, const RsModel *model, const char *prefix)
{
	const char *dot = prefix[0] != '\0' ? "." : "";
	char options[RS_MAX_OPTIONS_TEXT];
	char name[RS_MAX_NAME];

	snprintf(name, sizeof(name), "%s%salgorithm", prefix, dot);
	put_member(out, name, model->algorithm->name);
	rs_options_json(&model->options, options, sizeof(options));
	snprintf(name, sizeof(name), "%s%soptions", prefix, dot);
	put_member(out, name, options);
}

static void
put_metadata(RsJsonOut *out, const RsModel *model)
{
	char loss[32] = "null";

	if (isfinite(model->loss))
		snprintf(loss, sizeof(loss), "%.17g", model->loss);
	rs_json_put(out, "{\"__metadata__\": {\"format\": \"recsys\"");
	put_count(out, "format_version", RS_FORMAT_VERSION);
	put_member(out, "library_version", RS_LIBRARY_VERSION);
	put_algorithm(out, model, "");
	put_member(out, "id_type", rs_id_type_names[model->ids.type]);
	put_count(out, "items", model->ids.n);
	put_count(out, "users", model->n_users);
	put_count(out, "events", model->n_events);
	put_member(out, "timed", model->timed ? "true" : "false");
	put_count(out, "iterations", model->iterations > 0 ? (uint64_t) model->iterations : 0);
	put_member(out, "loss", loss);
	for (int i = 0; i < model->n_parts; i++)
		put_algorithm(out, model->parts[i].model, model->parts[i].prefix);
	rs_json_put(out, "}");
}

/* A list of numbers, in brackets. */
static void
put_numbers(RsJsonOut *out, const char *before, const uint64_t *numbers, int n)
{
	for (int i = 0; i < n; i++)
	{
		rs_json_put(out, i == 0 ? before : ", ");
		rs_json_put_uint(out, numbers[i]);
	}
	rs_json_put(out, "]");
}

/* The header without its padding. */
static void
put_header(RsJsonOut *out, const RsModel *model, const FileTensors *file)
{
	uint64_t offsets[2] = {0, 0};

	put_metadata(out, model);
	for (int i = 0; i < file->n; i++)
	{
		const RsTensor *t = &file->tensor[i];

		offsets[0] = offsets[1];
		offsets[1] += tensor_bytes(t);
		rs_json_put(out, ", ");
		rs_json_put_word(out, t->name);
		rs_json_put(out, ": {\"dtype\": ");
		rs_json_put_word(out, rs_dtype_names[t->dtype]);
		put_numbers(out, ", \"shape\": [", t->shape, t->dims);
		put_numbers(out, ", \"data_offsets\": [", offsets, 2);
		rs_json_put(out, "}");
	}
	rs_json_put(out, "}");
}

/* Bytes of the header without its padding. */
static uint64_t
header_length(const RsModel *model, const FileTensors *file)
{
	RsBuffer counted = {NULL, 0, 0};
	RsJsonOut out;

	rs_json_out(&out, NULL, rs_buffer_keep, &counted);
	put_header(&out, model, file);
	rs_json_flush(&out);
	return counted.used;
}

/* A length of the header with which the first tensor of 4-byte elements, behind
 * those of 8, begins at a multiple of 64. */
static uint64_t
padded(uint64_t length, const FileTensors *file)
{
	uint64_t before = 8;

	for (int i = 0; i < file->n && rs_dtype_size(file->tensor[i].dtype) == 8; i++)
		before += tensor_bytes(&file->tensor[i]);
	return (before + length + 63) / 64 * 64 - before;
}

uint64_t
rs_model_size(const RsModel *model)
{
	FileTensors file;
	uint64_t size;

	list_tensors(model, &file);
	size = 8 + padded(header_length(model, &file), &file);
	for (int i = 0; i < file.n; i++)
		size += tensor_bytes(&file.tensor[i]);
	return size;
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
	FileTensors file;
	RsJsonOut out;
	uint64_t length;
	uint64_t header;
	RsStatus status;

	list_tensors(model, &file);
	length = header_length(model, &file);
	header = padded(length, &file);
	status = send(ctx, sink, opaque, &header, sizeof(header));
	if (status != RS_OK)
		return status;
	rs_json_out(&out, ctx, sink, opaque);
	put_header(&out, model, &file);
	for (; length < header; length++)
		rs_json_put(&out, " ");
	status = rs_json_flush(&out);
	for (int i = 0; i < file.n && status == RS_OK; i++)
		status = send(ctx, sink, opaque, file.tensor[i].data, tensor_bytes(&file.tensor[i]));
	return status;
}
