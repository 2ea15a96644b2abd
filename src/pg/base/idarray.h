/*
 * idarray.h
 *		Arrays of ids as arguments, and ids from one type to another.
 */
#ifndef RSPG_IDARRAY_H
#define RSPG_IDARRAY_H

#include "pg/base/rspg.h"

#include "utils/array.h"

typedef struct RspgIdArray
{
	Oid type; /* of the elements */
	int n;
	Datum *id;
} RspgIdArray;

/* Elements of an array of ids (NULL = none).  Raises an error that says what, for
 * nulls and for more than one dimension. */
extern RspgIdArray rspg_id_array(ArrayType *array, const char *what);

/* The type of arrays of a type; 42704 if it has none. */
extern Oid rspg_array_type(Oid type);

/* Conversion of ids: as they are, between integers, or through text. */
typedef struct RspgConverter
{
	Oid from;
	Oid to;
	bool same;
	bool integers;
	bool padded; /* from char(n) */
	bool exact;
	Oid input_param;
	FmgrInfo output;
	FmgrInfo input;
} RspgConverter;

extern void rspg_converter_init(RspgConverter *converter, Oid from, Oid to);

/* One for ids of which not all are of type to: false for what is none, and for another
 * form of one, such as 007, so that an id and its conversion are found by each other. */
extern void rspg_converter_init_exact(RspgConverter *converter, Oid from, Oid to);

/* False where an integer is out of the range of the type to: no such id. */
extern bool rspg_convert_id(RspgConverter *converter, Datum id, Datum *result);

#endif
