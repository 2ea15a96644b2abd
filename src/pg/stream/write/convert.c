/*
 * convert.c
 *		A decoded value to a datum of the column's type.
 *
 * As jsonb_to_recordset() does it: json and jsonb columns take the JSON as it
 * stands, arrays take a JSON array, everything else goes through its type's
 * input function as text, so that numbers keep their digits.
 */
#include "pg/stream/write/convert.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"

#include "kafka/decode_csv.h"
#include "kafka/utf8.h"
#include "pg/stream/write/message_headers.h"
#include "pg/stream/write/message_time.h"

static RspgCell convert_field(RspgColumn *column, const RskValue *value,
							  const RspgStreamOptions *options, Datum *result);
static RspgCell convert_bytes(RspgColumn *column, const void *bytes, size_t length, Datum *result);
static char *value_text(const RspgColumn *column, const RskValue *value,
						const RspgStreamOptions *options);
static void append_array(StringInfo out, const RspgColumn *column, const RskValue *array);

/* The column's NULL; a domain may refuse it. */
static RspgCell
convert_null(RspgColumn *column)
{
	if (column->required)
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION), errmsg("required, found null")));
	if (column->domain)
		(void) InputFunctionCall(&column->input, NULL, column->ioparam, column->typmod);
	return RSPG_CELL_NULL;
}

/* Text in the server's encoding through the type's input function. */
static RspgCell
convert_text(RspgColumn *column, char *text, Datum *result)
{
	*result = InputFunctionCall(&column->input, text, column->ioparam, column->typmod);
	return RSPG_CELL_VALUE;
}

static RspgCell
convert_integer(RspgColumn *column, int64 number, Datum *result)
{
	char text[MAXINT8LEN + 1];

	if (column->type == INT8OID)
	{
		*result = Int64GetDatum(number);
		return RSPG_CELL_VALUE;
	}
	snprintf(text, sizeof(text), INT64_FORMAT, number);
	return convert_text(column, text, result);
}

/* As the column's type, with its precision and its domain's checks. */
static Datum
time_datum(RspgColumn *column, TimestampTz time)
{
	Datum value = TimestampTzGetDatum(time);

	if (column->base == DATEOID)
		value = DirectFunctionCall1(timestamp_date, value); /* the date in UTC */
	else if (column->type == TIMESTAMPTZOID)
		value = DirectFunctionCall2(timestamptz_scale, value, Int32GetDatum(column->typmod));
	else if (column->type == TIMESTAMPOID)
		value = DirectFunctionCall2(timestamp_scale, value, Int32GetDatum(column->typmod));
	if (column->domain)
	{
		int32 typmod = column->typmod;

		/* the precision is that of the type below */
		(void) getBaseTypeAndTypmod(column->type, &typmod);
		if (column->base != DATEOID)
			value = DirectFunctionCall2(timestamptz_scale, value, Int32GetDatum(typmod));
		domain_check(value, false, column->type, &column->domain_cache, column->input.fn_mcxt);
	}
	return value;
}

static RspgCell
convert_timestamp(RspgColumn *column, int64 milliseconds, Datum *result)
{
	if (milliseconds < 0)
		return convert_null(column); /* the broker has none */
	if (column->base != TIMESTAMPTZOID && column->base != TIMESTAMPOID && column->base != DATEOID)
		return convert_integer(column, milliseconds, result);
	*result = time_datum(column, rspg_time_of_ms(milliseconds));
	return RSPG_CELL_VALUE;
}

static RspgCell
convert_header(RspgColumn *column, const RskHeader *headers, int n, Datum *result)
{
	int i;

	for (i = n - 1; i >= 0; i--) /* the last one of the name */
		if (strcmp(headers[i].name, column->header) == 0)
			return convert_bytes(column, headers[i].value, headers[i].length, result);
	return RSPG_CELL_ABSENT;
}

static RspgCell
convert_default(RspgColumn *column, const RspgStreamOptions *options, Datum *result)
{
	RspgStreamOptions json = *options;

	json.format = RSPG_FORMAT_JSON; /* the mapping is */
	return convert_field(column, &column->fallback, &json, result);
}

static void
default_context(void *column)
{
	errcontext("default of column \"%s\" in the mapping", ((RspgColumn *) column)->name);
}

void
rspg_convert_defaults(RspgMapping *mapping, const RspgStreamOptions *options)
{
	ErrorContextCallback context = {error_context_stack, default_context, NULL};
	Datum value;
	int i;

	error_context_stack = &context;
	for (i = 0; i < mapping->n_columns; i++)
	{
		context.arg = &mapping->columns[i];
		(void) convert_default(&mapping->columns[i], options, &value);
	}
	error_context_stack = context.previous;
}

RspgCell
rspg_convert(RspgColumn *column, const RskMessage *message, const RskValue *values,
			 const RskHeader *headers, int n_headers, const RspgStreamOptions *options,
			 Datum *result)
{
	RspgCell cell = RSPG_CELL_ABSENT;

	switch (column->from)
	{
		case RSPG_FROM_FIELD:
			cell = convert_field(column, &values[column->field], options, result);
			break;
		case RSPG_FROM_KEY:
			cell = convert_bytes(column, message->key, message->key_length, result);
			break;
		case RSPG_FROM_PAYLOAD:
			cell = convert_bytes(column, message->payload, message->payload_length, result);
			break;
		case RSPG_FROM_HEADER:
			cell = convert_header(column, headers, n_headers, result);
			break;
		case RSPG_FROM_HEADERS:
			cell = convert_text(column, rspg_headers_json(headers, n_headers), result);
			break;
		case RSPG_FROM_PARTITION:
			cell = convert_integer(column, message->partition, result);
			break;
		case RSPG_FROM_OFFSET:
			cell = convert_integer(column, message->offset, result);
			break;
		case RSPG_FROM_TIMESTAMP:
			cell = convert_timestamp(column, message->timestamp_ms, result);
			break;
	}
	if (cell != RSPG_CELL_ABSENT)
		return cell;
	if (column->fallback.kind != RSK_ABSENT)
		return convert_default(column, options, result);
	if (column->required)
		ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
						column->path != NULL
							? errmsg("required, but the message has no \"%s\"", column->path)
							: errmsg("required, but the message has none")));
	return RSPG_CELL_ABSENT;
}

/*
 * What streams consist of, past the input function, which would copy it once
 * more: whole numbers, text, times with a zone.  False leaves it, and every
 * error, to the input function.
 */
static bool
convert_fast(const RspgColumn *column, const RskValue *value, Datum *result)
{
	int64 number = 0;
	size_t i;
	text *text;
	TimestampTz time;

	switch (column->type)
	{
		case INT4OID:
		case INT8OID:
			if (value->kind != RSK_NUMBER || value->length > (column->type == INT8OID ? 18 : 9))
				return false;
			for (i = 0; i < value->length; i++)
			{
				if (value->text[i] < '0' || value->text[i] > '9')
					return false;
				number = number * 10 + (value->text[i] - '0');
			}
			*result = column->type == INT8OID ? Int64GetDatum(number) : Int32GetDatum(number);
			return true;
		case TEXTOID:
			if (value->kind != RSK_STRING || GetDatabaseEncoding() != PG_UTF8)
				return false;
			text = palloc(VARHDRSZ + value->length);
			SET_VARSIZE(text, VARHDRSZ + rsk_unescape(value, VARDATA(text)));
			*result = PointerGetDatum(text);
			return true;
		case TIMESTAMPTZOID:
			if (value->kind != RSK_STRING || value->escaped || column->typmod != -1 ||
				!rspg_time_parse_iso(value->text, value->length, &time))
				return false;
			*result = TimestampTzGetDatum(time);
			return true;
		default:
			return false;
	}
}

/* A field of the payload, or the mapping's default. */
static RspgCell
convert_field(RspgColumn *column, const RskValue *value, const RspgStreamOptions *options,
			  Datum *result)
{
	if (value->kind == RSK_ABSENT)
		return RSPG_CELL_ABSENT;
	if (value->kind == RSK_NULL)
	{
		/* a CSV line has all its fields: an empty one is what absent is in JSON */
		if (options->format == RSPG_FORMAT_CSV && column->fallback.kind != RSK_ABSENT)
			return RSPG_CELL_ABSENT;
		return convert_null(column);
	}
	if ((column->format == RSPG_TIME_ANY || column->format == RSPG_TIME_ISO) &&
		options->format == RSPG_FORMAT_JSON && convert_fast(column, value, result))
		return RSPG_CELL_VALUE;
	if (column->format != RSPG_TIME_ANY)
	{
		char *text = value_text(column, value, options);

		if (column->format == RSPG_TIME_ISO)
		{
			rspg_time_check_iso(text);
			return convert_text(column, text, result);
		}
		*result = time_datum(column, rspg_time_of_epoch(column->format, text));
		return RSPG_CELL_VALUE;
	}
	return convert_text(column, value_text(column, value, options), result);
}

/* What the input function is given. */
static char *
value_text(const RspgColumn *column, const RskValue *value, const RspgStreamOptions *options)
{
	bool json_column = column->base == JSONOID || column->base == JSONBOID;
	StringInfoData array;
	char *text;
	size_t length;

	if (options->format == RSPG_FORMAT_CSV)
	{
		text = palloc(value->length + 1);
		length = rsk_unquote(value, options->quote, text);
	}
	else if (OidIsValid(column->element) && value->kind == RSK_ARRAY)
	{
		initStringInfo(&array);
		append_array(&array, column, value);
		text = array.data;
		length = array.len;
	}
	else if (json_column && value->kind == RSK_STRING)
	{
		length = value->length + 2; /* with its quotes */
		text = pnstrdup(value->text - 1, length);
	}
	else
	{
		text = palloc(value->length + 1);
		if (value->kind == RSK_STRING)
			length = rsk_unescape(value, text);
		else
		{
			memcpy(text, value->text, value->length);
			length = value->length;
		}
	}
	text[length] = '\0';
	return GetDatabaseEncoding() == PG_UTF8 ? text : pg_any_to_server(text, length, PG_UTF8);
}

/* A JSON array as an array's literal: every element that is not NULL in quotes. */
static void
append_array(StringInfo out, const RspgColumn *column, const RskValue *array)
{
	bool json_element = column->element == JSONOID || column->element == JSONBOID;
	const char *at = array->text;
	RskValue element;
	bool first = true;

	appendStringInfoChar(out, '{');
	while (rsk_array_next(array, &at, &element))
	{
		char *text;
		size_t length;
		size_t i;

		if (!first)
			appendStringInfoChar(out, ',');
		first = false;
		if (element.kind == RSK_ARRAY && !json_element)
		{
			append_array(out, column, &element); /* as deep as decoding allows */
			continue;
		}
		if (element.kind == RSK_NULL)
		{
			appendStringInfoString(out, "NULL");
			continue;
		}
		if (element.kind == RSK_STRING && json_element)
		{
			element.text--;
			element.length += 2;
			element.kind = RSK_OBJECT; /* as it stands */
			element.escaped = false;
		}
		text = palloc(element.length + 1);
		length = rsk_unescape(&element, text);
		appendStringInfoChar(out, '"');
		for (i = 0; i < length; i++)
		{
			if (text[i] == '"' || text[i] == '\\')
				appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, text[i]);
		}
		appendStringInfoChar(out, '"');
		pfree(text);
	}
	appendStringInfoChar(out, '}');
}

/* Bytes of a key, header or payload; NULL is NULL. */
static RspgCell
convert_bytes(RspgColumn *column, const void *bytes, size_t length, Datum *result)
{
	char *text;
	size_t bad;

	if (bytes == NULL)
		return convert_null(column);
	if (column->type == BYTEAOID)
	{
		*result = PointerGetDatum(cstring_to_text_with_len(bytes, length));
		return RSPG_CELL_VALUE;
	}
	if (!rsk_utf8_valid(bytes, length, &bad))
		ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
						errmsg("not valid UTF-8 at byte %zu", bad + 1),
						errhint("A column of type bytea takes any bytes.")));
	text = pnstrdup(bytes, length);
	if (GetDatabaseEncoding() != PG_UTF8)
		text = pg_any_to_server(text, length, PG_UTF8);
	return convert_text(column, text, result);
}
