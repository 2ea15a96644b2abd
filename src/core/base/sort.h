/*
 * sort.h
 *		Sorting that asks for its memory and can be cancelled: anything in place,
 *		specialised where it is included; scores and doubles by radix.
 */
#ifndef RS_SORT_H
#define RS_SORT_H

#include "core/base/context.h"

#define RS_SORT_SHORT 24
#define RS_SORT_POLL 65536 /* steps between two questions for cancel */

typedef bool (*RsLess)(const void *array, uint64_t a, uint64_t b);
typedef void (*RsSwap)(void *array, uint64_t a, uint64_t b);

static inline __attribute__((always_inline)) void
rs_sift_down(void *array, uint64_t root, uint64_t n, RsLess less, RsSwap swap)
{
	for (;;)
	{
		uint64_t child = 2 * root + 1;

		if (child >= n)
			return;
		if (child + 1 < n && less(array, child, child + 1))
			child++;
		if (!less(array, root, child))
			return;
		swap(array, root, child);
		root = child;
	}
}

/* Nothing for sorted input, insertion for short ones, else heap sort.  Polls
 * for cancel if ctx is given. */
static inline __attribute__((always_inline)) RsStatus
rs_sort_in_place(RsContext *ctx, void *array, uint64_t n, RsLess less, RsSwap swap)
{
	uint64_t i;
	uint64_t j;

	for (i = 1; i < n && !less(array, i, i - 1); i++)
		;
	if (i >= n)
		return RS_OK;
	if (n <= RS_SORT_SHORT)
	{
		for (; i < n; i++)
			for (j = i; j > 0 && less(array, j, j - 1); j--)
				swap(array, j, j - 1);
		return RS_OK;
	}
	for (i = n / 2; i-- > 0;)
		rs_sift_down(array, i, n, less, swap);
	for (i = n - 1; i > 0; i--)
	{
		if (ctx != NULL && i % RS_SORT_POLL == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		swap(array, 0, i);
		rs_sift_down(array, 0, i, less, swap);
	}
	return RS_OK;
}

/*
 * order[0 .. n-1] becomes the numbers 0 .. n-1 by descending value, ties
 * ascending.  No value is NaN or below 0.  Takes 16 bytes a value for the
 * while of the call.
 */
extern RsStatus rs_order_descending(RsContext *ctx, const float *value, uint32_t n,
									uint32_t *order);

/* Ascending; no NaN.  Takes 8 bytes a value for the while of the call. */
extern RsStatus rs_sort_numbers(RsContext *ctx, double *values, uint64_t n);

#endif
