/*
 * encoder_spec.c
 *		Reading the spec of an encoder.
 *
 *	{"age": {"impute": "mean", "scale": "standard"}, "gender": {"encode": "one_hot"}}
 *	[{"column": "age", "impute": "mean"}, {"column": "gender", "encode": "one_hot"}]
 *
 * Columns keep the order in which they stand.
 */
#include "core/encoding/encoder_spec.h"

#include "core/base/json_read.h"

#include <string.h>

enum
{
	KEY_COLUMN,
	KEY_IMPUTE,
	KEY_VALUE,
	KEY_LOG,
	KEY_SCALE,
	KEY_DEVIATION,
	KEY_INTERPOLATE,
	KEY_BUCKETIZE,
	KEY_ENCODE,
	KEY_UNSEEN,
	KEY_DROP_LAST,
	KEY_SIZE,
	KEY_SEPARATOR,
	KEY_MIN_FREQUENCY,
	KEY_CENTER,
	KEY_ORDER
};

static const char *const keys[] = {
	"column",      "impute",        "value",  "log",    "scale",     "deviation",
	"interpolate", "bucketize",     "encode", "unseen", "drop_last", "size",
	"separator",   "min_frequency", "center", "order",  NULL};

static const char *const impute_words[] = {"none",          "mean",     "median",
										   "most_frequent", "constant", NULL};
static const char *const order_words[] = {"frequency", "alphabetical", NULL};
static const char *const deviation_words[] = {"sample", "population", NULL};

/* For what a key must be, in messages; by key. */
static const char *const wanted[] = {
	"the name of a column",
	"\"mean\", \"median\", \"most_frequent\" or \"constant\"",
	"a number, or a string where the column is encoded as categories",
	"true or false",
	"\"standard\", \"min_max\", \"max_abs\" or \"robust\"",
	"\"sample\" or \"population\"",
	"true or false",
	"a number of buckets from 2 to 10000, or an ascending array of at least three bounds",
	"\"one_hot\", \"index\", \"multi_hot\" or \"hash\"",
	"\"error\", \"keep\", \"ignore\" or \"skip\"",
	"true or false",
	"a number from 1 to 1000000",
	"a string of at least one character",
	"a number from 1",
	"true or false",
	"\"frequency\" or \"alphabetical\""};

#define MAX_BUCKETS 10000

typedef struct SpecReader
{
	RsContext *ctx;
	RsJson json;
	RsEncoder *encoder;
	RsColumnSpec *specs;
	uint32_t room; /* of specs */
	uint32_t seen; /* keys of the column, a bit each */
	bool text_value;
} SpecReader;

static RsStatus
bad_column(SpecReader *r, const RsColumn *column, const char *fault)
{
	return rs_fail(r->ctx, RS_ERR_PARAM, "column \"%.*s\" of the spec: %s",
				   column->name != NULL ? rs_text_shown(column->name, column->name_length) : 0,
				   column->name != NULL ? column->name : "", fault);
}

static RsStatus
not_a_spec(SpecReader *r)
{
	rs_fail(r->ctx, RS_ERR_PARAM,
			"spec must be a JSON object of columns, or an array of objects that name theirs");
	rs_hint(r->ctx, "For example: {\"age\": {\"impute\": \"mean\"}} or "
					"[{\"column\": \"age\", \"impute\": \"mean\"}].");
	return RS_ERR_PARAM;
}

static RsStatus
unknown_key(SpecReader *r, const RsColumn *column)
{
	char list[300] = "";
	RsBuffer text = {list, sizeof(list), 0};

	for (int i = 1; keys[i] != NULL; i++)
		rs_buffer_print(&text, "%s%s", i > 1 ? ", " : "", keys[i]);
	bad_column(r, column, "unrecognized step");
	rs_hint(r->ctx, "The steps are %s.", list);
	return RS_ERR_PARAM;
}

static bool
read_uint(RsJson *json, uint64_t min, uint64_t max, uint64_t *value)
{
	return rs_json_uint(json, value) && *value >= min && *value <= max;
}

static bool
read_word(RsJson *json, const char *const *words, int *word)
{
	*word = rs_json_peek(json) == '"' ? rs_json_word(json, words) : -1;
	return *word >= 0;
}

/* A key whose value is one of some words. */
static bool
read_choice(RsJson *json, int key, RsColumn *c, RsColumnSpec *s)
{
	int word = 0;
	bool ok;

	switch (key)
	{
		case KEY_IMPUTE:
			ok = read_word(json, impute_words, &word);
			s->impute = (RsImpute) word;
			return ok;
		case KEY_SCALE:
			ok = read_word(json, rs_scale_words, &word);
			c->scale = (RsScale) word;
			return ok;
		case KEY_DEVIATION:
			ok = read_word(json, deviation_words, &word);
			s->population = word == 1;
			return ok;
		case KEY_ENCODE:
			ok = read_word(json, rs_encode_words, &word);
			c->encode = (RsEncode) word;
			return ok;
		case KEY_ORDER:
			ok = read_word(json, order_words, &word);
			s->alphabetical = word == 1;
			return ok;
		default:
			ok = read_word(json, rs_unseen_words, &word);
			c->unseen = (RsUnseen) word;
			return ok;
	}
}

/* The value of one key; false if it is none of its kind. */
static bool
read_step(SpecReader *r, int key, RsColumn *c, RsColumnSpec *s)
{
	RsJson *json = &r->json;
	uint64_t number = 0;
	bool flag = true;
	bool ok;

	switch (key)
	{
		case KEY_COLUMN:
			c->name = rs_json_copy_text(r->ctx, json, &c->name_length);
			return c->name != NULL;
		case KEY_VALUE:
			r->text_value = rs_json_peek(json) == '"';
			if (!r->text_value)
				return rs_json_number(json, &c->impute_number);
			c->impute_text.data = rs_json_copy_text(r->ctx, json, &c->impute_text.length);
			return c->impute_text.data != NULL;
		case KEY_LOG:
			return rs_json_bool(json, &c->log);
		case KEY_INTERPOLATE:
			return rs_json_bool(json, &s->interpolate);
		case KEY_BUCKETIZE:
			if (rs_json_peek(json) != '[')
			{
				ok = read_uint(json, 2, MAX_BUCKETS, &number);
				s->buckets = (uint32_t) number;
				return ok;
			}
			c->splits = rs_json_bounds(r->ctx, json, &c->n_splits);
			return c->splits != NULL && rs_splits_ascend(c->splits, c->n_splits);
		case KEY_DROP_LAST:
			return rs_json_bool(json, &c->drop_last);
		case KEY_SIZE:
			ok = read_uint(json, 1, RS_MAX_ENCODER_WIDTH, &number);
			c->size = (uint32_t) number;
			return ok;
		case KEY_SEPARATOR:
			c->separator.data = rs_json_copy_text(r->ctx, json, &c->separator.length);
			return c->separator.data != NULL && c->separator.length > 0;
		case KEY_MIN_FREQUENCY:
			return read_uint(json, 1, INT64_MAX, &s->min_frequency);
		case KEY_CENTER:
			ok = rs_json_bool(json, &flag);
			s->uncentered = !flag;
			return ok;
		default:
			return read_choice(json, key, c, s);
	}
}

/* What a column's keys mean together. */
static RsStatus
settle_column(SpecReader *r, RsColumn *c, RsColumnSpec *s)
{
	uint32_t seen = r->seen;
	bool buckets = s->buckets > 0 || c->n_splits > 0;
	const char *fault = NULL;

	if (buckets && c->encode == RS_ENCODE_NONE)
		c->encode = RS_ENCODE_INDEX;
	if (c->encode == RS_ENCODE_HASH && (seen & 1u << KEY_UNSEEN) == 0)
		c->unseen = RS_UNSEEN_IGNORE; /* nothing is unseen but null, which Spark ignores too */
	c->number = c->encode == RS_ENCODE_NONE || buckets;
	c->imputed = s->impute != RS_IMPUTE_NONE;
	if (buckets && (c->encode == RS_ENCODE_MULTI_HOT || c->encode == RS_ENCODE_HASH))
		fault = "buckets are encoded by index or one_hot";
	else if (buckets && c->scale != RS_SCALE_NONE)
		fault = "scale and bucketize exclude each other";
	else if ((s->impute == RS_IMPUTE_CONSTANT) != ((seen & 1u << KEY_VALUE) != 0))
		fault = "impute \"constant\" and value belong together";
	else if (s->impute == RS_IMPUTE_CONSTANT && r->text_value == c->number)
		fault = c->number ? "value must be a number" : "value must be a string";
	else if ((s->impute == RS_IMPUTE_MEAN || s->impute == RS_IMPUTE_MEDIAN) && !c->number)
		fault = "impute by mean and median are for numbers, not for categories";
	else if ((seen & 1u << KEY_DEVIATION) != 0 && c->scale != RS_SCALE_STANDARD)
		fault = "deviation is for scale \"standard\"";
	else if ((seen & 1u << KEY_CENTER) != 0 && c->scale != RS_SCALE_STANDARD &&
			 c->scale != RS_SCALE_ROBUST)
		fault = "center is for scale \"standard\" and \"robust\"";
	else if (s->interpolate && s->impute != RS_IMPUTE_MEDIAN && s->buckets == 0 &&
			 c->scale != RS_SCALE_ROBUST)
		fault = "interpolate is for a median, scale \"robust\" and bucketize by quantiles";
	else if ((seen & (1u << KEY_MIN_FREQUENCY | 1u << KEY_ORDER)) != 0 &&
			 (c->number || c->encode == RS_ENCODE_HASH))
		fault = "min_frequency and order are for index, one_hot and multi_hot of categories";
	else
		fault = rs_column_fault(c);
	return fault == NULL ? RS_OK : bad_column(r, c, fault);
}

static RsStatus
read_steps(SpecReader *r, RsColumn *column, RsColumnSpec *spec, bool named)
{
	bool first = true;

	if (rs_json_peek(&r->json) != '{')
		return named ? bad_column(r, column, "its steps must be a JSON object") : not_a_spec(r);
	rs_json_take(&r->json, '{');
	while (rs_json_more(&r->json, '}', &first))
	{
		int key = rs_json_word(&r->json, keys);

		if (key < 0 || (key == KEY_COLUMN && named) || !rs_json_take(&r->json, ':'))
			return unknown_key(r, column);
		if ((r->seen & 1u << key) != 0)
			return bad_column(r, column, "a step is there twice");
		r->seen |= 1u << key;
		if (!read_step(r, key, column, spec))
		{
			if (r->ctx->status == RS_ERR_NOMEM || r->ctx->status == RS_ERR_LIMIT)
				return r->ctx->status;
			rs_fail(r->ctx, RS_ERR_PARAM, "column \"%.*s\" of the spec: \"%s\" must be %s",
					column->name != NULL ? rs_text_shown(column->name, column->name_length) : 0,
					column->name != NULL ? column->name : "", keys[key], wanted[key]);
			return RS_ERR_PARAM;
		}
	}
	if (column->name == NULL)
		return not_a_spec(r);
	if (r->json.failed)
		return bad_column(r, column, "its steps must be a JSON object");
	return settle_column(r, column, spec);
}

/* A column and what is to be fitted for it, or NULL. */
static RsColumn *
push(SpecReader *r, RsColumnSpec **spec)
{
	RsEncoder *encoder = r->encoder;

	if (encoder->n == r->room)
	{
		uint32_t room = r->room > 0 ? r->room * 2 : 8;
		RsColumnSpec *specs = rs_grow(r->ctx, r->specs, encoder->n * sizeof(RsColumnSpec),
									  room * sizeof(RsColumnSpec));

		if (specs == NULL)
			return NULL;
		r->specs = specs;
		r->room = room;
	}
	*spec = memset(&r->specs[encoder->n], 0, sizeof(RsColumnSpec));
	return rs_encoder_push(r->ctx, encoder);
}

static RsStatus
read_spec(SpecReader *r)
{
	bool named = rs_json_peek(&r->json) == '{';
	char close = named ? '}' : ']';
	bool first = true;

	if (!rs_json_take(&r->json, named ? '{' : '['))
		return not_a_spec(r);
	while (rs_json_more(&r->json, close, &first))
	{
		RsColumnSpec *spec;
		RsColumn *column;

		if (r->encoder->n == RS_MAX_ENCODER_COLUMNS)
			return rs_fail(r->ctx, RS_ERR_PARAM, "spec has more than %d columns",
						   RS_MAX_ENCODER_COLUMNS);
		if ((column = push(r, &spec)) == NULL)
			return r->ctx->status;
		r->seen = 0;
		r->text_value = false;
		if (named)
		{
			column->name = rs_json_copy_text(r->ctx, &r->json, &column->name_length);
			if (column->name == NULL)
				return r->ctx->status != RS_OK ? r->ctx->status : not_a_spec(r);
			rs_json_take(&r->json, ':');
		}
		if (read_steps(r, column, spec, named) != RS_OK)
			return r->ctx->status;
		if (column->name_length == 0)
			return rs_fail(r->ctx, RS_ERR_PARAM, "spec has a column without a name");
		if (rs_encoder_name_taken(r->encoder, r->encoder->n - 1))
			return bad_column(r, column, "it is there twice");
	}
	if (!rs_json_done(&r->json))
		return not_a_spec(r);
	if (r->encoder->n == 0)
		return rs_fail(r->ctx, RS_ERR_PARAM, "spec has no column");
	return RS_OK;
}

RsStatus
rs_encoder_spec(RsContext *ctx, const char *spec, size_t length, RsEncoder *encoder,
				RsColumnSpec **specs)
{
	SpecReader r = {.ctx = ctx, .json = {spec, spec + length, false}, .encoder = encoder};
	RsStatus status;

	ctx->status = RS_OK;
	status = read_spec(&r);
	*specs = r.specs;
	return status;
}
