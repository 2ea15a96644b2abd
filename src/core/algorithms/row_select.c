/*
 * row_select.c
 *		The strongest entries of a dense row, in the order of columns.
 */
#include "core/algorithms/row_select.h"

#include "core/base/insort.h"

#include <math.h>

/* Does column a come before b: larger absolute value, then smaller number? */
static inline bool
better(const float *sum, uint32_t a, uint32_t b)
{
	float x = fabsf(sum[a]);
	float y = fabsf(sum[b]);

	return x != y ? x > y : a < b;
}

/* Bring the k best of n columns to the front (Hoare's quickselect). */
void
rs_select_best(const float *sum, uint32_t *column, int64_t n, int64_t k)
{
	int64_t low = 0;
	int64_t high = n - 1;

	while (low < high)
	{
		uint32_t pivot = column[low + (high - low) / 2];
		int64_t i = low;
		int64_t j = high;

		while (i <= j)
		{
			while (better(sum, column[i], pivot))
				i++;
			while (better(sum, pivot, column[j]))
				j--;
			if (i <= j)
			{
				uint32_t kept = column[i];

				column[i++] = column[j];
				column[j--] = kept;
			}
		}
		if (k - 1 <= j)
			high = j;
		else if (k - 1 >= i)
			low = i;
		else
			return;
	}
}

static inline bool
column_less(const void *array, uint64_t a, uint64_t b)
{
	return ((const uint32_t *) array)[a] < ((const uint32_t *) array)[b];
}

static inline void
column_swap(void *array, uint64_t a, uint64_t b)
{
	uint32_t *column = array;
	uint32_t kept = column[a];

	column[a] = column[b];
	column[b] = kept;
}

/* Columns into ascending order: by a bitmap, or by sorting where they are few. */
void
rs_sort_columns(uint32_t *column, uint32_t n, uint64_t *bitmap, uint32_t n_items)
{
	uint32_t words = n_items / 64 + 1;
	uint32_t to = 0;
	uint32_t i;

	if (n < words / 16)
	{
		rs_sort_in_place(NULL, column, n, column_less, column_swap);
		return;
	}
	for (i = 0; i < n; i++)
		bitmap[column[i] / 64] |= (uint64_t) 1 << (column[i] % 64);
	for (i = 0; i < words; i++)
	{
		uint64_t bits = bitmap[i];

		bitmap[i] = 0;
		for (; bits != 0; bits &= bits - 1)
			column[to++] = i * 64 + (uint32_t) __builtin_ctzll(bits);
	}
}
