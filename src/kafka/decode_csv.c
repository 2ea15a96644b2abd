/*
 * decode_csv.c
 *		A CSV line (RFC 4180) to slices of its fields.
 *
 * A field in quotes may hold the delimiter, line ends and, doubled, the quote.
 * An empty field without quotes is NULL, as COPY has it; with quotes it is the
 * empty string.
 */
#include "kafka/decode_csv.h"

#include <stdio.h>
#include <string.h>

#include "kafka/utf8.h"

typedef struct Line
{
	const char *start;
	const char *at;
	const char *end;
	char delimiter;
	char quote;
	RskDecodeFailure *failure;
} Line;

static RskDecodeStatus
fail(Line *line, RskDecodeStatus status, const char *what)
{
	line->failure->at = (size_t) (line->at - line->start);
	snprintf(line->failure->message, sizeof(line->failure->message), "%s", what);
	return status;
}

static RskDecodeStatus
quoted_field(Line *line, RskValue *value)
{
	value->kind = RSK_STRING;
	value->escaped = false;
	value->text = ++line->at;
	for (;;)
	{
		const char *at = memchr(line->at, line->quote, (size_t) (line->end - line->at));

		if (at == NULL)
		{
			line->at = line->end;
			return fail(line, RSK_DECODE_SYNTAX, "expected the field's closing quote");
		}
		line->at = at + 1;
		if (line->at >= line->end || *line->at != line->quote)
			break;
		value->escaped = true;
		line->at++;
	}
	value->length = (size_t) (line->at - 1 - value->text);
	if (line->at < line->end && *line->at != line->delimiter)
		return fail(line, RSK_DECODE_SYNTAX, "expected the delimiter after a closing quote");
	return RSK_DECODE_OK;
}

static RskDecodeStatus
plain_field(Line *line, RskValue *value)
{
	value->text = line->at;
	value->escaped = false;
	while (line->at < line->end && *line->at != line->delimiter)
	{
		if (*line->at == line->quote)
			return fail(line, RSK_DECODE_SYNTAX, "found a quote inside a field without quotes");
		if (*line->at == '\n' || *line->at == '\r')
			return fail(line, RSK_DECODE_SYNTAX, "found a second line");
		line->at++;
	}
	value->length = (size_t) (line->at - value->text);
	value->kind = value->length == 0 ? RSK_NULL : RSK_STRING;
	return RSK_DECODE_OK;
}

RskDecodeStatus
rsk_decode_csv(const char *text, size_t length, char delimiter, char quote, RskValue *values,
			   int n_fields, RskDecodeFailure *failure)
{
	Line line = {text, text, text + length, delimiter, quote, failure};
	RskValue ignored;
	size_t bad;
	int n = 0;

	if (!rsk_utf8_valid(text, length, &bad))
	{
		line.at = text + bad;
		return fail(&line, RSK_DECODE_ENCODING, "not valid UTF-8");
	}
	if (line.end > text && line.end[-1] == '\n')
		line.end--;
	if (line.end > text && line.end[-1] == '\r')
		line.end--;
	for (;;)
	{
		RskValue *value = n < n_fields ? &values[n] : &ignored;
		RskDecodeStatus status = line.at < line.end && *line.at == quote
									 ? quoted_field(&line, value)
									 : plain_field(&line, value);

		if (status != RSK_DECODE_OK)
			return status;
		n++;
		if (line.at >= line.end)
			break;
		line.at++; /* the delimiter */
	}
	if (n == n_fields)
		return RSK_DECODE_OK;
	fail(&line, RSK_DECODE_FIELDS, "");
	snprintf(failure->message, sizeof(failure->message), "expected %d fields, found %d", n_fields,
			 n);
	return RSK_DECODE_FIELDS;
}

size_t
rsk_unquote(const RskValue *value, char quote, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < value->length; i++)
	{
		out[n++] = value->text[i];
		if (value->escaped && value->text[i] == quote)
			i++;
	}
	return n;
}
