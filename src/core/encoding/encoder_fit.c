/*
 * encoder_fit.c
 *		Fitting an encoder: take in rows one by one, keep what the steps need.
 *
 * Sums are exact, quantiles are taken from all values, categories are counted:
 * what comes out does not depend on the order of the rows.
 */
#include "core/encoding/encoder_fit.h"

#include <math.h>
#include <string.h>

#define FIRST_ROOM 1024

/* Make room for what a column's steps need. */
static RsStatus
prepare(RsContext *ctx, const RsColumn *c, RsColumnFit *f)
{
	f->min = INFINITY;
	f->max = -INFINITY;
	if (f->impute == RS_IMPUTE_MEAN && (f->raw = rs_calloc(ctx, 1, sizeof(RsExactSum))) == NULL)
		return ctx->status;
	if (c->scale == RS_SCALE_STANDARD &&
		((f->sum = rs_calloc(ctx, 1, sizeof(RsExactSum))) == NULL ||
		 (f->squares = rs_calloc(ctx, 1, sizeof(RsExactSum))) == NULL))
		return ctx->status;
	f->keeps = f->impute == RS_IMPUTE_MEDIAN || f->buckets > 0 || c->scale == RS_SCALE_ROBUST;
	return RS_OK;
}

RsStatus
rs_encoder_fit_create(RsContext *ctx, const char *spec, size_t length, RsEncoderFit **out)
{
	RsEncoderFit *fit = rs_calloc(ctx, 1, sizeof(RsEncoderFit));
	RsStatus status;

	*out = NULL;
	if (fit == NULL)
		return ctx->status;
	status = rs_encoder_create(ctx, &fit->encoder);
	if (status == RS_OK)
		status = rs_encoder_spec(ctx, spec, length, fit);
	for (uint32_t i = 0; status == RS_OK && i < fit->encoder->n; i++)
		status = prepare(ctx, &fit->encoder->columns[i], &fit->columns[i]);
	if (status == RS_OK)
		*out = fit;
	else
		rs_encoder_fit_free(ctx, fit);
	return status;
}

void
rs_encoder_fit_free(RsContext *ctx, RsEncoderFit *fit)
{
	if (fit == NULL)
		return;
	for (uint32_t i = 0; fit->encoder != NULL && fit->columns != NULL && i < fit->encoder->n; i++)
	{
		RsColumnFit *f = &fit->columns[i];

		rs_free(ctx, f->raw);
		rs_free(ctx, f->sum);
		rs_free(ctx, f->squares);
		rs_free(ctx, f->values);
		rs_vocabulary_free(ctx, &f->numbers);
	}
	rs_free(ctx, fit->columns);
	rs_encoder_free(ctx, fit->encoder);
	rs_free(ctx, fit);
}

const RsEncoder *
rs_encoder_fit_target(const RsEncoderFit *fit)
{
	return fit->encoder;
}

static RsStatus
keep_value(RsContext *ctx, RsColumnFit *f, double x)
{
	if (f->present == f->room)
	{
		uint64_t room = f->room > 0 ? f->room * 2 : FIRST_ROOM;
		double *values = rs_alloc(ctx, room * sizeof(double));

		if (values == NULL)
			return ctx->status;
		if (f->room > 0)
			memcpy(values, f->values, f->room * sizeof(double));
		rs_free(ctx, f->values);
		f->values = values;
		f->room = room;
	}
	f->values[f->present] = x;
	return RS_OK;
}

static RsStatus
add_number(RsContext *ctx, const RsColumn *c, RsColumnFit *f, const RsValue *value)
{
	double x = value->number + 0.0; /* no negative zero */
	double y = x;
	uint32_t code;

	if (value->kind != RS_VALUE_NUMBER || isnan(x))
	{
		f->missing++;
		return RS_OK;
	}
	if (isinf(x))
	{
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has an infinite value", c->name);
		rs_hint(ctx, "Make it null, or leave the row out.");
		return RS_ERR_PARAM;
	}
	if (c->log && isnan(y = rs_log1p(x)))
	{
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has the value %g, which has no logarithm",
				c->name, x);
		rs_detail(ctx, "\"log\" is ln(1 + x) and takes values above -1.");
		return RS_ERR_PARAM;
	}
	if (f->keeps && keep_value(ctx, f, x) != RS_OK)
		return ctx->status;
	if (f->impute == RS_IMPUTE_MOST_FREQUENT)
	{
		RsText bytes = {(const char *) &x, sizeof(x)};

		if (rs_vocabulary_add(ctx, &f->numbers, bytes, 1, &code) != RS_OK)
			return ctx->status;
	}
	if (f->raw != NULL)
		rs_exact_add(f->raw, x, 1);
	if (f->sum != NULL)
	{
		rs_exact_add(f->sum, y, 1);
		rs_exact_add_square(f->squares, y, 1);
	}
	f->min = y < f->min ? y : f->min;
	f->max = y > f->max ? y : f->max;
	f->present++;
	return RS_OK;
}

static RsStatus
add_text(RsContext *ctx, RsColumn *c, RsColumnFit *f, const RsValue *value)
{
	RsText rest = value->text;
	RsText part;
	uint32_t code;

	if (value->kind != RS_VALUE_TEXT && value->kind != RS_VALUE_LIST)
	{
		f->missing++;
		return RS_OK;
	}
	f->present++;
	if (c->encode == RS_ENCODE_HASH && f->impute != RS_IMPUTE_MOST_FREQUENT)
		return RS_OK;
	if (value->kind == RS_VALUE_LIST)
	{
		for (uint32_t i = 0; i < value->n; i++)
			if (value->list[i].data != NULL &&
				rs_vocabulary_add(ctx, &c->vocabulary, value->list[i], 1, &code) != RS_OK)
				return ctx->status;
		return RS_OK;
	}
	if (c->separator.data == NULL)
		return rs_vocabulary_add(ctx, &c->vocabulary, rest, 1, &code);
	while (rs_text_part(&rest, c->separator, &part))
		if (rs_vocabulary_add(ctx, &c->vocabulary, part, 1, &code) != RS_OK)
			return ctx->status;
	return RS_OK;
}

RsStatus
rs_encoder_fit_add(RsContext *ctx, RsEncoderFit *fit, const RsValue *values)
{
	for (uint32_t i = 0; i < fit->encoder->n; i++)
	{
		RsColumn *column = &fit->encoder->columns[i];
		RsStatus status;

		if (column->number)
			status = add_number(ctx, column, &fit->columns[i], &values[i]);
		else
			status = add_text(ctx, column, &fit->columns[i], &values[i]);
		if (status != RS_OK)
			return status;
	}
	fit->encoder->rows++;
	return RS_OK;
}

RsStatus
rs_encoder_fit_finish(RsContext *ctx, RsEncoderFit *fit, RsEncoder **encoder)
{
	RsStatus status = RS_OK;

	*encoder = NULL;
	for (uint32_t i = 0; status == RS_OK && i < fit->encoder->n; i++)
		status = rs_encoder_finish_column(ctx, &fit->encoder->columns[i], &fit->columns[i]);
	if (status == RS_OK)
		status = rs_encoder_layout(ctx, fit->encoder);
	if (status != RS_OK)
		return status;
	for (uint32_t i = 0; i < fit->encoder->n; i++)
	{
		rs_free(ctx, fit->columns[i].raw);
		rs_free(ctx, fit->columns[i].sum);
		rs_free(ctx, fit->columns[i].squares);
		rs_free(ctx, fit->columns[i].values);
		rs_vocabulary_free(ctx, &fit->columns[i].numbers);
	}
	*encoder = fit->encoder;
	fit->encoder = NULL;
	return RS_OK;
}
