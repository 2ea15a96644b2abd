/*
 * vocabulary.h
 *		Distinct texts with a number and a count each.
 *
 * While it is filled, texts are numbered as they come; sorting numbers them by
 * count, largest first, ties alphabetical.
 */
#ifndef RS_VOCABULARY_H
#define RS_VOCABULARY_H

#include "core/base/json_read.h"
#include "core/base/json_write.h"
#include "core/base/text.h"

#define RS_MAX_CATEGORIES 0x40000000u

typedef struct RsSlot
{
	uint32_t hash;
	uint32_t code; /* number + 1; 0 = empty */
} RsSlot;

typedef struct RsVocabulary
{
	uint32_t n;
	uint32_t room;   /* for texts and counts */
	uint64_t *start; /* [n + 1] offsets into text */
	uint64_t *count; /* [n] */
	char *text;
	uint64_t text_room;
	RsSlot *slots; /* [mask + 1], at most half full */
	uint32_t mask;
	uint64_t key[2]; /* of the hash: texts may come from strangers */
} RsVocabulary;

/* An empty one is all zeros. */
extern void rs_vocabulary_free(RsContext *ctx, RsVocabulary *v);

/* Count a text. */
extern RsStatus rs_vocabulary_add(RsContext *ctx, RsVocabulary *v, RsText text, uint64_t count);

/* Number of a text, or -1. */
extern int64_t rs_vocabulary_find(const RsVocabulary *v, const char *text, uint32_t length);

static inline RsText
rs_vocabulary_text(const RsVocabulary *v, uint32_t code)
{
	RsText text = {v->text + v->start[code], (uint32_t) (v->start[code + 1] - v->start[code])};

	return text;
}

/* Number by count descending, ties alphabetical, or by alphabet alone, and leave
 * out what counts less than min_count. */
extern RsStatus rs_vocabulary_sort(RsContext *ctx, RsVocabulary *v, bool alphabetical,
								   uint64_t min_count);

/* ["M", "F"] into an empty vocabulary; false also where one is there twice. */
extern bool rs_vocabulary_take(RsContext *ctx, RsJson *json, RsVocabulary *v);
extern void rs_vocabulary_put(RsJsonOut *out, const RsVocabulary *v);

/* The same as bytes, the value of a string indexer: the counts are not in it.  v
 * is empty before reading, and after a failure.  RS_ERR_BYTES. */
extern RsStatus rs_vocabulary_read(RsContext *ctx, const char *bytes, size_t length,
								   RsVocabulary *v);
extern RsStatus rs_vocabulary_write(RsContext *ctx, const RsVocabulary *v, RsSink sink,
									void *opaque);

#endif
