/*
 * jsonb_read.h
 *		Values of jsonb that are settings and rules: objects, arrays, words.
 */
#ifndef RSPG_JSONB_READ_H
#define RSPG_JSONB_READ_H

#include "postgres.h"

#include "utils/jsonb.h"

/* The object or array that the value is, or NULL. */
extern JsonbContainer *rspg_jsonb_object(const JsonbValue *value);
extern JsonbContainer *rspg_jsonb_array(const JsonbValue *value);

/* The string that it is, in CurrentMemoryContext, or NULL. */
extern char *rspg_jsonb_string(const JsonbValue *value);

/* The text of a string, number or boolean, in CurrentMemoryContext, or NULL. */
extern char *rspg_jsonb_text(const JsonbValue *value);

/* A member of an object by its name, or NULL. */
extern JsonbValue *rspg_jsonb_member(const JsonbContainer *object, const char *name);

/* The next member of an object, in turn; *iterator starts as JsonbIteratorInit()
 * of it.  False after the last one. */
extern bool rspg_jsonb_next_member(JsonbIterator **iterator, char **name, JsonbValue *value);

/* The same of an array's elements. */
extern bool rspg_jsonb_next_element(JsonbIterator **iterator, JsonbValue *value);

#endif
