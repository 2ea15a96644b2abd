/*
 * encoders.h
 *		What the tests of encoders share: rows of values, fitting, bytes.
 */
#ifndef RS_TEST_ENCODERS_H
#define RS_TEST_ENCODERS_H

#include "unit.h"

#include "core/encoding/encoder_bytes.h"
#include "core/encoding/encoder_fit.h"

typedef struct Text
{
	size_t n;
	char *data;
} Text;

static UNIT_UNUSED bool
keep_text(void *opaque, const void *bytes, size_t length)
{
	Text *text = opaque;

	text->data = realloc(text->data, text->n + length + 1);
	memcpy(text->data + text->n, bytes, length);
	text->n += length;
	text->data[text->n] = '\0';
	return true;
}

static UNIT_UNUSED RsValue
number(double x)
{
	RsValue value = {.kind = RS_VALUE_NUMBER, .number = x};

	return value;
}

static UNIT_UNUSED RsValue
text(const char *x)
{
	RsValue value = {.kind = x != NULL ? RS_VALUE_TEXT : RS_VALUE_NULL};

	if (x != NULL)
		value.text = (RsText){x, (uint32_t) strlen(x)};
	return value;
}

static UNIT_UNUSED RsValue
null(void)
{
	RsValue value = {.kind = RS_VALUE_NULL};

	return value;
}

/* Fit on rows of as many values as the spec has columns. */
static UNIT_UNUSED RsStatus
fit(RsContext *ctx, const char *spec, const RsValue *values, int rows, RsEncoder **encoder)
{
	RsEncoderFit *fitting;
	RsStatus status = rs_encoder_fit_create(ctx, spec, strlen(spec), &fitting);

	*encoder = NULL;
	if (status != RS_OK)
		return status;
	for (int i = 0; i < rows && status == RS_OK; i++)
		status = rs_encoder_fit_add(
			ctx, fitting, values + i * (int) rs_encoder_columns(rs_encoder_fit_target(fitting)));
	if (status == RS_OK)
		status = rs_encoder_fit_finish(ctx, fitting, encoder);
	rs_encoder_fit_free(ctx, fitting);
	return status;
}

/* The bytes of an encoder, NUL-terminated, for the caller to free. */
static UNIT_UNUSED char *
encoder_text(RsContext *ctx, const RsEncoder *encoder)
{
	Text out = {0, NULL};

	if (rs_encoder_write(ctx, encoder, keep_text, &out) != RS_OK)
	{
		free(out.data);
		return NULL;
	}
	return out.data;
}

#endif
