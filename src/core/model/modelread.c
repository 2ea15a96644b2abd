/*
 * modelread.c
 *		Reading model bytes that may come from anyone (drawn in modelbytes.c).
 *
 * Order of proof: the header's length against the bytes, the header against a
 * fixed grammar, every tensor's size against its shape and all tensors against
 * the data (together they cover it exactly once), and only then the values.
 * Nothing is allocated but the tensors' names, a fixed size; tensors are read
 * where they stand, which is why each must be aligned to its elements.
 */
#include "core/model/modelread.h"

#include <math.h>
#include <string.h>

#include "core/model/algorithm.h"
#include "core/model/derived.h"
#include "core/model/modelbytes.h"
#include "core/model/modelmeta.h"

#define POLL_EVERY 1048576 /* elements between two questions for cancel */

typedef struct Entry
{
	char name[RS_MAX_NAME];
	RsDtype dtype;
	int dims;
	uint64_t shape[2];
	uint64_t begin; /* in the data */
	uint64_t end;
} Entry;

typedef struct Reader
{
	RsContext *ctx;
	const RsAlgorithm *const *table;
	RsModel *model;
	RsJson json;
	const uint8_t *data; /* what follows the header */
	uint64_t data_length;
	bool trusted; /* the numbers were looked at before */
	int n;
	Entry entries[RS_MAX_FILE_TENSORS];
} Reader;

/* [a] or [a, b]: how many numbers, or 0. */
static int
read_numbers(RsJson *json, uint64_t out[2])
{
	bool first = true;
	int n = 0;

	rs_json_take(json, '[');
	while (rs_json_more(json, ']', &first))
	{
		if (n == 2 || !rs_json_uint(json, &out[n]))
			return 0;
		n++;
	}
	return json->failed ? 0 : n;
}

/* {"dtype": ..., "shape": ..., "data_offsets": ...} in any order. */
static bool
read_entry(RsJson *json, Entry *entry)
{
	static const char *const keys[] = {"dtype", "shape", "data_offsets", NULL};
	char word[RS_MAX_NAME];
	uint64_t offsets[2] = {0, 0};
	uint32_t seen = 0;
	bool first = true;

	entry->shape[1] = 1;
	rs_json_take(json, '{');
	while (rs_json_more(json, '}', &first))
	{
		int key;
		int dtype;

		if (!rs_json_string(json, word, sizeof(word)) || !rs_json_take(json, ':'))
			return false;
		key = rs_find_word(keys, word);
		if (key < 0 || (seen & (1u << key)))
			return false;
		seen |= 1u << key;
		if (key == 0)
		{
			if (!rs_json_string(json, word, sizeof(word)))
				return false;
			dtype = rs_find_word(rs_dtype_names, word);
			if (dtype < 0)
				return false;
			entry->dtype = (RsDtype) dtype;
		}
		else if (key == 1)
			entry->dims = read_numbers(json, entry->shape);
		else if (read_numbers(json, offsets) != 2)
			return false;
	}
	entry->begin = offsets[0];
	entry->end = offsets[1];
	return !json->failed && seen == 7 && entry->dims > 0;
}

/* Is the size what shape and dtype say, inside the data, and aligned? */
static bool
entry_fits(const Reader *r, const Entry *entry)
{
	uint64_t size;

	if (__builtin_mul_overflow(entry->shape[0], entry->shape[1], &size) ||
		__builtin_mul_overflow(size, (uint64_t) rs_dtype_size(entry->dtype), &size))
		return false;
	return entry->begin <= entry->end && entry->end <= r->data_length &&
		   entry->end - entry->begin == size && entry->begin % rs_dtype_size(entry->dtype) == 0;
}

static const Entry *
find_entry(const Reader *r, const char *name)
{
	for (int i = 0; i < r->n; i++)
		if (strcmp(r->entries[i].name, name) == 0)
			return &r->entries[i];
	return NULL;
}

/* The whole header: metadata first, as every writer has it, then the tensors. */
static RsStatus
read_header(Reader *r)
{
	char name[RS_MAX_NAME];
	bool first = true;

	if (!rs_json_take(&r->json, '{') || !rs_json_string(&r->json, name, sizeof(name)) ||
		strcmp(name, "__metadata__") != 0 || !rs_json_take(&r->json, ':'))
		return rs_invalid_bytes(r->ctx, "It does not begin as a safetensors file with metadata.");
	if (rs_model_read_metadata(r->ctx, r->table, &r->json, r->model) != RS_OK)
		return r->ctx->status;
	first = false;
	while (rs_json_more(&r->json, '}', &first))
	{
		Entry *entry = &r->entries[r->n];

		if (!rs_json_string(&r->json, name, sizeof(name)) || !rs_json_take(&r->json, ':'))
			break;
		if (r->n == RS_MAX_FILE_TENSORS)
			return rs_invalid_bytes(r->ctx, "It has too many tensors.");
		if (find_entry(r, name) != NULL)
			return rs_invalid_bytes(r->ctx, "Tensor \"%s\" is there twice.", name);
		if (!read_entry(&r->json, entry) || !entry_fits(r, entry))
			return rs_invalid_bytes(r->ctx, "Tensor \"%s\" is not described as it must be.", name);
		memcpy(entry->name, name, sizeof(name));
		r->n++;
	}
	if (!rs_json_done(&r->json))
		return rs_invalid_bytes(r->ctx, "The header is not valid JSON of the expected form.");
	return RS_OK;
}

/* Do the tensors cover the data, each byte once? */
static RsStatus
check_cover(Reader *r)
{
	uint64_t covered = 0;

	for (int i = 0; i < r->n; i++)
	{
		Entry entry = r->entries[i];
		int at = i;

		for (; at > 0 &&
			   (r->entries[at - 1].begin > entry.begin ||
				(r->entries[at - 1].begin == entry.begin && r->entries[at - 1].end > entry.end));
			 at--)
			r->entries[at] = r->entries[at - 1];
		r->entries[at] = entry;
	}
	for (int i = 0; i < r->n; i++)
	{
		if (r->entries[i].begin != covered)
			return rs_invalid_bytes(r->ctx, "Tensor \"%s\" leaves a gap or overlaps another.",
									r->entries[i].name);
		covered = r->entries[i].end;
	}
	if (covered != r->data_length)
		return rs_invalid_bytes(r->ctx, "Bytes follow the last tensor.");
	return RS_OK;
}

/* The data of a tensor for the ids, which must be of this form; NULL if not. */
static const void *
id_data(const Reader *r, const char *name, RsDtype dtype, int dims, uint64_t rows, uint64_t columns)
{
	const Entry *entry = find_entry(r, name);

	if (entry == NULL || entry->dtype != dtype || entry->dims != dims || entry->shape[0] != rows ||
		entry->shape[1] != columns)
	{
		rs_invalid_bytes(r->ctx, "Tensor \"%s\" is missing or of the wrong shape.", name);
		return NULL;
	}
	return r->data + entry->begin;
}

/* Offsets from 0 to the length of the text, never falling. */
static RsStatus
read_text_ids(Reader *r, RsIds *ids)
{
	const Entry *text = find_entry(r, RS_ID_TEXT_NAME);
	const int64_t *start;

	ids->text_start = start = id_data(r, RS_ID_OFFSETS_NAME, RS_I64, 1, (uint64_t) ids->n + 1, 1);
	if (start == NULL)
		return r->ctx->status;
	ids->text = id_data(r, RS_ID_TEXT_NAME, RS_U8, 1, text != NULL ? text->shape[0] : 0, 1);
	if (ids->text == NULL)
		return r->ctx->status;
	if (r->trusted)
		return RS_OK;
	if (start[0] != 0 || start[ids->n] < 0 || (uint64_t) start[ids->n] != text->shape[0])
		return rs_invalid_bytes(r->ctx, "The offsets of the item ids do not fit their text.");
	for (uint32_t i = 0; i < ids->n; i++)
		if (start[i] > start[i + 1])
			return rs_invalid_bytes(r->ctx, "The offsets of the item ids do not ascend.");
	if (memchr(ids->text, '\0', (size_t) text->shape[0]) != NULL)
		return rs_invalid_bytes(r->ctx, "An item id has a zero byte.");
	return RS_OK;
}

/* Is id i + 1 above id i? */
static bool
ascends(const RsIds *ids, uint32_t i)
{
	const int64_t *start;
	int64_t a;
	int64_t b;
	int order;

	if (ids->type == RS_ID_BIGINT)
		return ids->bigints[i] < ids->bigints[i + 1];
	if (ids->type == RS_ID_UUID)
		return memcmp(ids->uuids + (size_t) i * 16, ids->uuids + (size_t) i * 16 + 16, 16) < 0;
	start = ids->text_start + i;
	a = start[1] - start[0];
	b = start[2] - start[1];
	order = memcmp(ids->text + start[0], ids->text + start[1], (size_t) (a < b ? a : b));
	return order < 0 || (order == 0 && a < b);
}

static RsStatus
read_ids(Reader *r)
{
	RsIds *ids = &r->model->ids;
	RsStatus status = RS_OK;

	if (ids->type == RS_ID_BIGINT)
		ids->bigints = id_data(r, RS_IDS_NAME, RS_I64, 1, ids->n, 1);
	else if (ids->type == RS_ID_UUID)
		ids->uuids = id_data(r, RS_IDS_NAME, RS_U8, 2, ids->n, 16);
	else
		status = read_text_ids(r, ids);
	if (status != RS_OK || (ids->bigints == NULL && ids->uuids == NULL && ids->text_start == NULL))
		return r->ctx->status;
	for (uint32_t i = 0; !r->trusted && i + 1 < ids->n; i++)
	{
		if (i % POLL_EVERY == 0 && rs_check_interrupt(r->ctx) != RS_OK)
			return r->ctx->status;
		if (!ascends(ids, i))
			return rs_invalid_bytes(r->ctx, "The item ids are not in strictly ascending order.");
	}
	return RS_OK;
}

/* No NaN and no infinity; for item_popularity nothing below 0 either. */
static RsStatus
check_floats(RsContext *ctx, const RsTensor *tensor)
{
	const float *value = tensor->data;
	uint64_t n = tensor->shape[0] * tensor->shape[1];
	bool popularity = strcmp(tensor->name, RS_POPULARITY) == 0;

	for (uint64_t begin = 0; begin < n; begin += POLL_EVERY)
	{
		uint64_t end = n - begin < POLL_EVERY ? n : begin + POLL_EVERY;
		bool good = true;

		if (rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		for (uint64_t i = begin; i < end; i++)
			good &= fabsf(value[i]) < INFINITY;
		for (uint64_t i = begin; popularity && i < end; i++)
			good &= value[i] >= 0;
		if (!good)
			return rs_invalid_bytes(ctx, "Tensor \"%s\" has a value that is not allowed.",
									tensor->name);
	}
	return RS_OK;
}

/* The part whose prefix a tensor's name has, and the rest of the name; or the model. */
static RsModel *
owner_of(RsModel *model, const char **name)
{
	for (int i = 0; i < model->n_parts; i++)
	{
		size_t length = strlen(model->parts[i].prefix);

		if (strncmp(*name, model->parts[i].prefix, length) == 0 && (*name)[length] == '.')
		{
			*name += length + 1;
			return model->parts[i].model;
		}
	}
	return model;
}

/* Every tensor that is not the ids' becomes one of the model's, or of a part's. */
static RsStatus
read_tensors(Reader *r)
{
	RsModel *model = r->model;
	bool text = model->ids.type == RS_ID_TEXT;
	char(*names)[RS_MAX_NAME] = rs_alloc(r->ctx, RS_MAX_FILE_TENSORS * sizeof(*names));

	if (names == NULL)
		return r->ctx->status;
	model->owned[model->n_owned++] = names;
	for (int i = 0; i < r->n; i++)
	{
		const Entry *entry = &r->entries[i];
		const char *name;
		RsModel *owner;
		bool is_id = text ? strcmp(entry->name, RS_ID_OFFSETS_NAME) == 0 ||
								strcmp(entry->name, RS_ID_TEXT_NAME) == 0
						  : strcmp(entry->name, RS_IDS_NAME) == 0;

		if (is_id)
			continue;
		memcpy(names[i], entry->name, sizeof(names[i]));
		name = names[i];
		owner = owner_of(model, &name);
		if (owner != model && rs_is_shared(name))
			return rs_invalid_bytes(r->ctx, "Tensor \"%s\" is unknown.", names[i]);
		if (rs_model_add(r->ctx, owner, name, entry->dtype, entry->dims, entry->shape[0],
						 entry->shape[1], r->data + entry->begin, false) != RS_OK)
			return rs_invalid_bytes(r->ctx, "It has too many tensors.");
		/* those of the factors are looked at with their norms */
		if (entry->dtype == RS_F32 && !r->trusted && strcmp(name, RS_FACTORS) != 0 &&
			check_floats(r->ctx, &owner->tensors[owner->n_tensors - 1]) != RS_OK)
			return r->ctx->status;
	}
	for (int i = 0; i < model->n_parts; i++)
		if (rs_model_share(r->ctx, model, model->parts[i].model) != RS_OK)
			return rs_invalid_bytes(r->ctx, "It has too many tensors.");
	return RS_OK;
}

static RsStatus
read_all(Reader *r, const uint8_t *bytes, uint64_t length)
{
	uint64_t header;

	if (length < 8)
		return rs_invalid_bytes(r->ctx, "It is too short.");
	memcpy(&header, bytes, sizeof(header));
	if (header > length - 8 || header > RS_MAX_HEADER || header % 8 != 0)
		return rs_invalid_bytes(r->ctx, "The length of its header cannot be right.");
	r->json.at = (const char *) bytes + 8;
	r->json.end = r->json.at + header;
	r->data = bytes + 8 + header;
	r->data_length = length - 8 - header;
	if (read_header(r) != RS_OK || check_cover(r) != RS_OK || read_ids(r) != RS_OK ||
		read_tensors(r) != RS_OK)
		return r->ctx->status;
	return r->trusted ? RS_OK : rs_model_check(r->ctx, r->model);
}

static RsStatus
read_model(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes, uint64_t length,
		   bool trusted, RsModel *model)
{
	Reader r;
	RsStatus status;

	memset(model, 0, sizeof(*model));
	if ((uintptr_t) bytes % 8 != 0)
		return rs_fail(ctx, RS_ERR_PARAM, "model bytes are not aligned to 8 bytes");
	memset(&r, 0, sizeof(r));
	r.ctx = ctx;
	r.table = table;
	r.model = model;
	r.trusted = trusted;
	status = read_all(&r, bytes, length);
	if (status != RS_OK)
		rs_model_free(ctx, model);
	return status;
}

RsStatus
rs_model_read(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes, uint64_t length,
			  RsModel *model)
{
	return read_model(ctx, table, bytes, length, false, model);
}

RsStatus
rs_model_read_trusted(RsContext *ctx, const RsAlgorithm *const *table, const void *bytes,
					  uint64_t length, RsModel *model)
{
	return read_model(ctx, table, bytes, length, true, model);
}
