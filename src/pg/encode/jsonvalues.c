/*
 * jsonvalues.c
 *		JSON objects as the values an encoder takes, and specs as the columns they
 *		name.
 */
#include "pg/encode/jsonvalues.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/numeric.h"

#include "pg/base/jsonb_read.h"
#include "pg/encode/rowvalues.h"

static void
wrong_json(const char *column, const JsonbValue *value, const char *wanted)
{
	const char *found = value->type == jbvString    ? "a string"
						: value->type == jbvBool    ? "a boolean"
						: value->type == jbvNumeric ? "a number"
						: value->type == jbvNull    ? "null"
													: "an array or object";

	ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
					errmsg("key \"%s\" is %s, the encoder takes %s", column, found, wanted)));
}

static RsText
json_text(const char *column, const JsonbValue *value, const char *wanted)
{
	RsText text = {NULL, 0};

	switch (value->type)
	{
		case jbvString:
			text.data = value->val.string.val;
			text.length = (uint32_t) value->val.string.len;
			return text;
		case jbvBool:
			text.data = value->val.boolean ? "true" : "false";
			text.length = (uint32_t) strlen(text.data);
			return text;
		case jbvNumeric:
			return rspg_text_of(NUMERICOID, NumericGetDatum(value->val.numeric));
		case jbvNull:
			return text;
		default:
			wrong_json(column, value, wanted);
			return text;
	}
}

static void
json_list(const char *column, const JsonbValue *value, RsValue *out)
{
	JsonbIterator *iterator = JsonbIteratorInit(value->val.binary.data);
	JsonbValue element;
	RsText *list = palloc0(sizeof(RsText) * Max(JsonContainerSize(value->val.binary.data), 1));

	out->kind = RS_VALUE_LIST;
	out->list = list;
	out->n = 0;
	while (rspg_jsonb_next_element(&iterator, &element))
		list[out->n++] = json_text(column, &element, "texts and numbers in its array");
}

static void
json_value(const RsEncoderColumn *column, const JsonbValue *value, RsValue *out)
{
	if (value->type == jbvNull)
		out->kind = RS_VALUE_NULL;
	else if (column->number)
	{
		out->kind = RS_VALUE_NUMBER;
		if (value->type == jbvNumeric)
			(void) rspg_number_of(NUMERICOID, NumericGetDatum(value->val.numeric), &out->number);
		else if (value->type == jbvBool)
			out->number = value->val.boolean ? 1 : 0;
		else
			wrong_json(column->name, value, "a number");
	}
	else if (column->lists && value->type == jbvBinary &&
			 JsonContainerIsArray(value->val.binary.data))
		json_list(column->name, value, out);
	else
	{
		out->text =
			json_text(column->name, value,
					  column->lists ? "text, a number or an array of these" : "text or a number");
		out->kind = RS_VALUE_TEXT;
	}
}

void
rspg_encoder_values_jsonb(const RsEncoder *encoder, Jsonb *row, bool strict, RsValue *values)
{
	uint32 columns = rs_encoder_columns(encoder);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;
	uint32 i;

	if (!JB_ROOT_IS_OBJECT(row))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("row of features must be a JSON object")));
	for (i = 0; i < columns; i++)
		values[i].kind = RS_VALUE_MISSING;
	iterator = JsonbIteratorInit(&row->root);
	/* as rspg_jsonb_next_member(), but for a copy of every key of every row */
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		RsEncoderColumn column;
		int found;

		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		found = rs_encoder_find(encoder, key.val.string.val, key.val.string.len);
		if (found < 0)
		{
			if (!strict)
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("key \"%.*s\" is not a column of the encoder",
							pg_mbcliplen(key.val.string.val, key.val.string.len, 60),
							key.val.string.val),
					 errhint("SELECT DISTINCT column_name FROM recsys.encoder_columns(…) lists "
							 "them.")));
		}
		column = rs_encoder_column(encoder, (uint32) found);
		json_value(&column, &value, &values[found]);
	}
}

List *
rspg_spec_columns(Jsonb *spec)
{
	JsonbIterator *iterator = JsonbIteratorInit(&spec->root);
	JsonbValue steps;
	char *name;
	List *columns = NIL;

	if (JB_ROOT_IS_OBJECT(spec))
	{
		while (rspg_jsonb_next_member(&iterator, &name, &steps))
			columns = lappend(columns, name);
		return columns;
	}
	while (rspg_jsonb_next_element(&iterator, &steps))
	{
		JsonbContainer *object = rspg_jsonb_object(&steps);
		JsonbValue *column = object != NULL ? rspg_jsonb_member(object, "column") : NULL;

		if (column == NULL || (name = rspg_jsonb_string(column)) == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("a column of the features has no name")));
		columns = lappend(columns, name);
	}
	return columns;
}
