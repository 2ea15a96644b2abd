/*
 * optionjson.c
 *		Options of an algorithm from jsonb, and the view that lists them.
 */
#include "pg/base/optionjson.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/numeric.h"
#include "utils/tuplestore.h"

#include "pg/base/jsonb_read.h"
#include "pg/base/rspg.h"

static void set_option(RsContext *ctx, RsOptions *options, const char *name, JsonbValue *value);

PG_FUNCTION_INFO_V1(recsys_algorithm_options);

const RsAlgorithm *
rspg_algorithm(const char *name)
{
	const RsAlgorithm *algorithm = rs_algorithm_find(rs_algorithms(), name);
	const RsAlgorithm *const *row;
	StringInfoData names;

	if (algorithm != NULL)
		return algorithm;
	initStringInfo(&names);
	for (row = rs_algorithms(); *row != NULL; row++)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", (*row)->name);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unknown algorithm \"%s\"", name),
			 errhint("The algorithms are %s.", names.data)));
	return NULL; /* not reached */
}

/*
 * Fill options with the defaults and what json says; NULL says nothing.
 */
void
rspg_options_from_jsonb(const RsAlgorithm *algorithm, Jsonb *json, RsOptions *options)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	JsonbIterator *iterator;
	char *name;
	JsonbValue value;

	rs_options_default(options, algorithm->options);
	if (json == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("options must be a JSON object"),
				 errhint("For example: {\"factors\": 64}.")));
	iterator = JsonbIteratorInit(&json->root);
	while (rspg_jsonb_next_member(&iterator, &name, &value))
		set_option(&ctx, options, name, &value);
}

/* An array of numbers; of anything else a NaN, which no option takes. */
static RsStatus
set_list(RsContext *ctx, RsOptions *options, const char *name, JsonbContainer *array)
{
	JsonbIterator *iterator = JsonbIteratorInit(array);
	JsonbValue value;
	double numbers[RS_MAX_LIST + 1];
	int n = 0;

	while (n <= RS_MAX_LIST && rspg_jsonb_next_element(&iterator, &value))
		numbers[n++] = value.type == jbvNumeric
						   ? DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
																NumericGetDatum(value.val.numeric)))
						   : get_float8_nan();
	return rs_options_set_list(ctx, options, name, numbers, n);
}

static void
set_option(RsContext *ctx, RsOptions *options, const char *name, JsonbValue *value)
{
	RsStatus status;
	char *word;

	switch (value->type)
	{
		case jbvNumeric:
			status = rs_options_set(
				ctx, options, name, RS_OPTION_REAL,
				DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												   NumericGetDatum(value->val.numeric))),
				NULL);
			break;
		case jbvBool:
			status = rs_options_set(ctx, options, name, RS_OPTION_BOOL, value->val.boolean, NULL);
			break;
		case jbvString:
			word = pnstrdup(value->val.string.val, value->val.string.len);
			status = rs_options_set(ctx, options, name, RS_OPTION_ENUM, 0, word);
			break;
		case jbvBinary:
			if (JsonContainerIsArray(value->val.binary.data))
			{
				status = set_list(ctx, options, name, value->val.binary.data);
				break;
			}
			/* FALLTHROUGH */
		default:
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"%s\" must be a number, a string, true, false or an "
								   "array of numbers",
								   name)));
	}
	rspg_check(ctx, status);
}

static const char *
kind_name(RsOptionKind kind)
{
	switch (kind)
	{
		case RS_OPTION_INT:
			return "integer";
		case RS_OPTION_REAL:
			return "number";
		case RS_OPTION_BOOL:
			return "boolean";
		case RS_OPTION_LIST:
			return "array of integers";
		case RS_OPTION_ENUM:
			break;
	}
	return "word";
}

/* The words of an enum, for people. */
static char *
option_range(const RsOption *option)
{
	StringInfoData range;
	int i;

	initStringInfo(&range);
	if (option->kind == RS_OPTION_BOOL)
		appendStringInfoString(&range, "true, false");
	else if (option->kind == RS_OPTION_ENUM)
		for (i = 0; option->words[i] != NULL; i++)
			appendStringInfo(&range, "%s%s", i > 0 ? ", " : "", option->words[i]);
	else
		appendStringInfo(&range, "%.15g to %.15g", option->min, option->max);
	return range.data;
}

static char *
option_default(const RsOption *option)
{
	if (option->kind == RS_OPTION_BOOL)
		return pstrdup(option->value != 0 ? "true" : "false");
	if (option->kind == RS_OPTION_ENUM)
		return pstrdup(option->words[(int) option->value]);
	if (option->kind == RS_OPTION_LIST)
		return psprintf("[%.15g]", option->value);
	return psprintf("%.15g", option->value);
}

/*
 * recsys.algorithm_options(): rows of (algorithm, option, type, default, range,
 * description).
 */
Datum
recsys_algorithm_options(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const RsAlgorithm *const *row;
	const RsOption *option;

	InitMaterializedSRF(fcinfo, 0);
	for (row = rs_algorithms(); *row != NULL; row++)
	{
		for (option = (*row)->options; option->name != NULL; option++)
		{
			Datum values[6];
			bool nulls[6] = {false};

			values[0] = CStringGetTextDatum((*row)->name);
			values[1] = CStringGetTextDatum(option->name);
			values[2] = CStringGetTextDatum(kind_name(option->kind));
			values[3] = CStringGetTextDatum(option_default(option));
			values[4] = CStringGetTextDatum(option_range(option));
			values[5] = CStringGetTextDatum(option->help);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
