/*
 * hits.h
 *		Hits in the order of results, for brute force.
 */
#ifndef HITS_H
#define HITS_H

#include "core/serving/topk.h"

static UNIT_UNUSED int
compare_hits(const void *a, const void *b)
{
	const RsHit *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return (x->item > y->item) - (x->item < y->item);
}

#endif
