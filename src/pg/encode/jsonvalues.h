/*
 * jsonvalues.h
 *		JSON objects as the values an encoder takes, and specs as the columns they
 *		name.
 */
#ifndef RSPG_JSONVALUES_H
#define RSPG_JSONVALUES_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

#include "core/encoding/encoder.h"

/* One value a column of the encoder; a key that is no column is an error when
 * strict.  Texts point into the object or into CurrentMemoryContext. */
extern void rspg_encoder_values_jsonb(const RsEncoder *encoder, Jsonb *row, bool strict,
									  RsValue *values);

/* Names of the columns of a spec, in its order (List of char *).  What else it says
 * is not looked at. */
extern List *rspg_spec_columns(Jsonb *spec);

#endif
