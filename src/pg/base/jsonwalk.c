/*
 * jsonwalk.c
 *		The members of a JSON object, and the elements of an array, one by one.
 */
#include "pg/base/jsonwalk.h"

bool
rspg_json_member(JsonbIterator **iterator, JsonbValue *key, JsonbValue *value)
{
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(iterator, key, true)) != WJB_DONE)
		if (token == WJB_KEY)
		{
			(void) JsonbIteratorNext(iterator, value, true);
			return true;
		}
	return false;
}

bool
rspg_json_element(JsonbIterator **iterator, JsonbValue *element)
{
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(iterator, element, true)) != WJB_DONE)
		if (token == WJB_ELEM)
			return true;
	return false;
}
