/*
 * vector.c
 *		Vectors, which are real[]: made and read.
 */
#include "pg/encode/vector.h"

#include <math.h>

#include "catalog/pg_type.h"

ArrayType *
rspg_vector_finish(ArrayType *array, int n)
{
	if (n == 0)
		return construct_empty_array(FLOAT4OID);
	SET_VARSIZE(array, RSPG_VECTOR_SIZE(n));
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

const float *
rspg_features_array(ArrayType *array, int64 row, int *n)
{
	const float *values;
	int i;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("features must be an array of one dimension"),
						row > 0 ? errdetail("Row " INT64_FORMAT " has %d dimensions.", row,
											ARR_NDIM(array))
								: 0));
	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("features must not contain nulls"),
						row > 0 ? errdetail("Row " INT64_FORMAT " has one.", row) : 0,
						errhint("Impute what is unknown, for example with recsys.fit_encoder().")));
	values = (const float *) ARR_DATA_PTR(array);
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	for (i = 0; i < *n; i++)
		if (!isfinite(values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("features must be finite numbers"),
							row > 0 ? errdetail("Row " INT64_FORMAT " has %g at position %d.", row,
												values[i], i + 1)
									: errdetail("Position %d is %g.", i + 1, values[i])));
	return values;
}
