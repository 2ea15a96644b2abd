/*
 * json_read.c
 *		A strict pull reader for small JSON of a known shape (RFC 8259).
 *
 * Invariant: at <= end, and nothing at or beyond end is ever read.
 */
#include "core/base/json_read.h"

#include "core/base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"

static bool
fail(RsJson *json)
{
	json->failed = true;
	return false;
}

/* The next byte as it is, or 0 at the end (a real 0 is no JSON either). */
static char
next(const RsJson *json)
{
	return json->at < json->end ? *json->at : '\0';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

char
rs_json_peek(RsJson *json)
{
	while (json->at < json->end &&
		   (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
		json->at++;
	return json->failed ? '\0' : next(json);
}

bool
rs_json_take(RsJson *json, char c)
{
	if (rs_json_peek(json) != c || json->failed)
		return fail(json);
	json->at++;
	return true;
}

/* What follows a backslash: the character meant, or -1. */
static int
escaped(RsJson *json)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	char c = next(json);
	const char *found;

	if (c == '\0')
		return -1;
	json->at++;
	if (c == 'u')
	{
		int code = rs_hex4(json->at, json->end);

		json->at += code >= 0 ? 4 : 0;
		return code;
	}
	found = strchr(from, c);
	return found != NULL ? to[found - from] : -1;
}

/* A string whose bytes are at most highest, escaped ones ASCII. */
static bool
read_string(RsJson *json, char *buffer, size_t size, int highest, size_t *length)
{
	size_t used = 0;

	if (!rs_json_take(json, '"'))
		return false;
	for (;;)
	{
		int c = (unsigned char) next(json);
		int most = highest;

		if (c < 0x20) /* the end of the text is a 0 too */
			return fail(json);
		json->at++;
		if (c == '"')
			break;
		if (c == '\\')
		{
			c = escaped(json);
			most = 0x7f;
		}
		if (c <= 0 || c > most || used >= size)
			return fail(json);
		buffer[used++] = (char) c;
	}
	*length = used;
	return true;
}

bool
rs_json_string(RsJson *json, char *buffer, size_t size)
{
	size_t length;

	if (!read_string(json, buffer, size - 1, 0x7f, &length))
		return false;
	buffer[length] = '\0';
	return true;
}

/* How many bytes the string that comes next takes at most. */
static size_t
text_bound(RsJson *json)
{
	const char *c;

	if (rs_json_peek(json) != '"')
		return 0;
	for (c = json->at + 1; c < json->end && *c != '"'; c++)
		if (*c == '\\' && c + 1 < json->end)
			c++;
	return (size_t) (c - json->at);
}

char *
rs_json_copy_text(RsContext *ctx, RsJson *json, uint32_t *length)
{
	size_t bound = text_bound(json);
	size_t used;
	char *copy;

	if (bound > UINT32_MAX || (copy = rs_alloc(ctx, bound + 1)) == NULL)
	{
		json->failed = true;
		return NULL;
	}
	if (!read_string(json, copy, bound, 0xff, &used))
	{
		rs_free(ctx, copy);
		return NULL;
	}
	copy[used] = '\0';
	*length = (uint32_t) used;
	return copy;
}

int
rs_json_word(RsJson *json, const char *const *words)
{
	char word[32];

	if (!rs_json_string(json, word, sizeof(word)))
		return -1;
	return rs_find_word(words, word);
}

bool
rs_json_uint(RsJson *json, uint64_t *value)
{
	char first = rs_json_peek(json);
	const char *start = json->at;

	*value = 0;
	if (!is_digit(first))
		return fail(json);
	for (; is_digit(next(json)); json->at++)
	{
		uint64_t digit = (uint64_t) (*json->at - '0');

		if (__builtin_mul_overflow(*value, (uint64_t) 10, value) ||
			__builtin_add_overflow(*value, digit, value))
			return fail(json);
	}
	if (first == '0' && json->at - start > 1)
		return fail(json);
	return true;
}

/* Skip digits; were there any? */
static bool
digits(RsJson *json)
{
	const char *start = json->at;

	while (is_digit(next(json)))
		json->at++;
	return json->at > start;
}

bool
rs_json_number(RsJson *json, double *value)
{
	char copy[64];
	const char *start;
	const char *whole;
	size_t length;

	rs_json_peek(json);
	start = json->at;
	if (next(json) == '-')
		json->at++;
	whole = json->at;
	if (!digits(json) || (*whole == '0' && json->at - whole > 1))
		return fail(json);
	if (next(json) == '.')
	{
		json->at++;
		if (!digits(json))
			return fail(json);
	}
	if (next(json) == 'e' || next(json) == 'E')
	{
		json->at++;
		if (next(json) == '+' || next(json) == '-')
			json->at++;
		if (!digits(json))
			return fail(json);
	}
	length = (size_t) (json->at - start);
	if (length >= sizeof(copy) || json->failed)
		return fail(json);
	memcpy(copy, start, length);
	copy[length] = '\0';
	*value = strtod(copy, NULL);
	return isfinite(*value) ? true : fail(json);
}

bool
rs_json_bound(RsJson *json, double *value)
{
	static const char *const words[] = {"-infinity", "infinity", NULL};
	int word;

	if (rs_json_peek(json) != '"')
		return rs_json_number(json, value);
	word = rs_json_word(json, words);
	*value = word == 0 ? -INFINITY : INFINITY;
	if (word < 0)
		json->failed = true;
	return word >= 0;
}

double *
rs_json_bounds(RsContext *ctx, RsJson *json, uint32_t *n)
{
	uint32_t room = 0;
	double *values = NULL;
	bool first = true;

	*n = 0;
	rs_json_take(json, '[');
	while (rs_json_more(json, ']', &first))
	{
		if (*n == room)
		{
			double *larger =
				rs_grow(ctx, values, room * sizeof(double), (room * 2 + 8) * sizeof(double));

			if (larger == NULL)
			{
				json->failed = true;
				break;
			}
			values = larger;
			room = room * 2 + 8;
		}
		if (!rs_json_bound(json, &values[*n]))
			break;
		(*n)++;
	}
	if (json->failed)
	{
		rs_free(ctx, values);
		return NULL;
	}
	return values;
}

bool
rs_json_bool(RsJson *json, bool *value)
{
	*value = rs_json_peek(json) == 't';
	for (const char *c = *value ? "true" : "false"; *c != '\0'; c++)
	{
		if (json->failed || next(json) != *c)
			return fail(json);
		json->at++;
	}
	return true;
}

bool
rs_json_more(RsJson *json, char close, bool *first)
{
	char c = rs_json_peek(json);
	bool was_first = *first;

	*first = false;
	if (json->failed)
		return false;
	if (c == close)
	{
		json->at++;
		return false;
	}
	return was_first ? true : rs_json_take(json, ',');
}

bool
rs_json_done(RsJson *json)
{
	rs_json_peek(json);
	return !json->failed && json->at == json->end;
}
