/*
 * sortnumbers.h
 *		Sort doubles.
 */
#ifndef RS_SORTNUMBERS_H
#define RS_SORTNUMBERS_H

#include "core/base/context.h"

/* Ascending; no NaN.  Takes 8 bytes a value for the while of the call. */
extern RsStatus rs_sort_numbers(RsContext *ctx, double *values, uint64_t n);

#endif
