/*
 * sort.c
 *		Sorting by radix: passes over the bytes of 64 bit keys, the lowest first,
 *		of which those are left out whose byte is the same in all.
 *
 * Not the C library's qsort: that asks no one for its memory and cannot be
 * cancelled.
 */
#include "core/base/sort.h"

#include <string.h>

/* Sort by the bytes from first_byte up, stable; *sorted is keys or scratch. */
static RsStatus
radix_sort(RsContext *ctx, uint64_t *keys, uint64_t *scratch, uint64_t n, int first_byte,
		   uint64_t **sorted)
{
	uint64_t count[8][256];
	uint64_t *from = keys;
	uint64_t *to = scratch;

	*sorted = keys;
	if (n == 0)
		return RS_OK;
	memset(count, 0, sizeof(count));
	for (uint64_t i = 0; i < n; i++)
		for (int byte = first_byte; byte < 8; byte++)
			count[byte][keys[i] >> (8 * byte) & 0xff]++;
	for (int byte = first_byte; byte < 8; byte++)
	{
		uint64_t start = 0;
		uint64_t *swap = from;

		if (count[byte][from[0] >> (8 * byte) & 0xff] == n)
			continue;
		for (int i = 0; i < 256; i++)
		{
			uint64_t here = count[byte][i];

			count[byte][i] = start;
			start += here;
		}
		for (uint64_t i = 0; i < n; i++)
			to[count[byte][from[i] >> (8 * byte) & 0xff]++] = from[i];
		from = to;
		to = swap;
		if (rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
	}
	*sorted = from;
	return RS_OK;
}

/* Floats that are not negative sort as their bits do; a stable sort by these,
 * inverted, that starts in number order keeps ties in order. */
RsStatus
rs_order_descending(RsContext *ctx, const float *value, uint32_t n, uint32_t *order)
{
	uint64_t *keys = rs_alloc(ctx, (size_t) n * sizeof(uint64_t));
	uint64_t *scratch = keys != NULL ? rs_alloc(ctx, (size_t) n * sizeof(uint64_t)) : NULL;
	uint64_t *sorted;
	RsStatus status = scratch != NULL ? RS_OK : ctx->status;

	for (uint32_t i = 0; status == RS_OK && i < n; i++)
	{
		float positive = value[i] + 0.0f; /* no -0 */
		uint32_t bits;

		memcpy(&bits, &positive, sizeof(bits));
		keys[i] = (uint64_t) ~bits << 32 | i;
	}
	if (status == RS_OK)
		status = radix_sort(ctx, keys, scratch, n, 4, &sorted);
	for (uint32_t i = 0; status == RS_OK && i < n; i++)
		order[i] = (uint32_t) sorted[i];
	rs_free(ctx, keys);
	rs_free(ctx, scratch);
	return status;
}

/* The bits of a double, changed so that they sort as it does. */
static inline uint64_t
key_of(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits >> 63 ? ~bits : bits | 0x8000000000000000;
}

static inline double
value_of(uint64_t key)
{
	uint64_t bits = key >> 63 ? key & 0x7fffffffffffffff : ~key;
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

RsStatus
rs_sort_numbers(RsContext *ctx, double *values, uint64_t n)
{
	uint64_t *scratch = rs_alloc(ctx, n * sizeof(uint64_t));
	uint64_t *sorted;
	RsStatus status = scratch != NULL ? RS_OK : ctx->status;

	for (uint64_t i = 0; status == RS_OK && i < n; i++)
	{
		uint64_t key = key_of(values[i]);

		memcpy(&values[i], &key, sizeof(key));
	}
	if (status == RS_OK)
		status = radix_sort(ctx, (uint64_t *) values, scratch, n, 0, &sorted);
	for (uint64_t i = 0; status == RS_OK && i < n; i++)
	{
		double value = value_of(sorted[i]);

		memcpy(&values[i], &value, sizeof(value));
	}
	rs_free(ctx, scratch);
	return status;
}
