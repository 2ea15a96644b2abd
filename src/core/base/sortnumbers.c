/*
 * sortnumbers.c
 *		Sort doubles by radix: eight passes over their bytes, the lowest first,
 *		of which those are left out whose byte is the same in all.
 *
 * Not the C library's qsort: that asks no one for its memory and cannot be
 * cancelled.
 */
#include "core/base/sortnumbers.h"

#include <string.h>

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
	uint64_t(*count)[256] = rs_calloc(ctx, 8, sizeof(*count));
	uint64_t *scratch = rs_alloc(ctx, n * sizeof(uint64_t));
	uint64_t *from = (uint64_t *) values;
	uint64_t *to = scratch;
	RsStatus status = count != NULL && scratch != NULL ? RS_OK : ctx->status;

	for (uint64_t i = 0; status == RS_OK && i < n; i++)
	{
		uint64_t key = key_of(values[i]);

		memcpy(&values[i], &key, sizeof(key));
		for (int byte = 0; byte < 8; byte++)
			count[byte][key >> (8 * byte) & 0xff]++;
	}
	for (int byte = 0; status == RS_OK && byte < 8; byte++)
	{
		uint64_t start = 0;
		uint64_t *swap = from;

		if (n == 0 || count[byte][from[0] >> (8 * byte) & 0xff] == n)
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
		status = rs_check_interrupt(ctx);
	}
	for (uint64_t i = 0; status == RS_OK && i < n; i++)
	{
		uint64_t key = from[i];
		double value = value_of(key);

		memcpy(&values[i], &value, sizeof(value));
	}
	rs_free(ctx, scratch);
	rs_free(ctx, count);
	return status;
}
