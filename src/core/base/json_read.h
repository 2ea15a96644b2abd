/*
 * json_read.h
 *		A strict pull reader for small JSON of a known shape.
 *
 * The caller asks for what must come next; there is no tree, no recursion (so
 * no depth to bound) and no allocation.  Names are ASCII: all that we know are,
 * and whatever else comes is unknown anyway.  After the first failure everything
 * fails.
 */
#ifndef RS_JSON_READ_H
#define RS_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RsJson
{
	const char *at;
	const char *end;
	bool failed;
} RsJson;

/* The next character that is not white space, or 0 at the end. */
extern char rs_json_peek(RsJson *json);

/* Take the character c (one of {}[],:) or fail. */
extern bool rs_json_take(RsJson *json, char c);

/* A string, unescaped and NUL-terminated; no NUL inside, at most size - 1. */
extern bool rs_json_string(RsJson *json, char *buffer, size_t size);

/*
 * A string of any text, unescaped, not NUL-terminated.  Bytes beyond ASCII are
 * taken as they are; \u stands for ASCII only, for the encoding is not known
 * here.  No NUL inside.
 */
extern bool rs_json_text(RsJson *json, char *buffer, size_t size, size_t *length);

/* How many bytes the string that comes next takes at most. */
extern size_t rs_json_text_bound(RsJson *json);

/* A number of digits only, without leading zero, up to 2^64 - 1. */
extern bool rs_json_uint(RsJson *json, uint64_t *value);

/* Any JSON number that is finite as a double. */
extern bool rs_json_number(RsJson *json, double *value);

/* true or false. */
extern bool rs_json_bool(RsJson *json, bool *value);

/* Between the members of an object or array: true if one more follows ("," or
 * the first), false after the closing character or on failure. */
extern bool rs_json_more(RsJson *json, char close, bool *first);

/* Nothing but white space left? */
extern bool rs_json_done(RsJson *json);

#endif
