/*
 * message_time.h
 *		Times of messages: counts since 1970, ISO 8601.
 */
#ifndef RSPG_MESSAGE_TIME_H
#define RSPG_MESSAGE_TIME_H

#include "postgres.h"

#include "utils/timestamp.h"

/* How a field of a message tells a time */
typedef enum RspgTimeFormat
{
	RSPG_TIME_ANY, /* what the type's input function takes */
	RSPG_TIME_EPOCH_MS,
	RSPG_TIME_EPOCH_S,
	RSPG_TIME_ISO
} RspgTimeFormat;

/* An error for a time that PostgreSQL cannot tell; a message may have any. */
extern TimestampTz rspg_time_of_ms(int64 milliseconds);
/* Milliseconds since 1970, or -1 for infinity. */
extern int64 rspg_time_to_ms(TimestampTz time);
extern bool rspg_time_in_range(int64 milliseconds);

/* Of a decimal number's text; an error if it is none or out of range. */
extern TimestampTz rspg_time_of_epoch(RspgTimeFormat format, const char *text);

/* Error unless it starts as ISO 8601 does: 'now' and the like are no data. */
extern void rspg_time_check_iso(const char *text);

/*
 * The usual form, 2026-01-31T12:34:56[.123456] with Z or an offset, without the
 * input function; false for any other, also where it would be an error.
 */
extern bool rspg_time_parse_iso(const char *text, size_t length, TimestampTz *time);

#endif
