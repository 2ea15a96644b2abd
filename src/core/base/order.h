/*
 * order.h
 *		Sort item numbers by a score: descending, ties by number.
 */
#ifndef RS_ORDER_H
#define RS_ORDER_H

#include "core/base/context.h"

/*
 * order[0 .. n-1] becomes the numbers 0 .. n-1 by descending value, ties
 * ascending.  No value is NaN or below 0.  Takes 16 bytes a value for the
 * while of the call.
 */
extern RsStatus rs_order_descending(RsContext *ctx, const float *value, uint32_t n,
									uint32_t *order);

#endif
