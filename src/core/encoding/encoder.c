/*
 * encoder.c
 *		Turn a row of values into a vector, by the steps of an encoder.
 *
 * A number goes: impute, log, scale or bucketize, encode; a text: impute,
 * encode.  Semantics are Spark MLlib's (Imputer, StandardScaler, Bucketizer,
 * StringIndexer, OneHotEncoder, FeatureHasher).
 */
#include "core/encoding/encoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HASH_SEED 42 /* Spark's */

uint32_t
rs_encoder_width(const RsEncoder *encoder)
{
	return encoder->width;
}

uint32_t
rs_encoder_columns(const RsEncoder *encoder)
{
	return encoder->n;
}

RsEncoderColumn
rs_encoder_column(const RsEncoder *encoder, uint32_t i)
{
	const RsColumn *column = &encoder->columns[i];
	RsEncoderColumn out = {column->name,
						   column->number,
						   column->encode == RS_ENCODE_MULTI_HOT ||
							   column->encode == RS_ENCODE_HASH,
						   column->separator,
						   column->first,
						   column->width};

	return out;
}

static RsStatus
no_value(RsContext *ctx, const RsColumn *column, RsValueKind kind)
{
	if (kind == RS_VALUE_MISSING)
		rs_fail(ctx, RS_ERR_PARAM, "key \"%s\" is missing", column->name);
	else
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" is null", column->name);
	rs_hint(ctx, "Give the column \"impute\" or \"unseen\" in the spec of the encoder.");
	return RS_ERR_PARAM;
}

static RsStatus
unseen_category(RsContext *ctx, const RsColumn *column, RsText text)
{
	rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has the unseen value \"%.*s\"", column->name,
			rs_text_shown(text.data, text.length), text.data);
	rs_hint(ctx, "Give the column \"unseen\": \"keep\", \"ignore\" or \"skip\" in the spec of the "
				 "encoder.");
	return RS_ERR_PARAM;
}

/* Bucket of x, or -1; as Spark's Bucketizer. */
static int64_t
bucket(const RsColumn *column, double x)
{
	uint32_t low = 0;
	uint32_t high = column->n_splits - 1;

	if (x < column->splits[0] || x > column->splits[high])
		return -1;
	while (high - low > 1)
	{
		uint32_t middle = (low + high) / 2;

		if (x < column->splits[middle])
			high = middle;
		else
			low = middle;
	}
	return low;
}

/* Set what stands for category or bucket i of a column. */
static inline void
put_code(const RsColumn *column, uint32_t i, float *out)
{
	if (column->encode == RS_ENCODE_INDEX)
		out[0] = (float) i;
	else if (i < column->width) /* the last one may be dropped */
		out[i] = 1.0f;
}

/* A value without a code; what the policy says, as put_code would. */
static inline RsStatus
put_unseen(const RsColumn *column, float *out, bool *skip)
{
	if (column->unseen == RS_UNSEEN_KEEP)
		put_code(column, column->n, out);
	else if (column->unseen == RS_UNSEEN_SKIP)
		*skip = true;
	return RS_OK;
}

static RsStatus
put_number(RsContext *ctx, const RsColumn *column, double x, float *out)
{
	double y = x;

	if (column->scale != RS_SCALE_NONE)
	{
		if (column->divisor != 0)
			y = (x - column->center) / column->divisor;
		else
			y = column->scale == RS_SCALE_MIN_MAX ? 0.5 : 0.0;
	}
	out[0] = (float) y;
	if (!isfinite(out[0]))
	{
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has the value %g, which is out of range",
				column->name, x);
		rs_detail(ctx, "The feature must be finite as a real.");
		return RS_ERR_PARAM;
	}
	return RS_OK;
}

static RsStatus
encode_number(RsContext *ctx, const RsColumn *column, const RsValue *value, float *out, bool *skip)
{
	double x = value->number;
	int64_t i;

	if (value->kind != RS_VALUE_NUMBER || isnan(x))
	{
		if (!column->imputed)
		{
			if (column->unseen == RS_UNSEEN_ERROR)
				return no_value(ctx, column, value->kind);
			return put_unseen(column, out, skip);
		}
		x = column->impute_number;
	}
	if (isinf(x) && column->n_splits == 0)
		return rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has an infinite value", column->name);
	if (column->log)
	{
		double y = rs_log1p(x);

		if (isnan(y))
		{
			rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has the value %g, which has no logarithm",
					column->name, x);
			rs_detail(ctx, "\"log\" is ln(1 + x) and takes values above -1.");
			return RS_ERR_PARAM;
		}
		x = y;
	}
	if (column->n_splits == 0)
		return put_number(ctx, column, x, out);
	i = bucket(column, x);
	if (i < 0)
	{
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has the value %g, which is in no bucket",
				column->name, x);
		rs_detail(ctx, "The buckets go from %g to %g.", column->splits[0],
				  column->splits[column->n_splits - 1]);
		rs_hint(ctx, "Begin and end them with \"-infinity\" and \"infinity\".");
		return RS_ERR_PARAM;
	}
	put_code(column, (uint32_t) i, out);
	return RS_OK;
}

/* Spark's FeatureHasher hashes "column=value". */
static RsStatus
put_hash(RsContext *ctx, const RsColumn *column, RsText text, float *out)
{
	char small[512];
	size_t length = (size_t) column->name_length + 1 + text.length;
	char *whole = length <= sizeof(small) ? small : rs_alloc(ctx, length);
	int32_t hash;

	if (whole == NULL)
		return ctx->status;
	memcpy(whole, column->name, column->name_length);
	whole[column->name_length] = '=';
	memcpy(whole + column->name_length + 1, text.data, text.length);
	hash = (int32_t) rs_murmur3(whole, length, HASH_SEED);
	hash %= (int32_t) column->size;
	out[hash < 0 ? hash + (int32_t) column->size : hash] = 1.0f;
	if (whole != small)
		rs_free(ctx, whole);
	return RS_OK;
}

/* One text of a column: the only one, or an element of a list. */
static inline RsStatus
put_text(RsContext *ctx, const RsColumn *column, RsText text, float *out, bool *skip)
{
	int64_t code;

	if (column->encode == RS_ENCODE_HASH)
		return put_hash(ctx, column, text, out);
	code = rs_vocabulary_find(&column->vocabulary, text.data, text.length);
	if (code < 0)
	{
		if (column->unseen == RS_UNSEEN_ERROR)
			return unseen_category(ctx, column, text);
		return put_unseen(column, out, skip);
	}
	put_code(column, (uint32_t) code, out);
	return RS_OK;
}

static RsStatus
put_parts(RsContext *ctx, const RsColumn *column, RsText text, float *out, bool *skip)
{
	RsText part;
	RsStatus status = RS_OK;

	while (status == RS_OK && rs_text_part(&text, column->separator, &part))
		status = put_text(ctx, column, part, out, skip);
	return status;
}

static RsStatus
encode_text(RsContext *ctx, const RsColumn *column, const RsValue *value, float *out, bool *skip)
{
	RsStatus status = RS_OK;
	RsText text = value->text;

	if (value->kind == RS_VALUE_LIST)
	{
		for (uint32_t i = 0; i < value->n && status == RS_OK; i++)
		{
			if (value->list[i].data != NULL)
				status = put_text(ctx, column, value->list[i], out, skip);
			else if (column->unseen == RS_UNSEEN_ERROR)
				status = rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has a null in its list",
								 column->name);
			else
				status = put_unseen(column, out, skip);
		}
		return status;
	}
	if (value->kind != RS_VALUE_TEXT)
	{
		if (!column->imputed)
		{
			if (column->unseen == RS_UNSEEN_ERROR)
				return no_value(ctx, column, value->kind);
			return put_unseen(column, out, skip);
		}
		text = column->impute_text;
	}
	if (column->separator.data != NULL)
		return put_parts(ctx, column, text, out, skip);
	return put_text(ctx, column, text, out, skip);
}

RsStatus
rs_encoder_encode(RsContext *ctx, const RsEncoder *encoder, const RsValue *values, float *out,
				  bool *skip)
{
	*skip = false;
	memset(out, 0, (size_t) encoder->width * sizeof(float));
	for (uint32_t i = 0; i < encoder->n; i++)
	{
		const RsColumn *column = &encoder->columns[i];
		RsStatus status;

		if (column->number)
			status = encode_number(ctx, column, &values[i], out + column->first, skip);
		else
			status = encode_text(ctx, column, &values[i], out + column->first, skip);
		if (status != RS_OK)
			return status;
	}
	return RS_OK;
}

/* --- what a position means --- */

/* What one bucket is. */
static void
bucket_meaning(const RsColumn *column, uint32_t i, RsEncoderPosition *out)
{
	if (i >= column->n)
		snprintf(out->meaning, sizeof(out->meaning), "unseen");
	else
		snprintf(out->meaning, sizeof(out->meaning), "[%.9g, %.9g%s", column->splits[i],
				 column->splits[i + 1], i + 2 == column->n_splits ? "]" : ")");
}

void
rs_encoder_position(const RsEncoder *encoder, uint32_t position, RsEncoderPosition *out)
{
	uint32_t c = 0;
	const RsColumn *column;
	uint32_t i;

	/* columns of width 0 are passed over */
	while (position >= encoder->columns[c].first + encoder->columns[c].width)
		c++;
	column = &encoder->columns[c];
	i = position - column->first;
	memset(out, 0, sizeof(*out));
	out->column = column->name;
	out->step = column->encode != RS_ENCODE_NONE ? rs_encode_words[column->encode]
				: column->scale != RS_SCALE_NONE ? rs_scale_words[column->scale]
				: column->log                    ? "log"
												 : "value";
	if (column->encode == RS_ENCODE_HASH)
		snprintf(out->meaning, sizeof(out->meaning), "bin %u of %u", i, column->size);
	else if (column->encode == RS_ENCODE_INDEX)
		snprintf(out->meaning, sizeof(out->meaning), "0 to %u",
				 column->n + (column->unseen == RS_UNSEEN_KEEP ? 1 : 0) - 1);
	else if (column->n_splits > 0)
		bucket_meaning(column, i, out);
	else if (column->encode != RS_ENCODE_NONE)
	{
		if (i < column->n)
			out->category = rs_vocabulary_text(&column->vocabulary, i);
		else
			snprintf(out->meaning, sizeof(out->meaning), "unseen");
	}
	else if (column->scale != RS_SCALE_NONE)
		snprintf(out->meaning, sizeof(out->meaning), "(%s - %.9g) / %.9g",
				 column->log ? "ln(1 + x)" : "x", column->center, column->divisor);
	else
		snprintf(out->meaning, sizeof(out->meaning), "%s", column->log ? "ln(1 + x)" : "x");
}
