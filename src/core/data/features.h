/*
 * features.h
 *		Features of users: rows of floats of one width, in memory once.
 */
#ifndef RS_FEATURES_H
#define RS_FEATURES_H

#include "core/base/context.h"

typedef struct RsFeatures RsFeatures;

#define RS_MAX_FEATURES 65536     /* numbers a row */
#define RS_NO_FEATURES UINT32_MAX /* in place of the number of a row */

/* width: floats a row, up to RS_MAX_FEATURES.  NULL on failure. */
extern RsFeatures *rs_features_create(RsContext *ctx, uint32_t width);
extern RsStatus rs_features_append(RsContext *ctx, RsFeatures *features, const float *row);
extern const float *rs_features_row(const RsFeatures *features, uint32_t row);
extern uint32_t rs_features_count(const RsFeatures *features);
extern uint32_t rs_features_width(const RsFeatures *features);
extern void rs_features_free(RsContext *ctx, RsFeatures *features);

#endif
