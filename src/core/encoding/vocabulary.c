/*
 * vocabulary.c
 *		Distinct texts with a number and a count each: an open-addressing table
 *		over one arena of text.
 */
#include "core/encoding/vocabulary.h"

#include "core/base/sort.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#define FIRST_ROOM 16
#define FIRST_TEXT 256
#define POLL_EVERY 4096 /* new texts between two questions for cancel */

void
rs_vocabulary_free(RsContext *ctx, RsVocabulary *v)
{
	rs_free(ctx, v->start);
	rs_free(ctx, v->count);
	rs_free(ctx, v->text);
	rs_free(ctx, v->slots);
	memset(v, 0, sizeof(*v));
}

static inline uint64_t
mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128) a * b;

	return (uint64_t) product ^ (uint64_t) (product >> 64);
}

/* Multiply and fold 8 bytes at a time, as wyhash does, by factors that nobody
 * outside knows: texts cannot be chosen to collide.  Nothing that anybody sees
 * depends on them. */
static inline uint32_t
hash_text(const RsVocabulary *v, const char *text, uint32_t length)
{
	uint64_t h = v->key[0] ^ length;
	uint64_t word;

	for (; length > 8; text += 8, length -= 8)
	{
		memcpy(&word, text, 8);
		h = mix(h ^ word, v->key[1]);
	}
	word = 0;
	if (length >= 4)
	{
		uint32_t low;
		uint32_t high;

		memcpy(&low, text, 4);
		memcpy(&high, text + length - 4, 4);
		word = (uint64_t) high << 32 | low;
	}
	else if (length > 0)
		word = (uint64_t) (uint8_t) text[0] | (uint64_t) (uint8_t) text[length / 2] << 8 |
			   (uint64_t) (uint8_t) text[length - 1] << 16;
	h = mix(mix(h ^ word, v->key[1]) ^ v->key[0], v->key[1]);
	return (uint32_t) (h ^ h >> 32);
}

static inline bool
same_text(const RsVocabulary *v, uint32_t code, const char *text, uint32_t length)
{
	return v->start[code + 1] - v->start[code] == length &&
		   memcmp(v->text + v->start[code], text, length) == 0;
}

int64_t
rs_vocabulary_find(const RsVocabulary *v, const char *text, uint32_t length)
{
	uint32_t hash;
	uint32_t i;

	if (v->n == 0)
		return -1;
	hash = hash_text(v, text, length);
	for (i = hash & v->mask; v->slots[i].code != 0; i = (i + 1) & v->mask)
		if (v->slots[i].hash == hash && same_text(v, v->slots[i].code - 1, text, length))
			return v->slots[i].code - 1;
	return -1;
}

static void
put_slot(RsSlot *slots, uint32_t mask, uint32_t hash, uint32_t code)
{
	uint32_t i = hash & mask;

	while (slots[i].code != 0)
		i = (i + 1) & mask;
	slots[i].hash = hash;
	slots[i].code = code + 1;
}

/* A key that cannot be guessed; without a source of such, one that differs. */
static void
draw_key(uint64_t key[2])
{
	struct timespec now;

	if (getrandom(key, 2 * sizeof(key[0]), GRND_NONBLOCK) != (ssize_t) (2 * sizeof(key[0])))
	{
		clock_gettime(CLOCK_MONOTONIC, &now);
		key[0] = (uintptr_t) key * 0x9e3779b97f4a7c15u ^ (uint64_t) now.tv_nsec;
		key[1] = mix(key[0], 0xa0761d6478bd642fu);
	}
	key[1] |= 1;
}

/* Room for one more text of length bytes. */
static RsStatus
reserve(RsContext *ctx, RsVocabulary *v, uint32_t length)
{
	uint64_t used = v->n > 0 ? v->start[v->n] : 0;
	void *block;

	if (v->n >= v->room)
	{
		uint32_t room = v->room > 0 ? v->room * 2 : FIRST_ROOM;
		RsSlot *slots;

		if (v->room == 0)
			draw_key(v->key);
		if (room > RS_MAX_CATEGORIES)
		{
			rs_fail(ctx, RS_ERR_LIMIT, "too many categories");
			rs_hint(ctx, "Use \"encode\": \"hash\" for a column of that many values.");
			return RS_ERR_LIMIT;
		}
		if ((block = rs_grow(ctx, v->start, v->n > 0 ? ((size_t) v->n + 1) * 8 : 0,
							 ((size_t) room + 1) * 8)) == NULL)
			return ctx->status;
		v->start = block;
		if ((block = rs_grow(ctx, v->count, (size_t) v->n * 8, (size_t) room * 8)) == NULL)
			return ctx->status;
		v->count = block;
		if ((slots = rs_calloc(ctx, (size_t) room * 2, sizeof(RsSlot))) == NULL)
			return ctx->status;
		for (uint32_t i = 0; v->n > 0 && i <= v->mask; i++)
			if (v->slots[i].code != 0)
				put_slot(slots, room * 2 - 1, v->slots[i].hash, v->slots[i].code - 1);
		rs_free(ctx, v->slots);
		v->slots = slots;
		v->mask = room * 2 - 1;
		v->room = room;
		if (v->n == 0)
			v->start[0] = 0;
	}
	if (v->text == NULL || used + length > v->text_room)
	{
		uint64_t room = v->text_room > 0 ? v->text_room * 2 : FIRST_TEXT;

		while (room < used + length)
			room *= 2;
		if ((block = rs_grow(ctx, v->text, used, room)) == NULL)
			return ctx->status;
		v->text = block;
		v->text_room = room;
	}
	return RS_OK;
}

RsStatus
rs_vocabulary_add(RsContext *ctx, RsVocabulary *v, RsText text, uint64_t count)
{
	int64_t found = rs_vocabulary_find(v, text.data, text.length);

	if (found < 0)
	{
		if ((v->n % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK) ||
			reserve(ctx, v, text.length) != RS_OK)
			return ctx->status;
		memcpy(v->text + v->start[v->n], text.data, text.length);
		v->start[v->n + 1] = v->start[v->n] + text.length;
		v->count[v->n] = 0;
		put_slot(v->slots, v->mask, hash_text(v, text.data, text.length), v->n);
		found = v->n++;
	}
	v->count[found] += count;
	return RS_OK;
}

typedef struct Ranked
{
	uint64_t count;
	RsText text;
} Ranked;

static bool
less_alphabetical(const void *array, uint64_t a, uint64_t b)
{
	const Ranked *ranked = array;

	return rs_text_compare(ranked[a].text, ranked[b].text) < 0;
}

static bool
less_ranked(const void *array, uint64_t a, uint64_t b)
{
	const Ranked *ranked = array;

	if (ranked[a].count != ranked[b].count)
		return ranked[a].count > ranked[b].count;
	return less_alphabetical(array, a, b);
}

static void
swap_ranked(void *array, uint64_t a, uint64_t b)
{
	Ranked *ranked = array;
	Ranked held = ranked[a];

	ranked[a] = ranked[b];
	ranked[b] = held;
}

RsStatus
rs_vocabulary_sort(RsContext *ctx, RsVocabulary *v, bool alphabetical, uint64_t min_count)
{
	RsVocabulary sorted = {0};
	Ranked *ranked = rs_alloc(ctx, (size_t) v->n * sizeof(Ranked));
	uint32_t n = 0;
	RsStatus status = RS_OK;

	if (ranked == NULL)
		return ctx->status;
	for (uint32_t i = 0; i < v->n; i++)
	{
		if (v->count[i] < min_count)
			continue;
		ranked[n].count = v->count[i];
		ranked[n++].text = rs_vocabulary_text(v, i);
	}
	if (alphabetical)
		status = rs_sort_in_place(ctx, ranked, n, less_alphabetical, swap_ranked);
	else
		status = rs_sort_in_place(ctx, ranked, n, less_ranked, swap_ranked);
	for (uint32_t i = 0; i < n && status == RS_OK; i++)
		status = rs_vocabulary_add(ctx, &sorted, ranked[i].text, ranked[i].count);
	rs_free(ctx, ranked);
	if (status != RS_OK)
	{
		rs_vocabulary_free(ctx, &sorted);
		return status;
	}
	rs_vocabulary_free(ctx, v);
	*v = sorted;
	return RS_OK;
}

/* --- as JSON --- */

bool
rs_vocabulary_take(RsContext *ctx, RsJson *json, RsVocabulary *v)
{
	bool first = true;

	rs_json_take(json, '[');
	while (rs_json_more(json, ']', &first))
	{
		RsText text;
		uint32_t n = v->n;
		RsStatus status;

		text.data = rs_json_copy_text(ctx, json, &text.length);
		if (text.data == NULL)
			return false;
		status = rs_vocabulary_add(ctx, v, text, 0);
		rs_free(ctx, (void *) text.data);
		if (status != RS_OK || v->n == n)
			return false;
	}
	return !json->failed;
}

void
rs_vocabulary_put(RsJsonOut *out, const RsVocabulary *v)
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
	if (rs_vocabulary_take(ctx, &json, v) && rs_json_done(&json))
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
	rs_vocabulary_put(&out, v);
	return rs_json_flush(&out);
}
