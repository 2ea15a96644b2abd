/*
 * vocabulary_bytes.c
 *		A vocabulary as a JSON array of its texts in order: the value of a string
 *		indexer, and a part of an encoder.
 */
#include "core/encoding/encoder_state.h"

char *
rs_json_copy_text(RsContext *ctx, RsJson *json, uint32_t *length)
{
	size_t bound = rs_json_text_bound(json);
	size_t used;
	char *copy;

	if (bound > UINT32_MAX || (copy = rs_alloc(ctx, bound + 1)) == NULL)
	{
		json->failed = true;
		return NULL;
	}
	if (!rs_json_text(json, copy, bound, &used))
	{
		rs_free(ctx, copy);
		return NULL;
	}
	copy[used] = '\0';
	*length = (uint32_t) used;
	return copy;
}

bool
rs_json_categories(RsContext *ctx, RsJson *json, RsVocabulary *v)
{
	bool first = true;

	rs_json_take(json, '[');
	while (rs_json_more(json, ']', &first))
	{
		RsText text;
		uint32_t n = v->n;
		uint32_t code = 0;
		RsStatus status;

		text.data = rs_json_copy_text(ctx, json, &text.length);
		if (text.data == NULL)
			return false;
		status = rs_vocabulary_add(ctx, v, text, 0, &code);
		rs_free(ctx, (void *) text.data);
		if (status != RS_OK || code != n)
			return false;
	}
	return !json->failed;
}

void
rs_json_put_categories(RsJsonOut *out, const RsVocabulary *v)
{
	rs_json_put(out, "[");
	for (uint32_t i = 0; i < v->n; i++)
	{
		RsText text = rs_vocabulary_text(v, i);

		rs_json_put(out, i > 0 ? ", " : "");
		rs_json_put_text(out, text.data, text.length);
	}
	rs_json_put(out, "]");
}

RsStatus
rs_vocabulary_read(RsContext *ctx, const char *bytes, size_t length, RsVocabulary *v)
{
	RsJson json = {bytes, bytes + length, false};

	ctx->status = RS_OK;
	if (rs_json_categories(ctx, &json, v) && rs_json_done(&json))
		return RS_OK;
	if (ctx->status == RS_OK)
	{
		rs_fail(ctx, RS_ERR_BYTES, "invalid string indexer model");
		rs_detail(ctx, "It is a JSON array of distinct strings.");
	}
	rs_vocabulary_free(ctx, v);
	return ctx->status;
}

RsStatus
rs_vocabulary_write(RsContext *ctx, const RsVocabulary *v, RsSink sink, void *opaque)
{
	RsJsonOut out;

	rs_json_out(&out, ctx, sink, opaque);
	rs_json_put_categories(&out, v);
	return rs_json_flush(&out);
}
