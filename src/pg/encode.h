/*
 * encode.h
 *		Rows and JSON objects through an encoder, for the files of src/pg.
 */
#ifndef RSPG_ENCODE_H
#define RSPG_ENCODE_H

#include "rspg.h"

#include "access/htup.h"

#include "core/encoder.h"

/* What a row type's attributes are to an encoder; kept between rows. */
typedef struct RspgRowMap RspgRowMap;

/* The encoder of bytes from a model or a value, in a child of parent; texts in
 * it are checked to be valid in the server's encoding. */
extern RsEncoder *rspg_encoder_open(MemoryContext parent, const char *bytes, Size length);

/*
 * Encode into out[rs_encoder_width(encoder)].  False where a value's policy is
 * to skip the row.  Errors name column and value.
 */
extern bool rspg_encoder_encode_jsonb(const RsEncoder *encoder, Jsonb *row, float *out);

/* The same for a composite value; *map is NULL at first, and is kept in mcxt
 * for the rows to come. */
extern bool rspg_encoder_encode_row(const RsEncoder *encoder, HeapTupleHeader row, float *out,
									RspgRowMap **map, MemoryContext mcxt);

/* Values of a row in the encoder's order, for fitting: both of the above. */
extern void rspg_encoder_values_jsonb(const RsEncoder *encoder, Jsonb *row, RsValue *values);
extern void rspg_encoder_values_row(const RsEncoder *encoder, HeapTupleHeader row, RsValue *values,
									RspgRowMap **map, MemoryContext mcxt);

/* --- encoder_type.c --- */

/*
 * A varlena of 16 bytes of fingerprint, then the encoder's JSON.  The
 * fingerprint tells in O(1) whether a value is the one parsed before.
 */
#define RSPG_FINGERPRINT 16
#define RSPG_ENCODER_BYTES(v) (VARDATA_ANY(v) + RSPG_FINGERPRINT)
#define RSPG_ENCODER_LENGTH(v) ((Size) VARSIZE_ANY_EXHDR(v) - RSPG_FINGERPRINT)

/* Encoder to a value. */
extern struct varlena *rspg_encoder_value(RsContext *ctx, const RsEncoder *encoder);

#endif
