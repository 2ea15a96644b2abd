/*
 * decode_json.h
 *		Fields of a message that is a JSON object, by their paths.
 *
 * JSON is what RFC 8259 says, as strict as PostgreSQL's type jsonb: UTF-8, no
 * \u0000, no lone surrogate; of a key that comes twice the last one wins.
 */
#ifndef RSK_DECODE_JSON_H
#define RSK_DECODE_JSON_H

#include "kafka/decode.h"

/* Deepest nesting taken; PostgreSQL's own parsers recurse with less stack than
 * the least max_stack_depth at this depth. */
#define RSK_MAX_DEPTH 256

/* Longest step of a path, bytes */
#define RSK_MAX_NAME 255

#define RSK_PATH_BUCKETS 16

/* A step of a path; the root is the message. */
typedef struct RskNode
{
	const char *name;
	size_t length;
	int field;             /* number of the value, or -1 */
	struct RskNode *child; /* any one; NULL = leaf */
	struct RskNode *sibling;
	struct RskNode *chain; /* next in the bucket of the parent */
	struct RskNode *bucket[RSK_PATH_BUCKETS];
} RskNode;

/* Paths into a message.  nodes is the caller's: room for one more than the steps
 * of all paths together. */
typedef struct RskPaths
{
	RskNode *nodes;
	int n_nodes;
	int n_fields;
} RskPaths;

extern void rsk_paths_init(RskPaths *paths, RskNode *nodes);

/* Add a path; the names must stay.  Returns the number of its value, which is an
 * earlier one where the path was added before. */
extern int rsk_paths_add(RskPaths *paths, const char *const *steps, int n_steps);

/* Fill values[n_fields].  failure is filled unless the status is RSK_DECODE_OK. */
extern RskDecodeStatus rsk_decode_json(const RskPaths *paths, const char *text, size_t length,
									   RskValue *values, RskDecodeFailure *failure);

/* The string a JSON value stands for: writes at most value->length bytes, returns
 * how many.  Only for values that rsk_decode_json() gave. */
extern size_t rsk_unescape(const RskValue *value, char *out);

/* The next element of an array that rsk_decode_json() gave; *at starts at the
 * array's text.  False after the last one. */
extern bool rsk_array_next(const RskValue *array, const char **at, RskValue *element);

#endif
