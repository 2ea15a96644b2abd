/*
 * convert.h
 *		A decoded value to a datum of the column's type.
 */
#ifndef RSPG_CONVERT_H
#define RSPG_CONVERT_H

#include "pg/stream/write/mapping.h"

/*
 * What the column takes of a message whose values were decoded; headers are the
 * message's.  Raises what the type's input function raises; the caller's
 * subtransaction catches it.
 */
extern RspgCell rspg_convert(RspgColumn *column, const RskMessage *message, const RskValue *values,
							 const RskHeader *headers, int n_headers,
							 const RspgStreamOptions *options, Datum *value);

/* Raise if a default of the mapping is no value of its column. */
extern void rspg_convert_defaults(RspgMapping *mapping, const RspgStreamOptions *options);

#endif
