/*
 * interval_fn.c
 *		recsys.rate_interval() and recsys.lift_interval(): what is known of rates,
 *		however often one looks.
 */
#include "pg/base/rspg.h"

#include <math.h>

#include "funcapi.h"

#include "core/math/sequential.h"

static void get_group(FunctionCallInfo fcinfo, int arg, uint64 *n, uint64 *x);
static double get_alpha(FunctionCallInfo fcinfo, int arg);
static Datum interval(FunctionCallInfo fcinfo, double low, double high);

PG_FUNCTION_INFO_V1(recsys_rate_interval);
PG_FUNCTION_INFO_V1(recsys_lift_interval);

/*
 * (users bigint, converted bigint, confidence) → (low, high).  Strict.
 */
Datum
recsys_rate_interval(PG_FUNCTION_ARGS)
{
	uint64 n;
	uint64 x;
	double low;
	double high;

	get_group(fcinfo, 0, &n, &x);
	rs_rate_interval(n, x, get_alpha(fcinfo, 2), &low, &high);
	return interval(fcinfo, low, high);
}

/*
 * (control_users bigint, control_converted bigint, users bigint, converted bigint,
 * confidence, expected_lift) → (low, high).  Strict.
 */
Datum
recsys_lift_interval(PG_FUNCTION_ARGS)
{
	double expected = PG_GETARG_FLOAT8(5);
	uint64 n[2];
	uint64 x[2];
	double low;
	double high;

	get_group(fcinfo, 0, &n[0], &x[0]);
	get_group(fcinfo, 2, &n[1], &x[1]);
	if (!(expected >= 0.001 && expected <= 10))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("expected_lift must be from 0.001 to 10"),
						errdetail("It is %g.", expected), errhint("0.1 is a lift of 10 percent.")));
	rs_lift_interval(n[0], x[0], n[1], x[1], get_alpha(fcinfo, 4), expected, &low, &high);
	return interval(fcinfo, low, high);
}

static void
get_group(FunctionCallInfo fcinfo, int arg, uint64 *n, uint64 *x)
{
	int64 users = PG_GETARG_INT64(arg);
	int64 converted = PG_GETARG_INT64(arg + 1);

	if (converted < 0 || users < converted)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("as many users must have converted as there are, or fewer"),
						errdetail("Users: " INT64_FORMAT ", converted: " INT64_FORMAT ".", users,
								  converted)));
	*n = (uint64) users;
	*x = (uint64) converted;
}

static double
get_alpha(FunctionCallInfo fcinfo, int arg)
{
	double confidence = PG_GETARG_FLOAT8(arg);

	if (!(confidence >= 0.5 && confidence <= 0.999999))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("confidence must be from 0.5 to 0.999999"),
						errdetail("It is %g.", confidence)));
	return 1 - confidence;
}

static Datum
interval(FunctionCallInfo fcinfo, double low, double high)
{
	Datum values[2] = {Float8GetDatum(low), Float8GetDatum(high)};
	bool nulls[2] = {false, false};
	TupleDesc desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
