/*
 * encoder_bytes.h
 *		An encoder as bytes.
 */
#ifndef RS_ENCODER_BYTES_H
#define RS_ENCODER_BYTES_H

#include "core/encoding/columns.h"

/* Read and validate bytes from anyone; nothing points into them afterwards.
 * RS_ERR_BYTES or RS_ERR_VERSION. */
extern RsStatus rs_encoder_read(RsContext *ctx, const char *bytes, size_t length,
								RsEncoder **encoder);

/* Hand the canonical bytes to sink in pieces. */
extern RsStatus rs_encoder_write(RsContext *ctx, const RsEncoder *encoder, RsSink sink,
								 void *opaque);

#endif
