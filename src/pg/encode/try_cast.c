/*
 * try_cast.c
 *		try_cast(text, anyelement): a cast that gives null where it fails.
 *
 * Numbers and booleans are told good from bad here; for other types their input
 * function decides, and what it raises is caught by a subtransaction, or from
 * PostgreSQL 16 on, for common types, by a soft error.
 */
#include "pg/base/rspg.h"

#include <errno.h>
#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif

#define MAX_PLAIN_NUMERIC 1000 /* digits that numeric takes for certain */
#define ISO_DATE 10            /* characters of 2026-01-31 */

typedef enum Verdict
{
	GOOD,
	BAD,
	UNDECIDED
} Verdict;

typedef struct Input
{
	Oid type;
	FmgrInfo function;
	Oid ioparam;
} Input;

static Verdict try_integer(const char *text, int64 min, int64 max, int64 *value);
static Verdict try_float(const char *text, float8 *value);
static Verdict try_plainly(Oid type, char *text, Datum *result);
static bool is_iso_time(const char *text);
static bool try_input(Input *input, char *text, int32 typmod, Datum *result);

PG_FUNCTION_INFO_V1(recsys_try_cast);

static const char *
skip_space(const char *text)
{
	while (isspace((unsigned char) *text))
		text++;
	return text;
}

/* Decimal digits, as every version reads them; other forms are undecided. */
static Verdict
try_integer(const char *text, int64 min, int64 max, int64 *value)
{
	const char *at = skip_space(text);
	bool negative = *at == '-';
	const char *digits;
	int64 sum = 0;
	bool overflow = false;

	if (*at == '-' || *at == '+')
		at++;
	for (digits = at; *at >= '0' && *at <= '9'; at++)
		overflow |= __builtin_mul_overflow(sum, (int64) 10, &sum) ||
					__builtin_sub_overflow(sum, (int64) (*at - '0'), &sum);
	if (at == digits || *skip_space(at) != '\0')
		return PG_VERSION_NUM >= 160000 ? UNDECIDED : BAD; /* 0x1f, 1_000 */
	if (overflow || (!negative && sum == PG_INT64_MIN))
		return BAD;
	*value = negative ? sum : -sum;
	return *value >= min && *value <= max ? GOOD : BAD;
}

/* Plain decimals; NaN, infinity and what is near the limits are undecided. */
static Verdict
try_float(const char *text, float8 *value)
{
	const char *at = skip_space(text);
	char *end;

	if (strspn(at, "+-.0123456789eE") == 0)
		return UNDECIDED;
	errno = 0;
	*value = strtod(at, &end);
	if (end == at || *skip_space(end) != '\0' || strpbrk(at, "xXpP") != NULL || errno != 0 ||
		!isfinite(*value))
		return UNDECIDED;
	return GOOD;
}

/* Digits with at most one point among them. */
static bool
is_plain_numeric(const char *text)
{
	const char *at = skip_space(text);
	int digits = 0;
	int points = 0;

	if (*at == '-' || *at == '+')
		at++;
	for (; (*at >= '0' && *at <= '9') || *at == '.'; at++)
	{
		if (*at == '.')
			points++;
		else
			digits++;
	}
	return digits > 0 && digits <= MAX_PLAIN_NUMERIC && points <= 1 && *skip_space(at) == '\0';
}

static Verdict
try_plainly(Oid type, char *text, Datum *result)
{
	int64 integer = 0;
	float8 number = 0;
	Verdict verdict = UNDECIDED;

	switch (type)
	{
		case INT2OID:
			verdict = try_integer(text, PG_INT16_MIN, PG_INT16_MAX, &integer);
			*result = Int16GetDatum((int16) integer);
			break;
		case INT4OID:
			verdict = try_integer(text, PG_INT32_MIN, PG_INT32_MAX, &integer);
			*result = Int32GetDatum((int32) integer);
			break;
		case INT8OID:
			verdict = try_integer(text, PG_INT64_MIN, PG_INT64_MAX, &integer);
			if (verdict == GOOD)
				*result = Int64GetDatum(integer);
			break;
		case FLOAT8OID:
			verdict = try_float(text, &number);
			if (verdict == GOOD)
				*result = Float8GetDatum(number);
			break;
		case NUMERICOID:
			if (is_plain_numeric(text))
			{
				*result = DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
				verdict = GOOD;
			}
			break;
		case BOOLOID:
		{
			const char *at = skip_space(text);
			size_t length = strlen(at);
			bool value = false;

			while (length > 0 && isspace((unsigned char) at[length - 1]))
				length--;
			verdict = parse_bool_with_len(at, length, &value) ? GOOD : BAD;
			*result = BoolGetDatum(value);
			break;
		}
		case TEXTOID:
			*result = CStringGetTextDatum(text);
			verdict = GOOD;
			break;
		default:
			break;
	}
	return verdict;
}

/*
 * Is it a date of four-digit year with or without a time, as 2026-01-31 or
 * 2026-01-31 23:59:59.5, which every setting reads alike and without fail?
 */
static bool
is_iso_time(const char *text)
{
	int year, month, day, hour = 0, minute = 0, second = 0;
	const char *at = text + ISO_DATE;
	int days;

	if (strlen(text) < ISO_DATE || strspn(text, "0123456789") != 4 || text[4] != '-' ||
		strspn(text + 5, "0123456789") != 2 || text[7] != '-' ||
		strspn(text + 8, "0123456789") != 2)
		return false;
	year = atoi(text);
	month = atoi(text + 5);
	day = atoi(text + 8);
	if (year < 1 || month < 1 || month > 12)
		return false;
	days = date2j(month < 12 ? year : year + 1, month < 12 ? month + 1 : 1, 1) -
		   date2j(year, month, 1);
	if (day < 1 || day > days)
		return false;
	if (*at == '\0')
		return true;
	if ((*at != ' ' && *at != 'T') || strspn(at + 1, "0123456789") != 2 || at[3] != ':' ||
		strspn(at + 4, "0123456789") != 2 || at[6] != ':' || strspn(at + 7, "0123456789") != 2)
		return false;
	hour = atoi(at + 1);
	minute = atoi(at + 4);
	second = atoi(at + 7);
	at += 9;
	if (*at == '.' && strspn(at + 1, "0123456789") <= 6)
		at += 1 + strspn(at + 1, "0123456789");
	return *at == '\0' && hour < 24 && minute < 60 && second < 60;
}

/* Is it about the value, not about the server or the user's patience? */
static bool
is_about_value(int sqlerrcode)
{
	int category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category != MAKE_SQLSTATE('5', '3', '0', '0', '0') &&
		   category != MAKE_SQLSTATE('5', '7', '0', '0', '0') &&
		   category != MAKE_SQLSTATE('5', '8', '0', '0', '0') &&
		   category != MAKE_SQLSTATE('X', 'X', '0', '0', '0');
}

#if PG_VERSION_NUM >= 160000
/* Types whose input function raises nothing; of others some still do, regtype for one. */
static bool
fails_softly(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case UUIDOID:
		case JSONOID:
		case JSONBOID:
		case VARCHAROID:
		case BPCHAROID:
			return true;
		default:
			return false;
	}
}
#endif

/* The input function in a subtransaction; false where it raised. */
static bool
try_input(Input *input, char *text, int32 typmod, Datum *result)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool good = false;
	Datum volatile value = (Datum) 0;

	if ((input->type == DATEOID || input->type == TIMESTAMPOID || input->type == TIMESTAMPTZOID) &&
		is_iso_time(text))
	{
		*result = InputFunctionCall(&input->function, text, input->ioparam, typmod);
		return true;
	}
#if PG_VERSION_NUM >= 160000
	if (fails_softly(input->type))
	{
		ErrorSaveContext escontext = {.type = T_ErrorSaveContext};

		return InputFunctionCallSafe(&input->function, text, input->ioparam, typmod,
									 (Node *) &escontext, result);
	}
#endif
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old);
	PG_TRY();
	{
		value = InputFunctionCall(&input->function, text, input->ioparam, typmod);
		good = true;
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		RollbackAndReleaseCurrentSubTransaction();
		if (!is_about_value(error->sqlerrcode))
		{
			MemoryContextSwitchTo(old);
			CurrentResourceOwner = owner;
			ReThrowError(error);
		}
		FlushErrorState();
		FreeErrorData(error);
		good = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;
	*result = value;
	return good;
}

Datum
recsys_try_cast(PG_FUNCTION_ARGS)
{
	Oid type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	Input *input = fcinfo->flinfo->fn_extra;
	Datum result = (Datum) 0;
	char *string;
	int32 typmod;
	Verdict verdict;

	if (PG_ARGISNULL(0) || (PG_NARGS() > 2 && PG_ARGISNULL(2)))
		PG_RETURN_NULL();
	if (!OidIsValid(type))
		ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
						errmsg("could not determine the type to cast to"),
						errhint("For example: recsys.try_cast(value, NULL::integer).")));
	string = text_to_cstring(PG_GETARG_TEXT_PP(0));
	typmod = PG_NARGS() > 2 ? PG_GETARG_INT32(2) : -1;
	verdict = typmod < 0 ? try_plainly(type, string, &result) : UNDECIDED;
	if (verdict == GOOD)
		return result;
	if (verdict == BAD)
		PG_RETURN_NULL();
	if (input == NULL || input->type != type)
	{
		Oid function;

		input = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Input));
		getTypeInputInfo(type, &function, &input->ioparam);
		fmgr_info_cxt(function, &input->function, fcinfo->flinfo->fn_mcxt);
		input->type = type;
		fcinfo->flinfo->fn_extra = input;
	}
	if (!try_input(input, string, typmod, &result))
		PG_RETURN_NULL();
	return result;
}
