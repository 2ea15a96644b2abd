/*
 * test_encoder_parts.c
 *		What encoders are made of: vocabularies and the order of their texts.
 */
#include "encoders.h"

#include "core/encoding/vocabulary.h"

#include <time.h>

/* Labels there and back, every prefix, and what is no array of distinct texts. */
TEST(labels)
{
	static const char *const bad[] = {"",           "[\"a\"",    "[\"a\", \"a\"]", "[1]",
									  "{\"a\": 1}", "[\"a\"] x", "[\"\\u00e9\"]",  "[\"\\u0000\"]",
									  "[\"a\",]",   "[\"\n\"]",  "[[\"a\"]]",      "[\"\\q\"]"};
	const char *good = " [ \"b\",\"a\\\\\\\"\" , \"\\u0001\\t\" ,\"\",\"\xc3\xa9\"]";
	const char *canonical = "[\"b\", \"a\\\\\\\"\", \"\\u0001\\u0009\", \"\", \"\xc3\xa9\"]";
	RsContext ctx = rs_context_malloc();
	RsVocabulary v = {0};
	Text out = {0, NULL};

	CHECK(rs_vocabulary_read(&ctx, good, strlen(good), &v) == RS_OK && v.n == 5);
	CHECK(rs_vocabulary_write(&ctx, &v, keep_text, &out) == RS_OK);
	CHECK_STR(out.data, canonical);
	rs_vocabulary_free(&ctx, &v);
	for (size_t n = 0; n < out.n; n++)
		CHECK(rs_vocabulary_read(&ctx, out.data, n, &v) == RS_ERR_BYTES && v.n == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(rs_vocabulary_read(&ctx, bad[i], strlen(bad[i]), &v) == RS_ERR_BYTES);
	free(out.data);
	CHECK(ctx.memory_used == 0);
}

TEST(text_order)
{
	/* U+FFFD, U+1F600: by bytes the first is less, in UTF-16 it is greater */
	RsText bmp = {"\xef\xbf\xbd", 3}, emoji = {"\xf0\x9f\x98\x80", 4}, a = {"a", 1}, ab = {"ab", 2};
	RsText accent = {"\xc3\xa9", 2}, empty = {"", 0};

	CHECK(rs_text_compare(emoji, bmp) < 0 && rs_text_compare(bmp, emoji) > 0);
	CHECK(rs_text_compare(a, ab) < 0 && rs_text_compare(ab, a) > 0);
	CHECK(rs_text_compare(a, accent) < 0 && rs_text_compare(accent, emoji) < 0);
	CHECK(rs_text_compare(empty, a) < 0 && rs_text_compare(a, a) == 0);
}

TEST(vocabulary)
{
	RsContext ctx = rs_context_malloc();
	RsVocabulary v = {0};
	char word[32];

	for (int i = 0; i < 20000; i++)
	{
		RsText t = {word, (uint32_t) snprintf(word, sizeof(word), "%d", i % 5000)};

		CHECK(rs_vocabulary_add(&ctx, &v, t, 1 + i % 5000 / 2500) == RS_OK);
		CHECK(rs_vocabulary_find(&v, word, t.length) == i % 5000);
	}
	CHECK(v.n == 5000 && rs_vocabulary_find(&v, "4999", 4) == 4999);
	CHECK(rs_vocabulary_find(&v, "5000", 4) == -1 && rs_vocabulary_find(&v, "", 0) == -1);
	CHECK(rs_vocabulary_sort(&ctx, &v, false, 0) == RS_OK);
	CHECK(v.n == 5000 && v.count[0] == 8 && v.count[4999] == 4);
	CHECK(rs_vocabulary_find(&v, "2500", 4) == 0 && rs_vocabulary_find(&v, "0", 1) == 2500);
	CHECK(rs_vocabulary_sort(&ctx, &v, true, 8) == RS_OK && v.n == 2500);
	rs_vocabulary_free(&ctx, &v);
	CHECK(ctx.memory_used == 0);
}

static uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128) a * b;

	return (uint64_t) product ^ (uint64_t) (product >> 64);
}

/* Seconds to take n texts, chosen to collide where the hash has no key of its own. */
static double
seconds_to_add(uint32_t n, bool chosen)
{
	RsContext ctx = rs_context_malloc();
	RsVocabulary v = {0};
	clock_t started = clock();
	uint64_t seed = 3;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t word[2] = {unit_random(&seed), unit_random(&seed)};

		if (chosen)
			word[1] = fold(word[0] ^ 0x9e3779b97f4a7c15u ^ 16, 0xa0761d6478bd642fu) ^ 1234;
		CHECK(rs_vocabulary_add(&ctx, &v, (RsText){(const char *) word, 16}, 1) == RS_OK);
	}
	CHECK(v.n == n);
	rs_vocabulary_free(&ctx, &v);
	return (double) (clock() - started) / CLOCKS_PER_SEC;
}

TEST(texts_cannot_be_chosen_to_collide)
{
	double any = seconds_to_add(20000, false);
	double chosen = seconds_to_add(20000, true);

	CHECK(chosen < 10 * any + 0.05);
}

/* New texts are taken with a look for cancel now and then. */
TEST(cancel)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 2);
	RsVocabulary v = {0};
	uint32_t i;

	for (i = 0; i < 100000; i++)
		if (rs_vocabulary_add(ctx, &v, (RsText){(const char *) &i, 4}, 1) != RS_OK)
			break;
	CHECK(heap.canceled && i < 10000);
	rs_vocabulary_free(ctx, &v);
	CHECK(heap.live == 0);
}

UNIT_MAIN(labels, text_order, vocabulary, texts_cannot_be_chosen_to_collide, cancel)
