/*
 * rows.h
 *		Sparse rows, and the counting sort that makes them.
 */
#ifndef RS_ROWS_H
#define RS_ROWS_H

#include "core/base/context.h"

#define RS_POLL_EVENTS 65536 /* entries between two questions for cancel */

/* The entries of row r stand at start[r] .. start[r + 1] - 1. */
typedef struct RsRows
{
	uint32_t n;      /* rows */
	uint64_t *start; /* [n + 1]; NULL: there are no such rows */
	uint32_t *index; /* [start[n]] whose: an item in a user's row, a user in an item's */
	float *weight;   /* [start[n]] */
} RsRows;

/* Entries of all rows. */
static inline uint64_t
rs_rows_count(const RsRows *rows)
{
	return rows->start != NULL ? rows->start[rows->n] : 0;
}

/*
 * How many entries a row amounts to: (sum |w|)^2 / sum w^2 (Kish's effective
 * size).  It is their number where all weigh the same, whatever that is, and what
 * weighs next to nothing beside others does not count.  0 for an empty row.
 */
extern double rs_rows_effective(const RsRows *rows, uint64_t row);

/* The same from the two sums. */
static inline double
rs_effective_count(double sum, double squares)
{
	return squares > 0 ? sum * sum / squares : 0;
}

/* Room for n rows, starts zeroed, and for entries.  What was made before a
 * failure stays in rows, which the caller frees. */
extern RsStatus rs_rows_create_starts(RsContext *ctx, uint32_t n, RsRows *rows);
extern RsStatus rs_rows_create_entries(RsContext *ctx, uint64_t count, RsRows *rows);
extern void rs_rows_free(RsContext *ctx, RsRows *rows);

/* Counts in start[0 .. n-1] become offsets in start[0 .. n]. */
extern void rs_counts_to_starts(uint64_t *start, uint32_t n);

/* After a scatter that moved start[i] to the end of row i: offsets again. */
extern void rs_restore_starts(uint64_t *start, uint32_t n);

#endif
