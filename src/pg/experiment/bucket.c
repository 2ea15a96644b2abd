/*
 * bucket.c
 *		recsys.bucket(): the arm of an experiment that a user is in.
 *
 * The first 53 bits of SHA-256 over the experiment's name, a zero byte and the user
 * in text form, both in UTF-8, are a number u in [0, 1); the arm is the first whose
 * weight, added to those before it, passes u times the sum of all.  So it is the same
 * on every machine and release, and a client can compute it: this is part of the
 * interface, and must not change.
 */
#include "pg/base/rspg.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static char *utf8(char *text);
static double uniform(const char *experiment, const char *user);
static int32 arm_of(double u, const float8 *weights, int n);

PG_FUNCTION_INFO_V1(recsys_bucket);

/*
 * (user T, experiment text, weights double precision[]) → arm, from 1.  Strict.
 */
Datum
recsys_bucket(PG_FUNCTION_ARGS)
{
	ArrayType *weights = PG_GETARG_ARRAYTYPE_P(2);
	int n = ARR_NDIM(weights) == 1 ? ARR_DIMS(weights)[0] : 0;
	Oid output;
	bool varlena;
	char *user;

	if (n < 1 || array_contains_nulls(weights))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("weights must be a list of numbers"),
						errhint("One for each arm: ARRAY[0.9, 0.1].")));
	getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, 0), &output, &varlena);
	user = utf8(OidOutputFunctionCall(output, PG_GETARG_DATUM(0)));
	PG_RETURN_INT32(arm_of(uniform(utf8(text_to_cstring(PG_GETARG_TEXT_PP(1))), user),
						   (const float8 *) ARR_DATA_PTR(weights), n));
}

static char *
utf8(char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static double
uniform(const char *experiment, const char *user)
{
	Size before = strlen(experiment) + 1; /* with the zero byte */
	Size length = before + strlen(user);
	bytea *input = palloc(VARHDRSZ + length);
	const unsigned char *hash;
	uint64 bits = 0;
	int i;

	SET_VARSIZE(input, VARHDRSZ + length);
	memcpy(VARDATA(input), experiment, before);
	memcpy(VARDATA(input) + before, user, length - before);
	hash = (const unsigned char *) VARDATA_ANY(
		DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(input))));
	for (i = 0; i < 8; i++)
		bits = bits << 8 | hash[i];
	return ldexp((double) (bits >> 11), -53);
}

static int32
arm_of(double u, const float8 *weights, int n)
{
	double total = 0;
	double sum = 0;
	int last = -1;
	int i;

	for (i = 0; i < n; i++)
	{
		if (!(weights[i] >= 0) || isinf(weights[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("weight %d must be a finite number of at least 0", i + 1),
							errdetail("It is %g.", weights[i])));
		total += weights[i];
		if (weights[i] > 0)
			last = i;
	}
	if (last < 0 || isinf(total))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("weights must have a finite sum above 0")));
	for (i = 0; i < last; i++)
	{
		sum += weights[i];
		if (u * total < sum)
			break;
	}
	return i + 1;
}
