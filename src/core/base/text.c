/*
 * text.c
 *		Texts that are not NUL-terminated, lists of words, text in a buffer.
 */
#include "core/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *
rs_text_copy(RsContext *ctx, const char *text, size_t length)
{
	char *copy = rs_alloc(ctx, length + 1);

	if (copy == NULL)
		return NULL;
	if (length > 0)
		memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

int
rs_text_shown(const char *text, size_t length)
{
	size_t shown = length < 60 ? length : 60;

	if (shown < length)
		while (shown > 0 && ((unsigned char) text[shown] & 0xc0) == 0x80)
			shown--;
	return (int) shown;
}

bool
rs_text_part(RsText *rest, RsText separator, RsText *part)
{
	const char *end = rest->data + rest->length;
	const char *at;

	while (rest->length >= separator.length &&
		   memcmp(rest->data, separator.data, separator.length) == 0)
	{
		rest->data += separator.length;
		rest->length -= separator.length;
	}
	if (rest->length == 0)
		return false;
	at = rest->data;
	while (at + separator.length <= end && memcmp(at, separator.data, separator.length) != 0)
		at++;
	part->data = rest->data;
	if (at + separator.length <= end)
	{
		part->length = (uint32_t) (at - rest->data);
		rest->data = at + separator.length;
	}
	else
	{
		part->length = rest->length;
		rest->data = end;
	}
	rest->length = (uint32_t) (end - rest->data);
	return true;
}

/* UTF-8 lead bytes in the order of UTF-16: F0.. before EE and EF. */
static inline int
utf16_rank(unsigned char c)
{
	return c == 0xee || c == 0xef ? c + 16 : c;
}

int
rs_text_compare(RsText a, RsText b)
{
	uint32_t shorter = a.length < b.length ? a.length : b.length;

	for (uint32_t i = 0; i < shorter; i++)
		if (a.data[i] != b.data[i])
			return utf16_rank((unsigned char) a.data[i]) - utf16_rank((unsigned char) b.data[i]);
	return a.length < b.length ? -1 : a.length > b.length;
}

static inline uint32_t
rotate(uint32_t x, int by)
{
	return x << by | x >> (32 - by);
}

/* Austin Appleby's public domain MurmurHash3_x86_32. */
uint32_t
rs_murmur3(const void *bytes, size_t length, uint32_t seed)
{
	const uint8_t *at = bytes;
	size_t left = length;
	uint32_t hash = seed;
	uint32_t k = 0;

	for (; left >= 4; at += 4, left -= 4)
	{
		k = (uint32_t) at[0] | (uint32_t) at[1] << 8 | (uint32_t) at[2] << 16 |
			(uint32_t) at[3] << 24;
		hash ^= rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
		hash = rotate(hash, 13) * 5 + 0xe6546b64u;
	}
	k = 0;
	for (size_t i = 0; i < left; i++)
		k |= (uint32_t) at[i] << (8 * i);
	hash ^= rotate(k * 0xcc9e2d51u, 15) * 0x1b873593u;
	hash ^= (uint32_t) length;
	hash = (hash ^ hash >> 16) * 0x85ebca6bu;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
	return hash ^ hash >> 16;
}

int
rs_find_word(const char *const *words, const char *word)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

void
rs_buffer_print(RsBuffer *buffer, const char *format, ...)
{
	bool room = buffer->used < buffer->size;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(room ? buffer->data + buffer->used : NULL,
					   room ? buffer->size - buffer->used : 0, format, args);
	va_end(args);
	buffer->used += length > 0 ? (size_t) length : 0;
}

bool
rs_buffer_keep(void *opaque, const void *bytes, size_t length)
{
	RsBuffer *buffer = opaque;

	if (buffer->used < buffer->size)
	{
		size_t room = buffer->size - 1 - buffer->used;
		size_t kept = length < room ? length : room;

		memcpy(buffer->data + buffer->used, bytes, kept);
		buffer->data[buffer->used + kept] = '\0';
	}
	buffer->used += length;
	return true;
}
