/*
 * test_base.c
 *		The tools of the core: exact sums, sorting, cells, random numbers, hashes.
 */
#include "unit.h"

#include <float.h>

#include "core/base/cells.h"
#include "core/base/exactsum.h"
#include "core/base/random.h"
#include "core/base/sort.h"
#include "core/base/text.h"

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
	/* nothing, less than nothing, no deviation */
	memset(&forth, 0, sizeof(forth));
	memset(&squares, 0, sizeof(squares));
	CHECK(rs_exact_mean(&forth, 1) == 0);
	rs_exact_add(&forth, -0x1.8p-1070, 4);
	CHECK(rs_exact_mean(&forth, 4) == -0x1.8p-1070);
	rs_exact_add(&forth, 0x1.8p-1070, 4);
	rs_exact_add(&forth, -3, 7);
	rs_exact_add_square(&squares, -3, 7);
	CHECK(rs_exact_mean(&forth, 7) == -3);
	CHECK(rs_exact_squared_deviations(&forth, &squares, 7) == 0);
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

TEST(order_by_value)
{
	UnitHeap heap;
	float value[] = {0, 2, -0.0f, 2, 1e-45f, INFINITY};
	uint32_t order[6];
	static const uint32_t expected[] = {5, 1, 3, 4, 0, 2};

	CHECK(rs_order_descending(unit_heap(&heap, 0, 0), value, 6, order) == RS_OK);
	CHECK(memcmp(order, expected, sizeof(expected)) == 0);
	CHECK(heap.live == 0);
}

/* Equal items in any order sum to the same bits; what sums to 0 is left out. */
TEST(cells_are_summed)
{
	static const uint32_t item[] = {5, 2, 5, 9, 2, 5, 7, 9, 11, 11};
	static const float weight[] = {1, 3, 1e30f, 4, -3, -1e30f, 3e38f, -1, 2e38f, 3e38f};
	static const uint32_t order[] = {9, 3, 5, 0, 8, 2, 7, 1, 6, 4};
	uint32_t other_item[10];
	float other_weight[10];
	RsCells cells;
	RsCells other;

	for (int i = 0; i < 10; i++)
	{
		other_item[i] = item[order[i]];
		other_weight[i] = weight[order[i]];
	}
	for (long at = 0; at < 3; at++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, at, 0);

		CHECK(rs_cells_create(ctx, item, weight, 10, &cells) == (at == 1 ? RS_ERR_NOMEM : RS_OK));
		if (at == 1)
			continue;
		CHECK(rs_cells_create(ctx, other_item, other_weight, 10, &other) ==
			  (at == 2 ? RS_ERR_NOMEM : RS_OK));
		if (at == 0)
		{
			CHECK(cells.n == 3 && other.n == 3);
			CHECK(cells.item[0] == 7 && cells.item[1] == 9 && cells.item[2] == 11);
			CHECK(cells.weight[0] == 3e38f && cells.weight[1] == 3 && cells.weight[2] == FLT_MAX);
			CHECK(memcmp(cells.item, other.item, 3 * sizeof(uint32_t)) == 0);
			CHECK(memcmp(cells.weight, other.weight, 3 * sizeof(float)) == 0);
			rs_cells_free(ctx, &other);
		}
		rs_cells_free(ctx, &cells);
		CHECK(heap.live == 0);
	}
}

/* Models depend on these: they must stay what they are. */
TEST(random_numbers_stay)
{
	double sum = 0;
	double squares = 0;

	CHECK(rs_random(0, 0, 0) == 0xb6cf6026ab61f402 && rs_random(1, 2, 3) == 0x00cdec33313bcec5);
	CHECK(rs_random(7, 1, 2) != rs_random(7, 2, 1));
	CHECK(rs_random_uniform(1, 2, 3) == (double) (0x00cdec33313bcec5 >> 11) * 0x1p-53);
	for (uint64_t i = 0; i < 10000; i++)
	{
		double x = rs_random_normal(42, i);

		sum += x;
		squares += x * x;
	}
	CHECK_NEAR(sum / 10000, 0, 0.05);
	CHECK_NEAR(squares / 10000, 1, 0.05);
	CHECK(rs_random_normal(42, 3) == -0x1.ee6b5845b955cp-1);
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

/* Bounds on memory, sizes that no memory has, blocks that grow. */
TEST(memory)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 3, 0);
	char *block;
	char *larger;

	CHECK(rs_alloc(ctx, SIZE_MAX - 1) == NULL && ctx->status == RS_ERR_NOMEM);
	CHECK(rs_calloc(ctx, SIZE_MAX / 4, 8) == NULL && ctx->status == RS_ERR_NOMEM);
	rs_free(ctx, rs_calloc(ctx, SIZE_MAX, 0));
	CHECK(heap.calls == 1);
	ctx->memory_limit = 1024;
	CHECK(rs_alloc(ctx, 1024) == NULL && ctx->status == RS_ERR_LIMIT);
	ctx->memory_limit = 1;
	CHECK(rs_alloc(ctx, 0) == NULL && ctx->status == RS_ERR_LIMIT);
	ctx = unit_heap(&heap, 4, 0);
	block = rs_grow(ctx, NULL, 0, 3);
	memcpy(block, "abc", 3);
	CHECK((uintptr_t) block % 64 == 0);
	larger = rs_grow(ctx, block, 3, 100);
	CHECK(larger != NULL && memcmp(larger, "abc", 3) == 0 && heap.live == 1);
	rs_free(ctx, rs_alloc(ctx, 10));
	CHECK(rs_grow(ctx, larger, 100, 200) == NULL && memcmp(larger, "abc", 3) == 0);
	rs_free(ctx, larger);
	rs_free(ctx, NULL);
	CHECK(heap.live == 0 && ctx->memory_used == 0);
}

TEST(texts)
{
	static const char *const words[] = {"one", "two", NULL};
	static const char *const parts[] = {"a", "bc", "d"};
	RsContext ctx = rs_context_malloc();
	RsText rest = {"::a::bc::::d::", 14};
	RsText separator = {"::", 2};
	RsText part;
	char small[6];
	RsBuffer buffer = {small, sizeof(small), 0};
	char *copy = rs_text_copy(&ctx, NULL, 0);
	int n = 0;

	CHECK(copy != NULL && copy[0] == '\0');
	rs_free(&ctx, copy);
	for (; rs_text_part(&rest, separator, &part); n++)
		CHECK(part.length == strlen(parts[n]) && memcmp(part.data, parts[n], part.length) == 0);
	CHECK(n == 3);
	rest = (RsText){"x:", 2}; /* half a separator is none */
	CHECK(rs_text_part(&rest, separator, &part) && part.length == 2 && rest.length == 0);
	CHECK(rs_find_word(words, "two") == 1 && rs_find_word(words, "three") == -1);
	CHECK(rs_text_shown("short", 5) == 5);
	CHECK(rs_buffer_keep(&buffer, "ab", 2));
	CHECK_STR(small, "ab");
	CHECK(rs_buffer_keep(&buffer, "cdef", 4) && buffer.used == 6);
	CHECK_STR(small, "abcde");
	CHECK(rs_buffer_keep(&buffer, "gh", 2) && buffer.used == 8);
	rs_buffer_print(&buffer, "%d", 123);
	CHECK(buffer.used == 11);
	CHECK_STR(small, "abcde");
}

UNIT_MAIN(memory, texts, sums_are_exact, numbers_sorted, order_by_value, cells_are_summed,
		  random_numbers_stay, murmur)
