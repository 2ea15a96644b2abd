/*
 * idarray.c
 *		Arrays of ids as arguments, and ids from one type to another.
 */
#include "pg/base/idarray.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define UUID_TEXT 36

static bool is_integer(Oid type);
static bool is_string(Oid type);

RspgIdArray
rspg_id_array(ArrayType *array, const char *what)
{
	RspgIdArray ids = {InvalidOid, 0, NULL};
	int16 length;
	bool by_value;
	char align;

	if (array == NULL)
		return ids;
	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("array \"%s\" must have one dimension", what)));
	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						errmsg("array \"%s\" must not contain nulls", what)));
	ids.type = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(ids.type, &length, &by_value, &align);
	deconstruct_array(array, ids.type, length, by_value, align, &ids.id, NULL, &ids.n);
	return ids;
}

Oid
rspg_array_type(Oid type)
{
	Oid array = get_array_type(type);

	if (!OidIsValid(array))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("could not find array type for data type %s", format_type_be(type))));
	return array;
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_string(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

void
rspg_converter_init(RspgConverter *converter, Oid from, Oid to)
{
	Oid function;
	bool is_varlena;

	memset(converter, 0, sizeof(*converter));
	converter->from = from;
	converter->to = to;
	converter->same = from == to || (is_string(from) && is_string(to));
	converter->integers = is_integer(from) && is_integer(to);
	converter->padded = from == BPCHAROID && from != to;
	if (converter->same || converter->integers)
		return;
	getTypeOutputInfo(from, &function, &is_varlena);
	fmgr_info(function, &converter->output);
	getTypeInputInfo(to, &function, &converter->input_param);
	fmgr_info(function, &converter->input);
}

void
rspg_converter_init_exact(RspgConverter *converter, Oid from, Oid to)
{
	rspg_converter_init(converter, from, to);
	converter->exact = is_integer(to) || to == UUIDOID;
}

/* Is it what the type's output would give? */
static bool
is_output(const char *text, Oid type)
{
	const char *digits = text + (*text == '-');
	Size length = strlen(text);
	int64 number;

	if (type == UUIDOID)
		return length == UUID_TEXT && strspn(text, "0123456789abcdef-") == length &&
			   text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
	if (*digits == '\0' || strspn(digits, "0123456789") != strlen(digits) ||
		(*digits == '0' && length > 1))
		return false;
	errno = 0;
	number = strtoi64(text, NULL, 10);
	return errno == 0 && (type != INT4OID || number == (int32) number) &&
		   (type != INT2OID || number == (int16) number);
}

bool
rspg_convert_id(RspgConverter *converter, Datum id, Datum *result)
{
	int64 number;

	if (converter->same)
	{
		*result = id;
		return true;
	}
	if (!converter->integers)
	{
		char *text = OutputFunctionCall(&converter->output, id);

		if (converter->padded) /* as its cast to text, by which training reads it */
			text[bpchartruelen(text, (int) strlen(text))] = '\0';
		if (converter->exact && !is_output(text, converter->to))
			return false;
		*result = InputFunctionCall(&converter->input, text, converter->input_param, -1);
		return true;
	}
	number = converter->from == INT2OID   ? DatumGetInt16(id)
			 : converter->from == INT4OID ? DatumGetInt32(id)
										  : DatumGetInt64(id);
	switch (converter->to)
	{
		case INT2OID:
			*result = Int16GetDatum((int16) number);
			return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
		case INT4OID:
			*result = Int32GetDatum((int32) number);
			return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
		default:
			*result = Int64GetDatum(number);
			return true;
	}
}
