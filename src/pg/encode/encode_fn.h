/*
 * encode_fn.h
 *		Rows and JSON objects through an encoder.
 */
#ifndef RSPG_ENCODE_FN_H
#define RSPG_ENCODE_FN_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "pg/encode/rowvalues.h"

/*
 * Encode into out[rs_encoder_width(encoder)].  False where a value's policy is
 * to skip the row.  Errors name column and value.
 */
extern bool rspg_encoder_encode_jsonb(const RsEncoder *encoder, Jsonb *row, float *out);

/* The same for a composite value; *map is NULL at first, and is kept in mcxt
 * for the rows to come. */
extern bool rspg_encoder_encode_row(const RsEncoder *encoder, HeapTupleHeader row, float *out,
									RspgRowMap **map, MemoryContext mcxt);

#endif
