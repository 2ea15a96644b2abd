/*
 * encoder_bytes.c
 *		An encoder as bytes: one JSON object, in one canonical form.
 *
 *	{"recsys_encoder": 1, "rows": 6040, "columns": [
 *	 {"column": "age", "impute": 31.5, "scale": "standard", "center": 30.6, "divisor": 12.9,
 *	  "unseen": "error"},
 *	 {"column": "gender", "encode": "one_hot", "unseen": "error", "categories": ["M", "F"],
 *	  "counts": [4331, 1709]}, ...]}
 *
 * Keys stand in this order; those that say nothing are left out.  What is read
 * may come from anyone: each key at most once and no other, every number in its
 * range, categories distinct, and steps that go together.
 */
#include "core/encoding/encoder_bytes.h"

#include "core/base/json_read.h"
#include "core/base/json_write.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENCODER_VERSION 1

enum
{
	KEY_COLUMN,
	KEY_IMPUTE,
	KEY_LOG,
	KEY_SCALE,
	KEY_CENTER,
	KEY_DIVISOR,
	KEY_SPLITS,
	KEY_ENCODE,
	KEY_UNSEEN,
	KEY_DROP_LAST,
	KEY_SEPARATOR,
	KEY_SIZE,
	KEY_CATEGORIES,
	KEY_COUNTS
};

static const char *const keys[] = {"column",    "impute", "log",        "scale",  "center",
								   "divisor",   "splits", "encode",     "unseen", "drop_last",
								   "separator", "size",   "categories", "counts", NULL};

/* --- reading --- */

static RsStatus __attribute__((format(printf, 2, 3)))
invalid(RsContext *ctx, const char *format, ...)
{
	va_list args;

	if (ctx->status == RS_ERR_NOMEM || ctx->status == RS_ERR_LIMIT)
		return ctx->status;
	rs_fail(ctx, RS_ERR_BYTES, "invalid encoder");
	va_start(args, format);
	vsnprintf(ctx->detail, sizeof(ctx->detail), format, args);
	va_end(args);
	return RS_ERR_BYTES;
}

static bool
read_counts(RsJson *json, RsVocabulary *v)
{
	bool first = true;
	uint32_t n = 0;

	rs_json_take(json, '[');
	while (rs_json_more(json, ']', &first))
	{
		uint64_t count;

		if (n == v->n || !rs_json_uint(json, &count) || count == 0 || count > INT64_MAX)
			return false;
		v->count[n++] = count;
	}
	return !json->failed && n == v->n;
}

static bool
read_word(RsJson *json, const char *const *words, int *word)
{
	*word = rs_json_word(json, words);
	return *word >= 0;
}

/* One value of a column; false if it is none of its kind. */
static bool
read_value(RsContext *ctx, RsJson *json, int key, RsColumn *c, bool *imputed_text)
{
	uint64_t size;
	int word = 0;

	switch (key)
	{
		case KEY_COLUMN:
			c->name = rs_json_copy_text(ctx, json, &c->name_length);
			return c->name != NULL && c->name_length > 0;
		case KEY_IMPUTE:
			c->imputed = true;
			*imputed_text = rs_json_peek(json) == '"';
			if (!*imputed_text)
				return rs_json_number(json, &c->impute_number);
			c->impute_text.data = rs_json_copy_text(ctx, json, &c->impute_text.length);
			return c->impute_text.data != NULL;
		case KEY_LOG:
			return rs_json_bool(json, &c->log);
		case KEY_SCALE:
			if (!read_word(json, rs_scale_words, &word))
				return false;
			c->scale = (RsScale) word;
			return c->scale != RS_SCALE_NONE;
		case KEY_CENTER:
			return rs_json_number(json, &c->center);
		case KEY_DIVISOR:
			return rs_json_number(json, &c->divisor) && c->divisor >= 0;
		case KEY_SPLITS:
			c->splits = rs_json_bounds(ctx, json, &c->n_splits);
			return c->splits != NULL && rs_splits_ascend(c->splits, c->n_splits);
		case KEY_ENCODE:
			if (!read_word(json, rs_encode_words, &word))
				return false;
			c->encode = (RsEncode) word;
			return c->encode != RS_ENCODE_NONE;
		case KEY_UNSEEN:
			if (!read_word(json, rs_unseen_words, &word))
				return false;
			c->unseen = (RsUnseen) word;
			return true;
		case KEY_DROP_LAST:
			return rs_json_bool(json, &c->drop_last);
		case KEY_SEPARATOR:
			c->separator.data = rs_json_copy_text(ctx, json, &c->separator.length);
			return c->separator.data != NULL;
		case KEY_SIZE:
			if (!rs_json_uint(json, &size) || size == 0 || size > RS_MAX_ENCODER_WIDTH)
				return false;
			c->size = (uint32_t) size;
			return true;
		case KEY_CATEGORIES:
			return rs_vocabulary_take(ctx, json, &c->vocabulary);
		default:
			return read_counts(json, &c->vocabulary);
	}
}

/* Are the keys that go together there, and the steps sound? */
static RsStatus
check_column(RsContext *ctx, RsColumn *c, uint32_t seen, bool imputed_text)
{
	bool categories = (seen >> KEY_CATEGORIES & 1) != 0;
	uint32_t scale = seen >> KEY_SCALE & 7; /* scale, center, divisor */
	const char *fault;

	c->number = c->encode == RS_ENCODE_NONE || c->n_splits > 0;
	if ((seen & 1u << KEY_COLUMN) == 0)
		return invalid(ctx, "A column has no name.");
	if (scale != 0 && scale != 7)
		return invalid(ctx, "A column has only some of scale, center and divisor.");
	if (categories != ((seen >> KEY_COUNTS & 1) != 0) ||
		categories != (!c->number && c->encode != RS_ENCODE_HASH))
		return invalid(ctx, "A column lacks categories and counts, or has them for nothing.");
	if (c->imputed && imputed_text == c->number)
		return invalid(ctx, "A column has an imputed value of the wrong type.");
	if ((fault = rs_column_fault(c)) != NULL)
		return invalid(ctx, "A column has steps that do not go together: %s.", fault);
	return RS_OK;
}

static RsStatus
read_column(RsContext *ctx, RsJson *json, RsEncoder *encoder)
{
	RsColumn *column = rs_encoder_push(ctx, encoder);
	uint32_t seen = 0;
	bool first = true;
	bool imputed_text = false;

	if (column == NULL)
		return ctx->status;
	rs_json_take(json, '{');
	while (rs_json_more(json, '}', &first))
	{
		int key = rs_json_word(json, keys);

		if (key < 0 || (seen & 1u << key) != 0 || !rs_json_take(json, ':'))
			return invalid(ctx, "A column has an unknown key, or one twice.");
		if (key == KEY_COUNTS && (seen & 1u << KEY_CATEGORIES) == 0)
			return invalid(ctx, "A column has counts before its categories.");
		seen |= 1u << key;
		if (!read_value(ctx, json, key, column, &imputed_text))
			return invalid(ctx, "A column has no valid \"%s\".", keys[key]);
	}
	if (json->failed)
		return invalid(ctx, "It is not a JSON object of the form that encoders have.");
	if (check_column(ctx, column, seen, imputed_text) != RS_OK)
		return ctx->status;
	if (rs_encoder_name_taken(encoder, encoder->n - 1))
		return invalid(ctx, "Column \"%s\" is there twice.", column->name);
	return RS_OK;
}

/* The name of the next key is `name`? */
static bool
take_key(RsJson *json, const char *name)
{
	const char *words[] = {name, NULL};

	return rs_json_word(json, words) == 0 && rs_json_take(json, ':');
}

static RsStatus
read_encoder(RsContext *ctx, RsJson *json, RsEncoder *encoder)
{
	uint64_t version;
	bool first = true;

	if (!rs_json_take(json, '{') || !take_key(json, "recsys_encoder") ||
		!rs_json_uint(json, &version) || version == 0)
		return invalid(ctx, "It does not begin as an encoder does: {\"recsys_encoder\": version.");
	if (version > ENCODER_VERSION)
	{
		rs_fail(ctx, RS_ERR_VERSION, "encoder is of a later version");
		rs_detail(ctx, "The encoder has version %llu, this library reads up to %d.",
				  (unsigned long long) version, ENCODER_VERSION);
		rs_hint(ctx, "Update the extension recsys, or fit the encoder again.");
		return RS_ERR_VERSION;
	}
	if (!rs_json_take(json, ',') || !take_key(json, "rows") ||
		!rs_json_uint(json, &encoder->rows) || encoder->rows > INT64_MAX ||
		!rs_json_take(json, ',') || !take_key(json, "columns") || !rs_json_take(json, '['))
		return invalid(ctx, "It has no rows and columns where they must be.");
	while (rs_json_more(json, ']', &first))
	{
		if (encoder->n == RS_MAX_ENCODER_COLUMNS)
			return invalid(ctx, "It has more than %d columns.", RS_MAX_ENCODER_COLUMNS);
		if (read_column(ctx, json, encoder) != RS_OK)
			return ctx->status;
	}
	if (!rs_json_take(json, '}') || !rs_json_done(json))
		return invalid(ctx, "Something follows its columns.");
	if (encoder->n == 0)
		return invalid(ctx, "It has no column.");
	return rs_encoder_layout(ctx, encoder);
}

RsStatus
rs_encoder_read(RsContext *ctx, const char *bytes, size_t length, RsEncoder **encoder)
{
	RsJson json = {bytes, bytes + length, false};
	RsEncoder *e;
	RsStatus status = rs_encoder_create(ctx, &e);

	*encoder = NULL;
	if (status != RS_OK)
		return status;
	ctx->status = RS_OK;
	status = read_encoder(ctx, &json, e);
	if (status == RS_OK)
		*encoder = e;
	else
		rs_encoder_free(ctx, e);
	return status;
}

/* --- writing --- */

static void
put_number_key(RsJsonOut *out, const char *key, double number)
{
	rs_json_put(out, key);
	rs_json_put_number(out, number);
}

static void
put_uint_key(RsJsonOut *out, const char *key, uint64_t number)
{
	rs_json_put(out, key);
	rs_json_put_uint(out, number);
}

static void
put_word_key(RsJsonOut *out, const char *key, const char *word)
{
	rs_json_put(out, key);
	rs_json_put_word(out, word);
}

static void
put_vocabulary(RsJsonOut *out, const RsVocabulary *v)
{
	rs_json_put(out, ", \"categories\": ");
	rs_vocabulary_put(out, v);
	rs_json_put(out, ", \"counts\": [");
	for (uint32_t i = 0; i < v->n; i++)
		put_uint_key(out, i > 0 ? ", " : "", v->count[i]);
	rs_json_put(out, "]");
}

static void
put_column(RsJsonOut *out, const RsColumn *c)
{
	rs_json_put(out, "{\"column\": ");
	rs_json_put_text(out, c->name, c->name_length);
	if (c->imputed && c->number)
		put_number_key(out, ", \"impute\": ", c->impute_number);
	else if (c->imputed)
	{
		rs_json_put(out, ", \"impute\": ");
		rs_json_put_text(out, c->impute_text.data, c->impute_text.length);
	}
	if (c->log)
		rs_json_put(out, ", \"log\": true");
	if (c->scale != RS_SCALE_NONE)
	{
		put_word_key(out, ", \"scale\": ", rs_scale_words[c->scale]);
		put_number_key(out, ", \"center\": ", c->center);
		put_number_key(out, ", \"divisor\": ", c->divisor);
	}
	for (uint32_t i = 0; i < c->n_splits; i++)
		put_number_key(out, i == 0 ? ", \"splits\": [" : ", ", c->splits[i]);
	if (c->n_splits > 0)
		rs_json_put(out, "]");
	if (c->encode != RS_ENCODE_NONE)
		put_word_key(out, ", \"encode\": ", rs_encode_words[c->encode]);
	put_word_key(out, ", \"unseen\": ", rs_unseen_words[c->unseen]);
	if (c->drop_last)
		rs_json_put(out, ", \"drop_last\": true");
	if (c->separator.data != NULL)
	{
		rs_json_put(out, ", \"separator\": ");
		rs_json_put_text(out, c->separator.data, c->separator.length);
	}
	if (c->size > 0)
		put_uint_key(out, ", \"size\": ", c->size);
	if (!c->number && c->encode != RS_ENCODE_HASH)
		put_vocabulary(out, &c->vocabulary);
	rs_json_put(out, "}");
}

RsStatus
rs_encoder_write(RsContext *ctx, const RsEncoder *encoder, RsSink sink, void *opaque)
{
	RsJsonOut out;

	rs_json_out(&out, ctx, sink, opaque);
	put_uint_key(&out, "{\"recsys_encoder\": ", ENCODER_VERSION);
	put_uint_key(&out, ", \"rows\": ", encoder->rows);
	rs_json_put(&out, ", \"columns\": [");
	for (uint32_t i = 0; i < encoder->n; i++)
	{
		rs_json_put(&out, i > 0 ? ", " : "");
		put_column(&out, &encoder->columns[i]);
	}
	rs_json_put(&out, "]}");
	return rs_json_flush(&out);
}
