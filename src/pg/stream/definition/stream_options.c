/*
 * stream_options.c
 *		Options of a stream: jsonb to RspgStreamOptions, checked.
 *
 * Sessions check before they store options, and workers check again: rows of
 * recsys.stream may have been written by hand.
 */
#include "pg/stream/definition/stream_options.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/numeric.h"

#include "pg/base/jsonb_read.h"

#define MAX_OPTIONS_BYTES (64 * 1024)
#define MAX_SETTING_NAME 64

typedef enum OptionKind
{
	OPTION_WORD,    /* one of words, stored as its number */
	OPTION_INT,     /* within min and max */
	OPTION_BOOL,    /* true or false */
	OPTION_FIRST,   /* one of words, stored as: is it the first? */
	OPTION_BYTE,    /* a string of one byte */
	OPTION_TEXT,    /* a string of 1 to max bytes */
	OPTION_COLUMNS, /* an array of names of columns */
	OPTION_SETTINGS /* an object of librdkafka's settings */
} OptionKind;

typedef struct OptionRule
{
	const char *name;
	OptionKind kind;
	size_t field; /* in RspgStreamOptions */
	int value;    /* default of words, integers, booleans and bytes */
	int min;
	int max;
	const char *const *words;
} OptionRule;

static const char *const format_words[] = {"json", "csv", NULL};
static const char *const lost_words[] = {"error", "earliest", "latest", NULL};
static const char *const upsert_words[] = {"update", "nothing", NULL};
static const char *const tombstone_words[] = {"reject", "skip", NULL};
static const char *const isolation_words[] = {"read_committed", "read_uncommitted", NULL};

#define FIELD(name) offsetof(RspgStreamOptions, name)

/* Alphabetical: the order in which a hint lists them. */
static const OptionRule rules[] = {
	{"batch_bytes", OPTION_INT, FIELD(batch_bytes), 8 << 20, 1024, 64 << 20, NULL},
	{"batch_ms", OPTION_INT, FIELD(batch_ms), 0, 0, 60000, NULL},
	{"batch_rows", OPTION_INT, FIELD(batch_rows), 10000, 1, 100000, NULL},
	{"columns", OPTION_COLUMNS, FIELD(columns), 0, 0, 0, NULL},
	{"delimiter", OPTION_BYTE, FIELD(delimiter), ',', 0, 0, NULL},
	{"format", OPTION_WORD, FIELD(format), RSPG_FORMAT_JSON, 0, 0, format_words},
	{"isolation", OPTION_FIRST, FIELD(read_committed), true, 0, 0, isolation_words},
	{"kafka", OPTION_SETTINGS, FIELD(kafka), 0, 0, 0, NULL},
	{"lock_timeout_ms", OPTION_INT, FIELD(lock_timeout_ms), 5000, 1, 3600000, NULL},
	{"max_message_bytes", OPTION_INT, FIELD(max_message_bytes), 1 << 20, 1, 100000000, NULL},
	{"max_rejects", OPTION_INT, FIELD(max_rejects), 1000, 0, 1000000000, NULL},
	{"on_offset_lost", OPTION_WORD, FIELD(on_offset_lost), RSPG_LOST_ERROR, 0, 0, lost_words},
	{"quote", OPTION_BYTE, FIELD(quote), '"', 0, 0, NULL},
	{"secret", OPTION_TEXT, FIELD(secret), 0, 0, NAMEDATALEN - 1, NULL},
	{"start", OPTION_TEXT, FIELD(start), 0, 0, 127, NULL},
	{"statement_timeout_ms", OPTION_INT, FIELD(statement_timeout_ms), 60000, 1, 3600000, NULL},
	{"synchronous_commit", OPTION_BOOL, FIELD(synchronous_commit), true, 0, 0, NULL},
	{"tombstone", OPTION_WORD, FIELD(tombstone), RSPG_TOMBSTONE_REJECT, 0, 0, tombstone_words},
	{"transform", OPTION_TEXT, FIELD(transform), 0, 0, 2 * NAMEDATALEN + 5, NULL},
	{"upsert", OPTION_WORD, FIELD(upsert), RSPG_UPSERT_UPDATE, 0, 0, upsert_words},
	{"upsert_key", OPTION_COLUMNS, FIELD(upsert_key), 0, 0, 0, NULL},
	{"workers", OPTION_INT, FIELD(workers), 1, 1, RSPG_MAX_STREAM_WORKERS, NULL}};

static void set_default(const OptionRule *rule, RspgStreamOptions *options);
static void set_option(const OptionRule *rule, JsonbValue *value, RspgStreamOptions *options);
static const OptionRule *find_rule(const char *name);
static void set_settings(const OptionRule *rule, const JsonbValue *value,
						 RspgStreamOptions *options);
static void check_together(const RspgStreamOptions *options, const bool *given);

void
rspg_stream_options(Jsonb *json, RspgStreamOptions *options)
{
	bool given[lengthof(rules)] = {false};
	JsonbIterator *iterator;
	JsonbValue value;
	char *name;
	int i;

	memset(options, 0, sizeof(*options));
	for (i = 0; i < lengthof(rules); i++)
		set_default(&rules[i], options);
	if (json == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options of a stream must be a JSON object"),
						errhint("For example: {\"batch_rows\": 5000}.")));
	if (VARSIZE(json) > MAX_OPTIONS_BYTES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("options of a stream are too long"),
						errdetail("They have %u bytes, of at most %d.", (unsigned) VARSIZE(json),
								  MAX_OPTIONS_BYTES)));
	iterator = JsonbIteratorInit(&json->root);
	while (rspg_jsonb_next_member(&iterator, &name, &value))
	{
		const OptionRule *rule = find_rule(name);

		if (value.type == jbvNull)
			continue; /* the default */
		set_option(rule, &value, options);
		given[rule - rules] = true;
	}
	check_together(options, given);
}

void
rspg_stream_option_names(Jsonb *changes, Jsonb *stored)
{
	JsonbIterator *iterator = JsonbIteratorInit(&changes->root);
	RspgStreamOptions ignored = {0};
	JsonbValue value;
	char *name;

	if (VARSIZE(changes) > MAX_OPTIONS_BYTES)
		return; /* an error later */
	while (rspg_jsonb_next_member(&iterator, &name, &value))
	{
		const OptionRule *rule;

		/* written by hand, and to be got rid of */
		if (value.type == jbvNull && stored != NULL && JB_ROOT_IS_OBJECT(stored) &&
			rspg_jsonb_member(&stored->root, name) != NULL)
			continue;
		rule = find_rule(name);
		if (rule->kind == OPTION_SETTINGS && value.type != jbvNull)
			set_settings(rule, &value, &ignored);
	}
}

static void *
field_of(const OptionRule *rule, RspgStreamOptions *options)
{
	return (char *) options + rule->field;
}

static void
set_default(const OptionRule *rule, RspgStreamOptions *options)
{
	switch (rule->kind)
	{
		case OPTION_WORD:
		case OPTION_INT:
			*(int *) field_of(rule, options) = rule->value;
			break;
		case OPTION_BOOL:
		case OPTION_FIRST:
			*(bool *) field_of(rule, options) = rule->value;
			break;
		case OPTION_BYTE:
			*(char *) field_of(rule, options) = rule->value;
			break;
		default:
			break; /* none: zero */
	}
	if (rule->field == FIELD(start))
		options->start = pstrdup("earliest");
}

static const OptionRule *
find_rule(const char *name)
{
	StringInfoData names;
	int i;

	for (i = 0; i < lengthof(rules); i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	initStringInfo(&names);
	for (i = 0; i < lengthof(rules); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", rules[i].name);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown option \"%s\" of a stream", name),
					errhint("The options are %s.", names.data)));
	return NULL; /* not reached */
}

/* what: what it must be */
static void
fail(const OptionRule *rule, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("option \"%s\" of a stream must be %s", rule->name, what)));
}

static char *
string_of(const OptionRule *rule, const JsonbValue *value, const char *what)
{
	char *text = rspg_jsonb_string(value);

	if (text == NULL)
		fail(rule, what);
	return text;
}

static int
word_of(const OptionRule *rule, const JsonbValue *value)
{
	StringInfoData names;
	char *word;
	int i;

	initStringInfo(&names);
	for (i = 0; rule->words[i] != NULL; i++)
		appendStringInfo(&names, "%s\"%s\"",
						 i == 0                       ? ""
						 : rule->words[i + 1] == NULL ? " or "
													  : ", ",
						 rule->words[i]);
	word = string_of(rule, value, names.data);
	for (i = 0; rule->words[i] != NULL; i++)
		if (strcmp(rule->words[i], word) == 0)
			return i;
	fail(rule, names.data);
	return 0; /* not reached */
}

static int
int_of(const OptionRule *rule, const JsonbValue *value)
{
	char *what = psprintf("an integer from %d to %d", rule->min, rule->max);
	double number;

	if (value->type != jbvNumeric)
		fail(rule, what);
	number = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
	if (!(number >= rule->min && number <= rule->max) || number != (int) number)
		fail(rule, what);
	return (int) number;
}

static void
set_byte(const OptionRule *rule, const JsonbValue *value, char *field)
{
	char *word = string_of(rule, value, "a string of one byte");

	if (strlen(word) != 1 || *word == '\n' || *word == '\r' || IS_HIGHBIT_SET(*word))
		fail(rule, "a string of one byte, not a line end");
	*field = *word;
}

static void
set_columns(const OptionRule *rule, const JsonbValue *value, List **field)
{
	const char *what = "an array of names of columns, each once";
	JsonbContainer *array = rspg_jsonb_array(value);
	JsonbIterator *iterator;
	JsonbValue item;
	List *columns = NIL;

	if (array == NULL || JsonContainerSize(array) == 0)
		fail(rule, what);
	iterator = JsonbIteratorInit(array);
	while (rspg_jsonb_next_element(&iterator, &item))
	{
		char *name = string_of(rule, &item, what);
		ListCell *cell;

		foreach (cell, columns)
			if (strcmp(lfirst(cell), name) == 0)
				fail(rule, what);
		columns = lappend(columns, name);
	}
	*field = columns;
}

static char *
setting_text(const OptionRule *rule, const JsonbValue *value)
{
	char *text = rspg_jsonb_text(value);

	if (text == NULL)
		fail(rule, "an object of strings, numbers and booleans");
	return text;
}

static char *
setting_names(void)
{
	const char *const *name;
	StringInfoData names;

	initStringInfo(&names);
	for (name = rsk_setting_names(false); *name != NULL; name++)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", *name);
	return names.data;
}

/* Of a known setting, the error has said all about its values. */
static int
hint_of_setting(const char *name)
{
	if (rsk_setting_known(name, false))
		return 0;
	if (rsk_setting_known(name, true))
		return errhint("Option \"secret\" names an entry of recsys.secrets_file.");
	return errhint("The settings are %s.", setting_names());
}

static void
set_settings(const OptionRule *rule, const JsonbValue *value, RspgStreamOptions *options)
{
	JsonbContainer *object = rspg_jsonb_object(value);
	JsonbIterator *iterator;
	JsonbValue item;
	char *name;
	char error[256];

	if (object == NULL)
		fail(rule, "an object of librdkafka's settings");
	options->kafka = palloc0(sizeof(RskSetting) * (JsonContainerSize(object) + 1));
	iterator = JsonbIteratorInit(object);
	while (rspg_jsonb_next_member(&iterator, &name, &item))
	{
		RskSetting *setting = &options->kafka[options->n_kafka];

		/* cut what no setting's name is as long as: an error may name it */
		name[pg_mbcliplen(name, (int) strlen(name), MAX_SETTING_NAME)] = '\0';
		setting->name = name;
		if (item.type == jbvNull && rsk_setting_known(name, false))
			continue;
		setting->value = item.type == jbvNull ? "" : setting_text(rule, &item);
		if (!rsk_setting_check(setting->name, setting->value, false, error, sizeof(error)))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", error),
							hint_of_setting(setting->name)));
		options->n_kafka++;
	}
}

static void
set_option(const OptionRule *rule, JsonbValue *value, RspgStreamOptions *options)
{
	void *field = field_of(rule, options);

	switch (rule->kind)
	{
		case OPTION_WORD:
			*(int *) field = word_of(rule, value);
			break;
		case OPTION_FIRST:
			*(bool *) field = word_of(rule, value) == 0;
			break;
		case OPTION_INT:
			*(int *) field = int_of(rule, value);
			break;
		case OPTION_BOOL:
			if (value->type != jbvBool)
				fail(rule, "true or false");
			*(bool *) field = value->val.boolean;
			break;
		case OPTION_BYTE:
			set_byte(rule, value, field);
			break;
		case OPTION_TEXT:
		{
			char *what = psprintf("a string of 1 to %d bytes", rule->max);
			char *text = string_of(rule, value, what);

			if (text[0] == '\0' || strlen(text) > rule->max)
				fail(rule, what);
			*(char **) field = text;
			break;
		}
		case OPTION_COLUMNS:
			set_columns(rule, value, field);
			break;
		case OPTION_SETTINGS:
			set_settings(rule, value, options);
			break;
	}
}

static bool
is_given(const bool *given, const char *name)
{
	return given[find_rule(name) - rules];
}

/*
 * How a secret is sent is for who wrote the secret to say: a stream could have it
 * sent in the clear, or to a broker with another's certificate.
 */
static void
check_beside_secret(const RspgStreamOptions *options)
{
	static const char *const prefixes[] = {"security.", "sasl.", "ssl."};
	int i;
	int j;

	for (i = 0; i < options->n_kafka; i++)
		for (j = 0; j < lengthof(prefixes); j++)
			if (strncmp(options->kafka[i].name, prefixes[j], strlen(prefixes[j])) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("setting \"%s\" cannot be given beside a secret",
								options->kafka[i].name),
						 errhint("It belongs into the secret's entry of the secrets file.")));
}

/* Options that need each other, or cannot go together. */
static void
check_together(const RspgStreamOptions *options, const bool *given)
{
	static const char *const csv_only[] = {"columns", "delimiter", "quote"};
	int i;

	for (i = 0; i < lengthof(csv_only); i++)
		if (options->format != RSPG_FORMAT_CSV && is_given(given, csv_only[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"%s\" of a stream needs format \"csv\"", csv_only[i])));
	if (options->format == RSPG_FORMAT_CSV && options->columns == NIL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("format \"csv\" of a stream needs option \"columns\""),
						errhint("It names the fields of a line in order.")));
	if (options->format == RSPG_FORMAT_CSV && options->delimiter == options->quote)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("delimiter and quote of a stream must differ")));
	if (is_given(given, "upsert") && options->upsert_key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"upsert\" of a stream needs option \"upsert_key\""),
				 errhint("Name the columns of a unique index of the target in upsert_key.")));
	if (options->secret != NULL)
		check_beside_secret(options);
	(void) rspg_stream_start_time(options->start);
}

/* Where an error of timestamptz_in comes from */
static void
start_context(void *arg)
{
	errcontext("start of a stream: \"earliest\", \"latest\" or a timestamp");
}

/* False for earliest and latest */
static bool
start_is_time(const char *start, TimestampTz *time)
{
	ErrorContextCallback context = {error_context_stack, start_context, NULL};

	if (strcmp(start, "earliest") == 0 || strcmp(start, "latest") == 0)
		return false;
	error_context_stack = &context;
	*time = DatumGetTimestampTz(DirectFunctionCall3(
		timestamptz_in, CStringGetDatum(start), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	error_context_stack = context.previous;
	if (TIMESTAMP_NOT_FINITE(*time) || *time < RSPG_UNIX_EPOCH)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("start of a stream must be a time from 1970 on, not \"%s\"", start),
						errhint("Use \"earliest\" or \"latest\".")));
	return true;
}

int64
rspg_stream_start_time(const char *start)
{
	TimestampTz time;

	return start_is_time(start, &time) ? (time - RSPG_UNIX_EPOCH) / 1000 : -1;
}

char *
rspg_stream_start_utc(const char *start)
{
	char text[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t fraction;
	TimestampTz time;

	if (!start_is_time(start, &time))
		return pstrdup(start);
	/* as a timestamp without time zone: its numbers are UTC's */
	if (timestamp2tm(time, NULL, &tm, &fraction, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	tm.tm_isdst = 0; /* known: print the zone, too */
	EncodeDateTime(&tm, fraction, true, 0, NULL, USE_XSD_DATES, text);
	return pstrdup(text);
}
