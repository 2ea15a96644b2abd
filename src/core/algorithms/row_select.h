/*
 * row_select.h
 *		The strongest entries of a dense row, in the order of columns.
 */
#ifndef RS_ROW_SELECT_H
#define RS_ROW_SELECT_H

#include <stdint.h>

/* Bring the k best of n columns to the front: those with the largest |sum|,
 * smaller numbers first among equals.  1 <= k <= n. */
extern void rs_select_best(const float *sum, uint32_t *column, int64_t n, int64_t k);

/* Sort distinct columns below n_items; bitmap[n_items / 64 + 1] is zero before
 * and after. */
extern void rs_sort_columns(uint32_t *column, uint32_t n, uint64_t *bitmap, uint32_t n_items);

#endif
