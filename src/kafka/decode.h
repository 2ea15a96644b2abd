/*
 * decode.h
 *		A field of a decoded message, and what can be wrong with one: what
 *		decode_json and decode_csv have in common.
 *
 * Values are slices of the message; nothing is allocated, nothing is copied
 * and nothing recurses, so a message cannot take memory or stack.  A message
 * that is not right gives a status, never an error raised.
 */
#ifndef RSK_DECODE_H
#define RSK_DECODE_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
