/*
 * test_encoder_parts.c
 *		What encoders are made of: exact sums, sorting, hashes, vocabularies.
 */
#include "encoders.h"

#include "core/encoding/encoder_state.h"
#include "core/base/exactsum.h"
#include "core/base/sort.h"

TEST(sums_are_exact)
{
	uint64_t state = 7;
	double values[1000];
	RsExactSum forth = {0}, back = {0}, squares = {0};
	double sum = 0;

	for (int i = 0; i < 1000; i++)
		values[i] = ldexp(unit_uniform(&state) - 0.5, (int) (unit_random(&state) % 120) - 60);
	for (int i = 0; i < 1000; i++)
	{
		rs_exact_add(&forth, values[i], 1);
		rs_exact_add(&back, values[999 - i], 1);
	}
	CHECK(rs_exact_mean(&forth, 1) == rs_exact_mean(&back, 1));
	/* what rounding loses: 1e300 + 1 - 1e300 = 1 */
	memset(&forth, 0, sizeof(forth));
	rs_exact_add(&forth, 1e300, 1);
	rs_exact_add(&forth, 1, 1);
	rs_exact_add(&forth, -1e300, 1);
	CHECK(rs_exact_mean(&forth, 1) == 1);
	memset(&forth, 0, sizeof(forth));
	rs_exact_add(&forth, 0x1p-1074, 3);
	CHECK(rs_exact_mean(&forth, 1) == 3 * 0x1p-1074);
	memset(&forth, 0, sizeof(forth));
	rs_exact_add(&forth, 1.7e308, 1000);
	CHECK_NEAR(rs_exact_mean(&forth, 1000) / 1.7e308, 1, 1e-15);
	/* a deviation that a mean of 1e9 hides from doubles */
	memset(&forth, 0, sizeof(forth));
	for (int i = 0; i < 10; i++)
	{
		double x = 1e9 + i * 0x1p-10;

		rs_exact_add(&forth, x, 1);
		rs_exact_add_square(&squares, x, 1);
		sum += (i - 4.5) * (i - 4.5) * 0x1p-20;
	}
	CHECK_NEAR(rs_exact_squared_deviations(&forth, &squares, 10), sum, 1e-18);
	memset(&forth, 0, sizeof(forth));
	memset(&squares, 0, sizeof(squares));
	rs_exact_add_square(&squares, 3, 1u << 30);
	rs_exact_add(&forth, 0, 1);
	CHECK(rs_exact_squared_deviations(&forth, &squares, 1) == 9.0 * (1u << 30));
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *) a, y = *(const double *) b;

	return x < y ? -1 : x > y;
}

TEST(numbers_sorted)
{
	static const uint64_t sizes[] = {0, 1, 2, 100, 5000};
	uint64_t state = 5;

	for (int trial = 0; trial < 20; trial++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		uint64_t n = sizes[trial % 5];
		double values[5001], want[5001];

		for (uint64_t i = 0; i < n; i++)
			want[i] = values[i] = trial < 5 ? (double) (unit_random(&state) % 7)
								  : trial < 10
									  ? unit_normal(&state)
									  : ldexp(unit_uniform(&state) - 0.5, (int) (i % 2000) - 1000);
		qsort(want, n, sizeof(double), compare_doubles);
		CHECK(rs_sort_numbers(ctx, values, n) == RS_OK && heap.live == 0);
		CHECK(memcmp(values, want, n * sizeof(double)) == 0);
	}
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 2);
		double values[2] = {INFINITY, -INFINITY};

		CHECK(rs_sort_numbers(ctx, values, 2) == RS_ERR_CANCELED && heap.live == 0);
	}
}

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

TEST(murmur)
{
	/* published test vectors of MurmurHash3_x86_32 */
	CHECK(rs_murmur3("", 0, 0) == 0);
	CHECK(rs_murmur3("", 0, 1) == 0x514e28b7);
	CHECK(rs_murmur3("test", 4, 0) == 0xba6bd213);
	CHECK(rs_murmur3("Hello, world!", 13, 0) == 0xc0363e43);
	CHECK(rs_murmur3("The quick brown fox jumps over the lazy dog", 43, 0) == 0x2e4ff723);
}

TEST(vocabulary)
{
	RsContext ctx = rs_context_malloc();
	RsVocabulary v = {0};
	char word[32];
	uint32_t code;

	for (int i = 0; i < 20000; i++)
	{
		RsText t = {word, (uint32_t) snprintf(word, sizeof(word), "%d", i % 5000)};

		CHECK(rs_vocabulary_add(&ctx, &v, t, 1 + i % 5000 / 2500, &code) == RS_OK);
		CHECK(code == (uint32_t) (i % 5000));
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

UNIT_MAIN(sums_are_exact, numbers_sorted, labels, text_order, murmur, vocabulary)
