/*
 * jsonb_read.c
 *		Values of jsonb that are settings and rules: objects, arrays, words.
 */
#include "pg/base/jsonb_read.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

JsonbContainer *
rspg_jsonb_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data)
			   ? value->val.binary.data
			   : NULL;
}

JsonbContainer *
rspg_jsonb_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data)
			   ? value->val.binary.data
			   : NULL;
}

char *
rspg_jsonb_string(const JsonbValue *value)
{
	return value->type == jbvString ? pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

char *
rspg_jsonb_text(const JsonbValue *value)
{
	if (value->type == jbvNumeric)
		return DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	if (value->type == jbvBool)
		return pstrdup(value->val.boolean ? "true" : "false");
	return rspg_jsonb_string(value);
}

JsonbValue *
rspg_jsonb_member(const JsonbContainer *object, const char *name)
{
	return getKeyJsonValueFromContainer((JsonbContainer *) object, name, strlen(name), NULL);
}

bool
rspg_jsonb_next_member(JsonbIterator **iterator, char **name, JsonbValue *value)
{
	JsonbIteratorToken token;
	JsonbValue key;

	while ((token = JsonbIteratorNext(iterator, &key, true)) != WJB_DONE)
		if (token == WJB_KEY)
		{
			*name = pnstrdup(key.val.string.val, key.val.string.len);
			(void) JsonbIteratorNext(iterator, value, true);
			return true;
		}
	return false;
}

bool
rspg_jsonb_next_element(JsonbIterator **iterator, JsonbValue *value)
{
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(iterator, value, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			return true;
	return false;
}
