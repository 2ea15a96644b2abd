/*
 * times.c
 *		Times of messages: counts since 1970, ISO 8601.
 */
#include "pg/times.h"

#include <ctype.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "common/int.h"
#include "common/jsonapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"

#define EPOCH_OFFSET (((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

static TimestampTz
from_unix(int64 microseconds)
{
	TimestampTz time;

	if (pg_sub_s64_overflow(microseconds, EPOCH_OFFSET, &time) || !IS_VALID_TIMESTAMP(time))
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
	return time / 1000 + EPOCH_OFFSET / 1000;
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

Datum
rspg_time_datum(RspgColumn *column, TimestampTz time)
{
	Datum value = TimestampTzGetDatum(time);

	if (column->base == DATEOID)
		value = DirectFunctionCall1(timestamp_date, value); /* the date in UTC */
	else if (column->type == TIMESTAMPTZOID)
		value = DirectFunctionCall2(timestamptz_scale, value, Int32GetDatum(column->typmod));
	else if (column->type == TIMESTAMPOID)
		value = DirectFunctionCall2(timestamp_scale, value, Int32GetDatum(column->typmod));
	if (column->domain)
	{
		int32 typmod = column->typmod;

		/* the precision is that of the type below */
		(void) getBaseTypeAndTypmod(column->type, &typmod);
		if (column->base != DATEOID)
			value = DirectFunctionCall2(timestamptz_scale, value, Int32GetDatum(typmod));
		domain_check(value, false, column->type, &column->domain_cache, column->input.fn_mcxt);
	}
	return value;
}
