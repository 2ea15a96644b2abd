/*
 * encoder_fit.h
 *		Fitting an encoder to rows, by a spec.
 */
#ifndef RS_ENCODER_FIT_H
#define RS_ENCODER_FIT_H

#include "core/encoding/encoder.h"

typedef struct RsEncoderFit RsEncoderFit;

/* From a spec as JSON text; see docs/reference.md for its keys. */
extern RsStatus rs_encoder_fit_create(RsContext *ctx, const char *spec, size_t length,
									  RsEncoderFit **fit);

/* The encoder to be: its columns are known, its widths are not. */
extern const RsEncoder *rs_encoder_fit_target(const RsEncoderFit *fit);

/* One value a column, copied as needed. */
extern RsStatus rs_encoder_fit_add(RsContext *ctx, RsEncoderFit *fit, const RsValue *values);

/* The encoder belongs to the caller; fit is of no further use but to free. */
extern RsStatus rs_encoder_fit_finish(RsContext *ctx, RsEncoderFit *fit, RsEncoder **encoder);
extern void rs_encoder_fit_free(RsContext *ctx, RsEncoderFit *fit);

#endif
