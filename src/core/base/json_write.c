/*
 * json_write.c
 *		JSON in pieces to a sink.
 */
#include "core/base/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
rs_json_out(RsJsonOut *out, RsContext *ctx, RsSink sink, void *opaque)
{
	out->ctx = ctx;
	out->sink = sink;
	out->opaque = opaque;
	out->status = RS_OK;
	out->used = 0;
}

RsStatus
rs_json_flush(RsJsonOut *out)
{
	if (out->status == RS_OK && out->used > 0 && !out->sink(out->opaque, out->buffer, out->used))
		out->status = rs_fail(out->ctx, RS_ERR_CANCELED, "canceled");
	out->used = 0;
	return out->status;
}

static void
put_byte(RsJsonOut *out, char c)
{
	if (out->used == sizeof(out->buffer))
		rs_json_flush(out);
	out->buffer[out->used++] = c;
}

void
rs_json_put(RsJsonOut *out, const char *words)
{
	for (; *words != '\0'; words++)
		put_byte(out, *words);
}

void
rs_json_put_text(RsJsonOut *out, const char *text, size_t length)
{
	put_byte(out, '"');
	for (size_t i = 0; i < length; i++)
	{
		char escape[8];

		if (text[i] == '"' || text[i] == '\\')
		{
			put_byte(out, '\\');
			put_byte(out, text[i]);
		}
		else if ((unsigned char) text[i] < 0x20)
		{
			snprintf(escape, sizeof(escape), "\\u%04x", text[i]);
			rs_json_put(out, escape);
		}
		else
			put_byte(out, text[i]);
	}
	put_byte(out, '"');
}

void
rs_json_put_word(RsJsonOut *out, const char *word)
{
	rs_json_put_text(out, word, strlen(word));
}

void
rs_json_put_number(RsJsonOut *out, double number)
{
	char text[40];

	if (isinf(number))
	{
		rs_json_put(out, number > 0 ? "\"infinity\"" : "\"-infinity\"");
		return;
	}
	for (int digits = 15; digits <= 17; digits++)
	{
		snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	rs_json_put(out, text);
}

void
rs_json_put_uint(RsJsonOut *out, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long) number);
	rs_json_put(out, text);
}
