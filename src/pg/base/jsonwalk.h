/*
 * jsonwalk.h
 *		The members of a JSON object, and the elements of an array, one by one.
 */
#ifndef RSPG_JSONWALK_H
#define RSPG_JSONWALK_H

#include "postgres.h"

#include "utils/jsonb.h"

/* The next of them, false where there is none; iterator is JsonbIteratorInit()'s
 * at first. */
extern bool rspg_json_member(JsonbIterator **iterator, JsonbValue *key, JsonbValue *value);
extern bool rspg_json_element(JsonbIterator **iterator, JsonbValue *element);

#endif
