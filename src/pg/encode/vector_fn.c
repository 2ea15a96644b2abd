/*
 * vector_fn.c
 *		one_hot and vector_assembler: vectors from single values, as Spark's
 *		OneHotEncoder and VectorAssembler.
 */
#include "pg/base/rspg.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/encoding/columns.h"
#include "pg/encode/rowvalues.h"
#include "pg/encode/vector.h"

/* A vector that grows; its first bytes are an array's head to be. */
typedef struct Vector
{
	ArrayType *array;
	int n;
	int room;
} Vector;

static void append(Vector *vector, float8 value, int argument);
static void append_array(Vector *vector, ArrayType *array, int argument);

PG_FUNCTION_INFO_V1(recsys_one_hot);
PG_FUNCTION_INFO_V1(recsys_vector_assembler);

/* (index integer, size integer, drop_last boolean) */
Datum
recsys_one_hot(PG_FUNCTION_ARGS)
{
	int32 index = PG_GETARG_INT32(0);
	int32 size = PG_GETARG_INT32(1);
	bool drop_last = PG_GETARG_BOOL(2);
	ArrayType *array;
	int n;

	if (size < 1 || size > RS_MAX_ENCODER_WIDTH)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("size must be between 1 and %d", RS_MAX_ENCODER_WIDTH)));
	if (index < 0 || index >= size)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("index %d is out of range", index),
						errdetail("With size %d it is from 0 to %d.", size, size - 1)));
	n = drop_last ? size - 1 : size;
	array = palloc0(RSPG_VECTOR_SIZE(n));
	if (index < n)
		RSPG_VECTOR_DATA(array)[index] = 1.0f;
	PG_RETURN_ARRAYTYPE_P(rspg_vector_finish(array, n));
}

/* (VARIADIC "any"): numbers, booleans and arrays of numbers, in order */
Datum
recsys_vector_assembler(PG_FUNCTION_ARGS)
{
	Vector vector = {NULL, 0, 0};
	int i;

	if (get_fn_expr_variadic(fcinfo->flinfo))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		append_array(&vector, PG_GETARG_ARRAYTYPE_P(0), 1);
		PG_RETURN_ARRAYTYPE_P(rspg_vector_finish(vector.array, vector.n));
	}
	for (i = 0; i < PG_NARGS(); i++)
	{
		Oid type = getBaseType(get_fn_expr_argtype(fcinfo->flinfo, i));
		float8 number;

		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("argument %d of vector_assembler is null", i + 1),
							errhint("Use coalesce(), or leave the row out.")));
		if (rspg_number_of(type, PG_GETARG_DATUM(i), &number))
			append(&vector, number, i + 1);
		else if (OidIsValid(get_element_type(type)))
			append_array(&vector, PG_GETARG_ARRAYTYPE_P(i), i + 1);
		else
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("argument %d of vector_assembler is of type %s", i + 1,
								   format_type_be(type)),
							errdetail("It takes numbers, booleans and arrays of them.")));
	}
	PG_RETURN_ARRAYTYPE_P(rspg_vector_finish(vector.array, vector.n));
}

static void
append(Vector *vector, float8 value, int argument)
{
	if (isnan(value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument %d of vector_assembler is NaN", argument),
						errhint("Use nullif() and coalesce(), or leave the row out.")));
	if (!isinf(value) && isinf((float4) value))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("argument %d of vector_assembler is out of range for type real",
							   argument)));
	if (vector->n == vector->room)
	{
		vector->room = Max(16, vector->room * 2);
		if (vector->array == NULL)
			vector->array = palloc0(RSPG_VECTOR_SIZE(vector->room));
		else
			vector->array = repalloc(vector->array, RSPG_VECTOR_SIZE(vector->room));
	}
	RSPG_VECTOR_DATA(vector->array)[vector->n++] = (float4) value;
}

static void
append_array(Vector *vector, ArrayType *array, int argument)
{
	Oid type = getBaseType(ARR_ELEMTYPE(array));
	int16 length;
	bool by_value;
	char align;
	Datum *elements;
	bool *nulls;
	int n;
	int i;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &elements, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		float8 number = 0;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d of vector_assembler has a null element", argument)));
		if (!rspg_number_of(type, elements[i], &number))
			ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
							errmsg("argument %d of vector_assembler is an array of type %s",
								   argument, format_type_be(ARR_ELEMTYPE(array))),
							errdetail("It takes numbers, booleans and arrays of them.")));
		append(vector, number, argument);
	}
	pfree(elements);
	pfree(nulls);
}
