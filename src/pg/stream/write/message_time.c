/*
 * message_time.c
 *		Times of messages: counts since 1970, ISO 8601.
 */
#include "pg/stream/write/message_time.h"

#include <ctype.h>
#include <math.h>

#include "common/int.h"
#include "common/jsonapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "pg/stream/definition/stream_options.h"

static TimestampTz
from_unix(int64 microseconds)
{
	TimestampTz time;

	if (pg_add_s64_overflow(microseconds, RSPG_UNIX_EPOCH, &time) || !IS_VALID_TIMESTAMP(time))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return time;
}

TimestampTz
rspg_time_of_ms(int64 milliseconds)
{
	int64 microseconds;

	if (pg_mul_s64_overflow(milliseconds, 1000, &microseconds))
		microseconds = PG_INT64_MIN; /* which is out of range */
	return from_unix(microseconds);
}

int64
rspg_time_to_ms(TimestampTz time)
{
	if (TIMESTAMP_NOT_FINITE(time))
		return -1;
	return time / 1000 - RSPG_UNIX_EPOCH / 1000;
}

bool
rspg_time_in_range(int64 milliseconds)
{
	return milliseconds >= 0 && milliseconds <= PG_INT64_MAX / 1000;
}

TimestampTz
rspg_time_of_epoch(RspgTimeFormat format, const char *text)
{
	const char *unit = format == RSPG_TIME_EPOCH_MS ? "milliseconds" : "seconds";
	int64 scale = format == RSPG_TIME_EPOCH_MS ? 1000 : 1000000;
	bool negative = text[0] == '-';
	const char *at = text + (negative ? 1 : 0);
	const char *from = at;
	int64 number = 0;

	/* digits, where a time is within reach of 64 bits, and a fraction */
	for (; isdigit((unsigned char) *at) && at - from < 18; at++)
		number = number * 10 + (*at - '0');
	if (at > from && !isdigit((unsigned char) *at) && !pg_mul_s64_overflow(number, scale, &number))
	{
		if (*at == '.')
			for (at++; isdigit((unsigned char) *at); at++)
			{
				scale /= 10;
				number += (*at - '0') * scale;
			}
		if (*at == '\0' && at[-1] != '.')
			return from_unix(negative ? -number : number);
	}
	/* an exponent, as 1.7e12 */
	if (at > from && IsValidJsonNumber(text, strlen(text)))
	{
		double microseconds = strtod(text, NULL) * (format == RSPG_TIME_EPOCH_MS ? 1e3 : 1e6);

		if (fabs(microseconds) < 9.2e18)
			return from_unix((int64) rint(microseconds));
		return from_unix(PG_INT64_MIN);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_DATETIME_FORMAT),
					errmsg("expected %s since 1970, found \"%s\"", unit, text)));
	return 0; /* not reached */
}

/* n digits at text as a number, or -1. */
static int
read_digits(const char *text, int n)
{
	int number = 0;

	for (; n > 0; n--, text++)
	{
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
	}
	return number;
}

/* Seconds east of UTC of Z, ±hh, ±hhmm or ±hh:mm that ends at end. */
static bool
read_zone(const char *at, const char *end, int *zone)
{
	int hours;
	int minutes = 0;

	*zone = 0;
	if (end - at == 1 && *at == 'Z')
		return true;
	if (end - at < 3 || (*at != '+' && *at != '-'))
		return false;
	hours = read_digits(at + 1, 2);
	if (end - at == 5)
		minutes = read_digits(at + 3, 2);
	else if (end - at == 6 && at[3] == ':')
		minutes = read_digits(at + 4, 2);
	else if (end - at != 3)
		return false;
	if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
		return false;
	*zone = (hours * 60 + minutes) * SECS_PER_MINUTE * (*at == '-' ? -1 : 1);
	return true;
}

bool
rspg_time_parse_iso(const char *text, size_t length, TimestampTz *time)
{
	const char *end = text + length;
	const char *at = text + 19;
	int fraction = 0;
	int scale = 1000000;
	int year, month, day, hour, minute, second, zone;

	if (length < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') ||
		text[13] != ':' || text[16] != ':')
		return false;
	year = read_digits(text, 4);
	month = read_digits(text + 5, 2);
	day = read_digits(text + 8, 2);
	hour = read_digits(text + 11, 2);
	minute = read_digits(text + 14, 2);
	second = read_digits(text + 17, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > day_tab[isleap(year)][month - 1] ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
		return false;
	if (*at == '.')
		for (at++; at < end && *at >= '0' && *at <= '9' && scale > 1; at++)
			fraction += (*at - '0') * (scale /= 10);
	if (at[-1] == '.' || !read_zone(at, end, &zone))
		return false;
	*time = (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY +
			((hour * MINS_PER_HOUR + minute) * (int64) SECS_PER_MINUTE + second - zone) *
				USECS_PER_SEC +
			fraction;
	return true;
}

void
rspg_time_check_iso(const char *text)
{
	static const char shape[] = "dddd-dd-dd";
	int i;

	for (i = 0; shape[i] != '\0'; i++)
		if (shape[i] == 'd' ? !isdigit((unsigned char) text[i]) : text[i] != shape[i])
			break;
	if (shape[i] != '\0' || (text[i] != '\0' && text[i] != 'T' && text[i] != 't' && text[i] != ' '))
		ereport(ERROR, (errcode(ERRCODE_INVALID_DATETIME_FORMAT),
						errmsg("expected a time in ISO 8601, found \"%s\"", text)));
}
