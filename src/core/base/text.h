/*
 * text.h
 *		Texts that are not NUL-terminated, lists of words, text in a buffer.
 */
#ifndef RS_TEXT_H
#define RS_TEXT_H

#include "core/base/context.h"

typedef struct RsText
{
	const char *data; /* not NUL-terminated; NULL: there is none */
	uint32_t length;
} RsText;

/* A copy with a NUL behind it. */
extern char *rs_text_copy(RsContext *ctx, const char *text, size_t length);

/* Bytes of a text to show in a message: at most 60, no half UTF-8 character. */
extern int rs_text_shown(const char *text, size_t length);

/* The next part of a text cut at a separator; false after the last.  Empty
 * parts are passed over. */
extern bool rs_text_part(RsText *rest, RsText separator, RsText *part);

/*
 * Order of two texts in UTF-8 as Java has it, by UTF-16 code units: that of the
 * bytes, except that a character beyond U+FFFF (a pair of surrogates) sorts
 * before U+E000 to U+FFFF.
 */
extern int rs_text_compare(RsText a, RsText b);

/* MurmurHash3 x86 32 bits, as Spark's HashingTF and FeatureHasher have it. */
extern uint32_t rs_murmur3(const void *bytes, size_t length, uint32_t seed);

/* Index of word in a list that ends with NULL, or -1. */
extern int rs_find_word(const char *const *words, const char *word);

/* A text that is counted whole, kept as far as there is room, and ends with a
 * NUL where there is any. */
typedef struct RsBuffer
{
	char *data;
	size_t size;
	size_t used; /* may pass size */
} RsBuffer;

extern void rs_buffer_print(RsBuffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* An RsSink whose opaque is an RsBuffer. */
extern bool rs_buffer_keep(void *opaque, const void *bytes, size_t length);

#endif
