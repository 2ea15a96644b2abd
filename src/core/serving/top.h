/*
 * top.h
 *		Hits and their order, which items may be hits, and what is asked of a top k.
 */
#ifndef RS_TOP_H
#define RS_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RsHit
{
	uint32_t item;
	float score;
} RsHit;

/* Which items may appear.  Bitmaps of n_items bits (bit i of word i/64), NULL
 * for "none excluded" and "all included". */
typedef struct RsMask
{
	const uint64_t *exclude;
	const uint64_t *include;
} RsMask;

static inline bool
rs_mask_allows(const RsMask *mask, uint32_t item)
{
	uint64_t bit = (uint64_t) 1 << (item % 64);

	if (mask == NULL)
		return true;
	return (mask->exclude == NULL || !(mask->exclude[item / 64] & bit)) &&
		   (mask->include == NULL || (mask->include[item / 64] & bit));
}

/* What is asked of a top k, and what came of it. */
typedef struct RsTop
{
	const RsMask *mask;      /* NULL: all items */
	const uint32_t *without; /* one item that may not appear either; NULL: none */
	const RsHit *after;      /* only hits that come after this one in the order; NULL: all */
	uint32_t k;
	RsHit *hits; /* [k] */

	uint32_t n;    /* how many there are */
	uint32_t read; /* rows or scores that were looked at */
} RsTop;

/* Does a come after b in the order of hits? */
static inline bool
rs_hit_after(RsHit a, RsHit b)
{
	return a.score < b.score || (a.score == b.score && a.item > b.item);
}

#endif
