/*
 * unit.h
 *		A tiny test harness for the core: no server, no library.
 *
 *		TEST(adds_up)
 *		{
 *			CHECK(1 + 1 == 2);
 *			CHECK_NEAR(0.1 + 0.2, 0.3, 1e-12);
 *		}
 *
 *		UNIT_MAIN(adds_up)
 *
 * Each failing check is printed with its file and line; a test fails when one
 * of its checks does.  The last line is "N passed, N failed".
 *
 * UnitHeap is a context that counts what is alive and can make the n-th
 * allocation and all after it fail, or cancel at the n-th poll:
 *
 *		for (long n = 1;; n++)
 *		{
 *			UnitHeap heap;
 *			RsContext *ctx = unit_heap(&heap, n, 0);
 *			RsStatus status = work(ctx);		-- frees its results
 *
 *			CHECK(heap.live == 0);
 *			if (!heap.failed)
 *				break;
 *			CHECK(status == RS_ERR_NOMEM);
 *		}
 */
#ifndef RS_UNIT_H
#define RS_UNIT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/context.h"

#define UNIT_UNUSED __attribute__((unused))

static int unit_failed_checks UNIT_UNUSED = 0;

#define TEST(name) static void name(void)

#define CHECK(condition)                                                                           \
	do                                                                                             \
	{                                                                                              \
		if (!(condition))                                                                          \
		{                                                                                          \
			unit_failed_checks++;                                                                  \
			printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                         \
		}                                                                                          \
	} while (0)

/* |a - b| <= tolerance; two NaN are near. */
#define CHECK_NEAR(a, b, tolerance)                                                                \
	do                                                                                             \
	{                                                                                              \
		double unit_a = (a), unit_b = (b), unit_t = (tolerance);                                   \
                                                                                                   \
		if (!(fabs(unit_a - unit_b) <= unit_t || unit_a == unit_b ||                               \
			  (isnan(unit_a) && isnan(unit_b))))                                                   \
		{                                                                                          \
			unit_failed_checks++;                                                                  \
			printf("%s:%d: failed: %s (%.9g) near %s (%.9g) within %.3g\n", __FILE__, __LINE__,    \
				   #a, unit_a, #b, unit_b, unit_t);                                                \
		}                                                                                          \
	} while (0)

#define CHECK_STR(a, b)                                                                            \
	do                                                                                             \
	{                                                                                              \
		const char *unit_a = (a), *unit_b = (b);                                                   \
                                                                                                   \
		if (strcmp(unit_a, unit_b) != 0)                                                           \
		{                                                                                          \
			unit_failed_checks++;                                                                  \
			printf("%s:%d: failed: \"%s\" is not \"%s\"\n", __FILE__, __LINE__, unit_a, unit_b);   \
		}                                                                                          \
	} while (0)

typedef struct UnitHeap
{
	RsContext ctx;
	long live;      /* allocations not freed yet */
	long calls;     /* allocations asked for */
	long polls;     /* times interrupted() was asked */
	long reports;   /* times report() was called */
	long fail_at;   /* this call and all after it fail; 0 = never */
	long cancel_at; /* this poll and all after it say stop; 0 = never */
	bool failed;    /* some allocation was made to fail */
	bool canceled;  /* some poll said stop */
} UnitHeap;

static UNIT_UNUSED void *
unit_alloc(void *opaque, size_t size)
{
	UnitHeap *heap = opaque;
	void *pointer;

	heap->calls++;
	if (heap->fail_at > 0 && heap->calls >= heap->fail_at)
	{
		heap->failed = true;
		return NULL;
	}
	pointer = malloc(size);
	if (pointer != NULL)
		heap->live++;
	return pointer;
}

static UNIT_UNUSED void
unit_free(void *opaque, void *pointer)
{
	UnitHeap *heap = opaque;

	if (pointer != NULL)
		heap->live--;
	free(pointer);
}

static UNIT_UNUSED bool
unit_interrupted(void *opaque)
{
	UnitHeap *heap = opaque;

	heap->polls++;
	if (heap->cancel_at > 0 && heap->polls >= heap->cancel_at)
		heap->canceled = true;
	return heap->canceled;
}

static UNIT_UNUSED void
unit_report(void *opaque, const RsProgress *progress)
{
	UnitHeap *heap = opaque;

	(void) progress;
	heap->reports++;
}

/* Make heap ready; its context has one thread and no limit. */
static UNIT_UNUSED RsContext *
unit_heap(UnitHeap *heap, long fail_at, long cancel_at)
{
	memset(heap, 0, sizeof *heap);
	heap->ctx.alloc = unit_alloc;
	heap->ctx.free = unit_free;
	heap->ctx.interrupted = unit_interrupted;
	heap->ctx.report = unit_report;
	heap->ctx.opaque = heap;
	heap->ctx.threads = 1;
	heap->fail_at = fail_at;
	heap->cancel_at = cancel_at;
	return &heap->ctx;
}

/* Deterministic random bits (splitmix64), a uniform double and a normal one. */
static UNIT_UNUSED uint64_t
unit_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static UNIT_UNUSED double
unit_uniform(uint64_t *state)
{
	return (double) (unit_random(state) >> 11) * 0x1.0p-53;
}

static UNIT_UNUSED double
unit_normal(uint64_t *state)
{
	double u = unit_uniform(state);

	return sqrt(-2.0 * log(1.0 - u)) * cos(6.283185307179586 * unit_uniform(state));
}

typedef void (*UnitTest)(void);

/* names: "a, b, c", in the order of tests. */
static UNIT_UNUSED int
unit_run(const UnitTest *tests, int count, const char *names)
{
	int passed = 0;

	for (int i = 0; i < count; i++)
	{
		int before = unit_failed_checks;
		int length = (int) strcspn(names, ", ");

		tests[i]();
		if (unit_failed_checks == before)
			passed++;
		else
			printf("failed test: %.*s\n", length, names);
		names += length;
		names += strspn(names, ", ");
	}
	printf("%d passed, %d failed\n", passed, count - passed);
	return passed == count ? 0 : 1;
}

#define UNIT_MAIN(...)                                                                             \
	int main(void)                                                                                 \
	{                                                                                              \
		static const UnitTest tests[] = {__VA_ARGS__};                                             \
                                                                                                   \
		return unit_run(tests, (int) (sizeof tests / sizeof tests[0]), #__VA_ARGS__);              \
	}

#endif
