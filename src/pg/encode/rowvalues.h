/*
 * rowvalues.h
 *		Rows as the values an encoder takes, for fitting and encoding.
 */
#ifndef RSPG_ROWVALUES_H
#define RSPG_ROWVALUES_H

#include "postgres.h"

#include "access/htup.h"

#include "core/encoding/encoder.h"

/* What a row type's attributes are to an encoder; kept between rows. */
typedef struct RspgRowMap RspgRowMap;

/* One value a column of the encoder.  Texts point into the row or into
 * CurrentMemoryContext. */
extern void rspg_encoder_values_row(const RsEncoder *encoder, HeapTupleHeader row, RsValue *values,
									RspgRowMap **map, MemoryContext mcxt);

/* Is the type (of no domain) a number? */
extern bool rspg_is_number(Oid type);

/* A number or boolean as float8, false for another type; any type that may be a category as
 * text, in a form that no setting changes. */
extern bool rspg_number_of(Oid type, Datum value, float8 *number);
extern RsText rspg_text_of(Oid type, Datum value);

#endif
