/*
 * json_read.h
 *		A strict pull reader for small JSON of a known shape.
 *
 * The caller asks for what must come next; there is no tree, no recursion (so
 * no depth to bound) and no allocation but of what is handed out.  Names are
 * ASCII: all that we know are, and whatever else comes is unknown anyway.  After
 * the first failure everything fails.
 */
#ifndef RS_JSON_READ_H
#define RS_JSON_READ_H

#include "core/base/context.h"

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
 * A string of any text, unescaped, with a NUL behind it, from rs_alloc.  Bytes
 * beyond ASCII are taken as they are; \u stands for ASCII only, for the encoding
 * is not known here.  No NUL inside.  NULL on failure: ctx->status is set where
 * it is for want of memory.
 */
extern char *rs_json_copy_text(RsContext *ctx, RsJson *json, uint32_t *length);

/* Index of the string that comes next in words, or -1. */
extern int rs_json_word(RsJson *json, const char *const *words);

/* A number of digits only, without leading zero, up to 2^64 - 1. */
extern bool rs_json_uint(RsJson *json, uint64_t *value);

/* Any JSON number that is finite as a double. */
extern bool rs_json_number(RsJson *json, double *value);

/* A number, or "infinity" or "-infinity". */
extern bool rs_json_bound(RsJson *json, double *value);

/* [bound, ...] from rs_alloc; NULL on failure, as above. */
extern double *rs_json_bounds(RsContext *ctx, RsJson *json, uint32_t *n);

/* true or false. */
extern bool rs_json_bool(RsJson *json, bool *value);

/* Between the members of an object or array: true if one more follows ("," or
 * the first), false after the closing character or on failure. */
extern bool rs_json_more(RsJson *json, char close, bool *first);

/* Nothing but white space left? */
extern bool rs_json_done(RsJson *json);

#endif
