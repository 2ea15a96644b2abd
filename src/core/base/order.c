/*
 * order.c
 *		Sort item numbers by a score: descending, ties by number.
 *
 * Floats that are not negative sort as their bits do.  A stable radix sort, a
 * byte at a time from the lowest, on (inverted bits, number) starting in number
 * order, keeps ties in order without looking at the number.
 */
#include "core/base/order.h"

#include <string.h>

typedef struct Key
{
	uint32_t bits;
	uint32_t item;
} Key;

static void
radix_pass(const Key *from, Key *to, uint32_t n, int shift)
{
	uint32_t start[256] = {0};
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		start[(from[i].bits >> shift) & 255]++;
	for (int b = 0; b < 256; b++)
	{
		uint32_t count = start[b];

		start[b] = sum;
		sum += count;
	}
	for (uint32_t i = 0; i < n; i++)
		to[start[(from[i].bits >> shift) & 255]++] = from[i];
}

RsStatus
rs_order_descending(RsContext *ctx, const float *value, uint32_t n, uint32_t *order)
{
	Key *a = rs_alloc(ctx, (size_t) n * sizeof(Key));
	Key *b = a != NULL ? rs_alloc(ctx, (size_t) n * sizeof(Key)) : NULL;

	if (b == NULL)
	{
		rs_free(ctx, a);
		return ctx->status;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		float positive = value[i] + 0.0f; /* no -0 */

		memcpy(&a[i].bits, &positive, sizeof(positive));
		a[i].bits = ~a[i].bits;
		a[i].item = i;
	}
	for (int shift = 0; shift < 32; shift += 8)
	{
		Key *swap = a;

		radix_pass(a, b, n, shift);
		a = b;
		b = swap;
	}
	for (uint32_t i = 0; i < n; i++)
		order[i] = a[i].item;
	rs_free(ctx, a);
	rs_free(ctx, b);
	return RS_OK;
}
