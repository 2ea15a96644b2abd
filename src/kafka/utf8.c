/*
 * utf8.c
 *		UTF-8 as messages must have it, read and written.
 */
#include "kafka/utf8.h"

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

char *
rsk_utf8_put(char *out, uint32_t code)
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
