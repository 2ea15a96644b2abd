/*
 * decode.h
 *		Fields of a message: JSON objects by paths, CSV lines by position.
 *
 * Values are slices of the message; nothing is allocated, nothing is copied
 * and nothing recurses, so a message cannot take memory or stack.  A message
 * that is not right gives a status, never an error raised.
 *
 * JSON is what RFC 8259 says, as strict as PostgreSQL's type jsonb: UTF-8, no
 * \u0000, no lone surrogate; of a key that comes twice the last one wins.
 */
#ifndef RSK_DECODE_H
#define RSK_DECODE_H

#include <stdbool.h>
#include <stddef.h>

/* Deepest nesting taken; PostgreSQL's own parsers recurse with less stack than
 * the least max_stack_depth at this depth. */
#define RSK_MAX_DEPTH 256

/* Longest step of a path, bytes */
#define RSK_MAX_NAME 255

typedef enum RskKind
{
	RSK_ABSENT,
	RSK_NULL,   /* JSON null, or an empty unquoted CSV field */
	RSK_STRING, /* text is what stands between the quotes */
	RSK_NUMBER,
	RSK_BOOL,
	RSK_OBJECT, /* text from { to } */
	RSK_ARRAY
} RskKind;

typedef struct RskValue
{
	const char *text; /* not NUL-terminated */
	size_t length;
	RskKind kind;
	bool escaped; /* a string with escapes (JSON) or doubled quotes (CSV) in it */
} RskValue;

typedef enum RskDecodeStatus
{
	RSK_DECODE_OK,
	RSK_DECODE_SYNTAX,
	RSK_DECODE_ENCODING,   /* not UTF-8, or a zero byte */
	RSK_DECODE_ZERO,       /* \u0000 */
	RSK_DECODE_DEPTH,      /* nested deeper than RSK_MAX_DEPTH */
	RSK_DECODE_NOT_OBJECT, /* JSON, but not an object */
	RSK_DECODE_FIELDS      /* CSV: another number of fields */
} RskDecodeStatus;

typedef struct RskDecodeFailure
{
	size_t at; /* byte of the message, from 0 */
	char message[128];
} RskDecodeFailure;

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

/* The next element of an array that rsk_decode_json() gave; *at starts at its
 * text.  False after the last one. */
extern bool rsk_array_next(const char **at, RskValue *element);

/* Exactly n_fields fields of one line (RFC 4180); a line end after it is taken. */
extern RskDecodeStatus rsk_decode_csv(const char *text, size_t length, char delimiter, char quote,
									  RskValue *values, int n_fields, RskDecodeFailure *failure);

/* As rsk_unescape(), for values of rsk_decode_csv(). */
extern size_t rsk_unquote(const RskValue *value, char quote, char *out);

/* Is this UTF-8 without a zero byte?  If not, *at is the first byte that is not. */
extern bool rsk_utf8_valid(const char *text, size_t length, size_t *at);

#endif
