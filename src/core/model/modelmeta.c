/*
 * modelmeta.c
 *		Reading a model file's metadata and options (drawn in modelbytes.c).
 *
 * The values are strings from anyone: each known key once and none other, each
 * value in its range.  Keys of parts, "prefix.algorithm" and "prefix.options", are
 * read once the algorithm is known, which names the prefixes.  Another format
 * version is told from a broken file, even
 * where it has keys that are unknown here.
 */
#include "core/model/modelmeta.h"

#include <math.h>
#include <string.h>

#include "core/model/algorithm.h"
#include "core/model/modelbytes.h"

typedef struct Metadata
{
	RsContext *ctx;
	const RsAlgorithm *const *table;
	RsModel *model;
	RsJson members; /* where they begin */
	uint32_t seen;  /* keys, a bit each */
	int bad;        /* first key without a valid value, or -1 */
	uint64_t version;
	bool is_recsys;
	char unknown[RS_MAX_NAME];
	char options[RS_MAX_OPTIONS_TEXT];
} Metadata;

/* Whole text as a count. */
static bool
parse_count(const char *text, uint64_t max, uint64_t *value)
{
	RsJson json = {text, text + strlen(text), false};

	return text[0] != ' ' && rs_json_uint(&json, value) && json.at == json.end && *value <= max;
}

static bool
parse_loss(const char *text, double *loss)
{
	RsJson json = {text, text + strlen(text), false};

	if (strcmp(text, "null") == 0)
	{
		*loss = NAN;
		return true;
	}
	return text[0] != ' ' && rs_json_number(&json, loss) && json.at == json.end;
}

enum
{
	KEY_FORMAT,
	KEY_VERSION,
	KEY_LIBRARY,
	KEY_ALGORITHM,
	KEY_OPTIONS,
	KEY_ID_TYPE,
	KEY_ITEMS,
	KEY_USERS,
	KEY_EVENTS,
	KEY_TIMED,
	KEY_ITERATIONS,
	KEY_LOSS,
	KEY_COUNT
};

static const char *const keys[] = {
	"format", "format_version", "library_version", "algorithm",  "options", "id_type", "items",
	"users",  "events",         "timed",           "iterations", "loss",    NULL};

/* Take the value of one known key; options keep for later. */
static bool
metadata_value(Metadata *r, int key, const char *value)
{
	RsModel *model = r->model;
	uint64_t count = 0;
	int word;

	switch (key)
	{
		case KEY_FORMAT:
			r->is_recsys = strcmp(value, "recsys") == 0;
			return true;
		case KEY_VERSION:
			if (!parse_count(value, UINT32_MAX, &count) || count == 0)
				return false;
			r->version = count;
			return true;
		case KEY_ALGORITHM:
			model->algorithm = rs_algorithm_find(r->table, value);
			return model->algorithm != NULL;
		case KEY_OPTIONS:
			memcpy(r->options, value, strlen(value) + 1);
			return true;
		case KEY_ID_TYPE:
			word = rs_find_word(rs_id_type_names, value);
			model->ids.type = (RsIdType) (word < 0 ? 0 : word);
			return word >= 0;
		case KEY_ITEMS:
			if (!parse_count(value, RS_MAX_ITEMS, &count) || count == 0)
				return false;
			model->ids.n = (uint32_t) count;
			return true;
		case KEY_USERS:
			return parse_count(value, UINT32_MAX, &model->n_users);
		case KEY_EVENTS:
			return parse_count(value, INT64_MAX, &model->n_events);
		case KEY_TIMED:
			model->timed = strcmp(value, "true") == 0;
			return model->timed || strcmp(value, "false") == 0;
		case KEY_ITERATIONS:
			if (!parse_count(value, 1000000, &count))
				return false;
			model->iterations = (int) count;
			return true;
		case KEY_LOSS:
			return parse_loss(value, &model->loss);
		default: /* library_version: any text */
			return true;
	}
}

/* {"key": "value", ...}.  What is wrong with a value matters only after the
 * version is known. */
static RsStatus
read_members(Metadata *r, RsJson *json)
{
	bool first = true;
	char name[RS_MAX_NAME];
	char value[RS_MAX_OPTIONS_TEXT];

	rs_json_take(json, '{');
	r->members = *json;
	while (rs_json_more(json, '}', &first))
	{
		int key;

		if (!rs_json_string(json, name, sizeof(name)) || !rs_json_take(json, ':') ||
			!rs_json_string(json, value, sizeof(value)))
			break;
		if (strchr(name, '.') != NULL)
			continue; /* of a part */
		key = rs_find_word(keys, name);
		if (key < 0)
		{
			memcpy(r->unknown, name, sizeof(name));
			continue;
		}
		if (r->seen & (1u << key))
			return rs_invalid_bytes(r->ctx, "Metadata \"%s\" is there twice.", name);
		r->seen |= 1u << key;
		if (!metadata_value(r, key, value) && r->bad < 0)
			r->bad = key;
	}
	if (json->failed)
		return rs_invalid_bytes(r->ctx, "The metadata is not a JSON object of strings.");
	return RS_OK;
}

static RsStatus
bad_value(RsContext *ctx, const char *key)
{
	return rs_invalid_bytes(ctx, "Metadata \"%s\" has no valid value.", key);
}

static RsStatus
check_members(Metadata *r)
{
	RsContext *ctx = r->ctx;

	if (!r->is_recsys)
		return rs_invalid_bytes(ctx, "It is a safetensors file but not of format \"recsys\".");
	if (r->version != RS_FORMAT_VERSION && r->version != 0)
	{
		rs_fail(ctx, RS_ERR_VERSION, "model is of another format version");
		rs_detail(ctx, "The model has format version %llu, this library reads %d.",
				  (unsigned long long) r->version, RS_FORMAT_VERSION);
		rs_hint(ctx, "Update the extension recsys, or train the model again.");
		return RS_ERR_VERSION;
	}
	if (r->bad >= 0)
		return bad_value(ctx, keys[r->bad]);
	if (r->unknown[0] != '\0')
		return rs_invalid_bytes(ctx, "Metadata \"%s\" is unknown.", r->unknown);
	for (int key = 0; key < KEY_COUNT; key++)
		if (!(r->seen & (1u << key)))
			return rs_invalid_bytes(ctx, "Metadata \"%s\" is missing.", keys[key]);
	return RS_OK;
}

/* A value of the options that is an array of numbers. */
static RsStatus
read_list_option(RsContext *ctx, RsOptions *options, RsJson *json, const char *name)
{
	double numbers[RS_MAX_LIST];
	bool first = true;
	int n = 0;

	rs_json_take(json, '[');
	while (rs_json_more(json, ']', &first))
	{
		if (n == RS_MAX_LIST || !rs_json_number(json, &numbers[n]))
			return rs_invalid_bytes(ctx, "Option \"%s\" is not a value.", name);
		n++;
	}
	if (json->failed)
		return rs_invalid_bytes(ctx, "Option \"%s\" is not a value.", name);
	if (rs_options_set_list(ctx, options, name, numbers, n) != RS_OK)
		return rs_invalid_bytes(ctx, "Option \"%s\" is unknown or out of its range.", name);
	return RS_OK;
}

/* One value of the options; its kind is what it looks like. */
static RsStatus
read_option(RsContext *ctx, RsOptions *options, RsJson *json, const char *name)
{
	RsOptionKind kind = RS_OPTION_REAL;
	char word[RS_MAX_NAME];
	double number = 0;
	bool flag = false;
	char c = rs_json_peek(json);

	word[0] = '\0';
	if (c == '[')
		return read_list_option(ctx, options, json, name);
	if (c == '"')
	{
		kind = RS_OPTION_ENUM;
		rs_json_string(json, word, sizeof(word));
	}
	else if (c == 't' || c == 'f')
	{
		kind = RS_OPTION_BOOL;
		rs_json_bool(json, &flag);
		number = flag ? 1 : 0;
	}
	else
		rs_json_number(json, &number);
	if (json->failed)
		return rs_invalid_bytes(ctx, "Option \"%s\" is not a value.", name);
	if (rs_options_set(ctx, options, name, kind, number, word) != RS_OK)
		return rs_invalid_bytes(ctx, "Option \"%s\" is unknown or out of its range.", name);
	return RS_OK;
}

/* All options of the model's algorithm, each once. */
static RsStatus
read_options(RsContext *ctx, const char *text, RsModel *model)
{
	const RsOption *table = model->algorithm->options;
	RsJson json = {text, text + strlen(text), false};
	char name[RS_MAX_NAME];
	bool first = true;
	uint32_t seen = 0;

	rs_options_default(&model->options, table);
	rs_json_take(&json, '{');
	while (rs_json_more(&json, '}', &first))
	{
		int i = 0;

		if (!rs_json_string(&json, name, sizeof(name)) || !rs_json_take(&json, ':'))
			break;
		if (read_option(ctx, &model->options, &json, name) != RS_OK)
			return ctx->status;
		while (strcmp(table[i].name, name) != 0)
			i++;
		if (seen & (1u << i))
			return rs_invalid_bytes(ctx, "Option \"%s\" is there twice.", name);
		seen |= 1u << i;
	}
	if (!rs_json_done(&json))
		return rs_invalid_bytes(ctx, "The options are not a JSON object.");
	for (int i = 0; table[i].name != NULL; i++)
		if (!(seen & (1u << i)))
			return rs_invalid_bytes(ctx, "Option \"%s\" is missing.", table[i].name);
	return RS_OK;
}

/* --- parts --- */

/* One member of a part: its algorithm, or, in a second pass, its options. */
static RsStatus
part_member(Metadata *r, const char *name, const char *value, bool options)
{
	const char *const *prefix = r->model->algorithm->parts;
	const char *dot = strrchr(name, '.');
	bool is_options = strcmp(dot, ".options") == 0;
	RsModel *part;

	while (prefix != NULL && *prefix != NULL &&
		   (strlen(*prefix) != (size_t) (dot - name) ||
			strncmp(*prefix, name, (size_t) (dot - name)) != 0))
		prefix++;
	if (prefix == NULL || *prefix == NULL || (!is_options && strcmp(dot, ".algorithm") != 0))
		return rs_invalid_bytes(r->ctx, "Metadata \"%s\" is unknown.", name);
	if (is_options != options)
		return RS_OK;
	part = rs_model_part(r->model, *prefix);
	if (options ? part != NULL && part->options.table != NULL : part != NULL)
		return rs_invalid_bytes(r->ctx, "Metadata \"%s\" is there twice.", name);
	if (!options)
	{
		part = rs_model_add_part(r->ctx, r->model, *prefix);
		if (part == NULL)
			return r->ctx->status;
		part->loss = NAN;
		part->algorithm = rs_algorithm_find(r->table, value);
		return part->algorithm != NULL ? RS_OK : bad_value(r->ctx, name);
	}
	return part != NULL ? read_options(r->ctx, value, part) : RS_OK;
}

/* The members of parts, as they were read before. */
static RsStatus
read_parts(Metadata *r, bool options)
{
	RsJson json = r->members;
	bool first = true;
	char name[RS_MAX_NAME];
	char value[RS_MAX_OPTIONS_TEXT];

	while (rs_json_more(&json, '}', &first))
	{
		rs_json_string(&json, name, sizeof(name));
		rs_json_take(&json, ':');
		rs_json_string(&json, value, sizeof(value));
		if (strchr(name, '.') != NULL && part_member(r, name, value, options) != RS_OK)
			return r->ctx->status;
	}
	for (int i = 0; options && i < r->model->n_parts; i++)
		if (r->model->parts[i].model->options.table == NULL)
			return rs_invalid_bytes(r->ctx, "Metadata \"%s.options\" is missing.",
									r->model->parts[i].prefix);
	return RS_OK;
}

RsStatus
rs_model_read_metadata(RsContext *ctx, const RsAlgorithm *const *table, RsJson *json,
					   RsModel *model)
{
	Metadata r;
	RsStatus status;

	memset(&r, 0, sizeof(r));
	r.ctx = ctx;
	r.table = table;
	r.model = model;
	r.bad = -1;
	status = read_members(&r, json);
	if (status == RS_OK)
		status = check_members(&r);
	if (status == RS_OK)
		status = read_options(ctx, r.options, model);
	if (status == RS_OK)
		status = read_parts(&r, false);
	if (status == RS_OK)
		status = read_parts(&r, true);
	return status;
}
