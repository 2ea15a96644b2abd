/*
 * vector.h
 *		Vectors, which are real[]: made and read.
 */
#ifndef RSPG_VECTOR_H
#define RSPG_VECTOR_H

#include "postgres.h"

#include "utils/array.h"

/* Bytes of a vector of n floats, and where they stand in it. */
#define RSPG_VECTOR_SIZE(n) (ARR_OVERHEAD_NONULLS(1) + sizeof(float4) * (Size) (n))
#define RSPG_VECTOR_DATA(array) ((float4 *) ((char *) (array) + ARR_OVERHEAD_NONULLS(1)))

/* Write the head of a vector of n floats, which has room for them; the empty
 * array for 0. */
extern ArrayType *rspg_vector_finish(ArrayType *array, int n);

/* The floats of features real[]; 22023 for nulls, for what is not finite or has
 * more than one dimension.  row > 0 names the row in errors. */
extern const float *rspg_features_array(ArrayType *array, int64 row, int *n);

#endif
