/*
 * slices.c
 *		What a slice of a message stands for: text without escapes, the elements
 *		of an array, valid UTF-8.
 */
#include "kafka/decode.h"

#include <stdint.h>
#include <string.h>

/*
 * Length of the UTF-8 character at s, or 0 if it is none (RFC 3629: no overlong
 * form, no surrogate, nothing past U+10FFFF).
 */
static size_t
utf8_length(const unsigned char *s, size_t room)
{
	unsigned char low = 0x80;
	unsigned char high = 0xBF;
	size_t length;

	if (s[0] < 0xC2 || s[0] > 0xF4)
		return 0;
	length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
	if (room < length)
		return 0;
	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	return length;
}

bool
rsk_utf8_valid(const char *text, size_t length, size_t *at)
{
	const unsigned char *s = (const unsigned char *) text;
	size_t i = 0;

	while (i < length)
	{
		uint64_t word;
		size_t step;

		if (length - i >= sizeof(word))
		{
			memcpy(&word, s + i, sizeof(word));
			/* eight ASCII bytes, none of them zero */
			if (((word | (word - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080)) ==
				0)
			{
				i += sizeof(word);
				continue;
			}
		}
		step = s[i] < 0x80 ? (s[i] != 0) : utf8_length(s + i, length - i);
		if (step == 0)
		{
			*at = i;
			return false;
		}
		i += step;
	}
	return true;
}

static uint32_t
hex4(const char *s)
{
	uint32_t code = 0;

	for (int i = 0; i < 4; i++)
		code = code * 16 + (uint32_t) (s[i] <= '9' ? s[i] - '0' : (s[i] | 0x20) - 'a' + 10);
	return code;
}

static char *
put_utf8(char *out, uint32_t code)
{
	if (code < 0x80)
		*out++ = (char) code;
	else if (code < 0x800)
	{
		*out++ = (char) (0xC0 | code >> 6);
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else if (code < 0x10000)
	{
		*out++ = (char) (0xE0 | code >> 12);
		*out++ = (char) (0x80 | (code >> 6 & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | code >> 18);
		*out++ = (char) (0x80 | (code >> 12 & 0x3F));
		*out++ = (char) (0x80 | (code >> 6 & 0x3F));
		*out++ = (char) (0x80 | (code & 0x3F));
	}
	return out;
}

size_t
rsk_unescape(const RskValue *value, char *out)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *s = value->text;
	const char *end = s + value->length;
	char *o = out;

	if (!value->escaped)
	{
		memcpy(out, s, value->length);
		return value->length;
	}
	while (s < end)
	{
		const char *word;

		if (*s != '\\')
		{
			*o++ = *s++;
			continue;
		}
		s++;
		if (*s == 'u')
		{
			uint32_t code = hex4(s + 1);

			s += 5;
			if (code >= 0xD800 && code <= 0xDBFF)
			{
				code = 0x10000 + ((code & 0x3FF) << 10 | (hex4(s + 2) & 0x3FF));
				s += 6;
			}
			o = put_utf8(o, code);
			continue;
		}
		word = strchr(from, *s);
		*o++ = word != NULL ? to[word - from] : *s;
		s++;
	}
	return (size_t) (o - out);
}

static const char *
skip_white(const char *s)
{
	while (*s == ' ' || *s == '\n' || *s == '\r' || *s == '\t')
		s++;
	return s;
}

/* Past the string that opens at s. */
static const char *
skip_string(const char *s, bool *escaped)
{
	for (s++; *s != '"'; s++)
		if (*s == '\\')
		{
			*escaped = true;
			s++;
		}
	return s + 1;
}

/* Past the container that opens at s. */
static const char *
skip_container(const char *s)
{
	int depth = 0;
	bool escaped;

	do
	{
		if (*s == '"')
		{
			s = skip_string(s, &escaped);
			continue;
		}
		if (*s == '{' || *s == '[')
			depth++;
		else if (*s == '}' || *s == ']')
			depth--;
		s++;
	} while (depth > 0);
	return s;
}

bool
rsk_array_next(const char **at, RskValue *element)
{
	const char *s = skip_white(*at);

	if (*s == '[' || *s == ',')
		s = skip_white(s + 1);
	*at = s;
	if (*s == ']')
		return false;
	element->escaped = false;
	element->text = s;
	if (*s == '"')
	{
		s = skip_string(s, &element->escaped);
		element->kind = RSK_STRING;
		element->text++;
		element->length = (size_t) (s - element->text - 1);
		*at = s;
	}
	else
	{
		element->kind = *s == '{'                ? RSK_OBJECT
						: *s == '['              ? RSK_ARRAY
						: *s == 'n'              ? RSK_NULL
						: *s == 't' || *s == 'f' ? RSK_BOOL
												 : RSK_NUMBER;
		if (element->kind == RSK_OBJECT || element->kind == RSK_ARRAY)
			s = skip_container(s);
		else
			while (strchr(" \n\r\t,]", *s) == NULL)
				s++;
		element->length = (size_t) (s - element->text);
		*at = s;
	}
	*at = skip_white(*at);
	return true;
}
