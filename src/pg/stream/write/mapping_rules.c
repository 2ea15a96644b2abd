/*
 * mapping_rules.c
 *		The rule that a mapping gives a column: a path, or an object.
 */
#include "pg/stream/write/mapping.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

static const char *const from_words[] = {"key",    "headers",   "header:NAME", "partition",
										 "offset", "timestamp", "payload",     NULL};
static const char *const format_words[] = {"epoch_ms", "epoch_s", "iso", NULL};
static const char *const rule_words[] = {"path", "from", "format", "default", "required", NULL};

static void read_key(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column,
					 const char *key, JsonbValue *value);
static void read_path(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column,
					  JsonbValue *value);

/* Words for a hint. */
static char *
list_words(const char *const *words)
{
	StringInfoData list;

	initStringInfo(&list);
	for (; *words != NULL; words++)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", *words);
	return list.data;
}

/* Error: a rule of the column is not right. */
static _Noreturn void
bad_rule(const RspgColumn *column, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("mapping of column \"%s\": %s", column->name, what), errhint("%s", hint)));
}

/* "a.b", ["a.b"], or {"path": …, "format": …} */
void
rspg_mapping_rule(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column,
				  JsonbValue *rule)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	if (rule->type == jbvString ||
		(rule->type == jbvBinary && JsonContainerIsArray(rule->val.binary.data)))
	{
		read_path(mapping, stream, column, rule);
		return;
	}
	if (rule->type != jbvBinary || !JsonContainerIsObject(rule->val.binary.data))
		bad_rule(column, "expected a path or an object",
				 psprintf("A path is \"user.id\" or [\"user\", \"id\"]; an object has some of %s.",
						  list_words(rule_words)));
	iterator = JsonbIteratorInit(rule->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		char *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		(void) JsonbIteratorNext(&iterator, &value, true);
		read_key(mapping, stream, column, name, &value);
	}
	if (column->from == RSPG_FROM_FIELD && column->field < 0)
	{
		const char *own = column->name;

		rspg_mapping_path(mapping, stream, column, &own, 1);
	}
}

/* Number of value among words, or an error that lists them. */
static int
find_word(const RspgColumn *column, const char *what, JsonbValue *value, const char *const *words)
{
	char *found = "not a string";
	int i;

	if (value->type == jbvString)
	{
		found = pnstrdup(value->val.string.val, value->val.string.len);
		for (i = 0; words[i] != NULL; i++)
			if (strcmp(words[i], found) == 0)
				return i;
		if (words == from_words && strncmp(found, "header:", 7) == 0 && found[7] != '\0')
			return RSPG_FROM_HEADER - RSPG_FROM_KEY;
		found = psprintf("\"%s\"", found);
	}
	bad_rule(column, psprintf("unknown %s: %s", what, found),
			 psprintf("It is one of %s.", list_words(words)));
	return 0; /* not reached */
}

static void
read_default(RspgColumn *column, JsonbValue *value)
{
	char *text;

	column->fallback.kind = value->type == jbvNull                         ? RSK_NULL
							: value->type == jbvString                     ? RSK_STRING
							: value->type == jbvNumeric                    ? RSK_NUMBER
							: value->type == jbvBool                       ? RSK_BOOL
							: JsonContainerIsArray(value->val.binary.data) ? RSK_ARRAY
																		   : RSK_OBJECT;
	text = JsonbToCString(NULL, &JsonbValueToJsonb(value)->root, 0);
	column->fallback.text = text;
	column->fallback.length = strlen(text);
	if (value->type == jbvString)
	{
		column->fallback.text++;
		column->fallback.length -= 2;
		column->fallback.escaped = strchr(text, '\\') != NULL;
	}
}

static void
read_key(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column, const char *key,
		 JsonbValue *value)
{
	if (strcmp(key, "path") == 0 || strcmp(key, "from") == 0)
	{
		if (column->from != RSPG_FROM_FIELD || column->field >= 0)
			bad_rule(column, "both \"path\" and \"from\"",
					 "A path leads into the payload; \"from\" is what else a message has.");
		if (key[0] == 'p')
		{
			read_path(mapping, stream, column, value);
			return;
		}
		column->from = RSPG_FROM_KEY + find_word(column, "\"from\"", value, from_words);
		if (column->from == RSPG_FROM_HEADER)
			column->header = pnstrdup(value->val.string.val + 7, value->val.string.len - 7);
	}
	else if (strcmp(key, "format") == 0)
	{
		column->format = RSPG_TIME_EPOCH_MS + find_word(column, "\"format\"", value, format_words);
		if (column->base != TIMESTAMPTZOID && column->base != TIMESTAMPOID &&
			column->base != DATEOID)
			bad_rule(column, "\"format\" is for times",
					 psprintf("The column's type is %s.", format_type_be(column->type)));
	}
	else if (strcmp(key, "default") == 0)
		read_default(column, value);
	else if (strcmp(key, "required") == 0)
	{
		if (value->type != jbvBool)
			bad_rule(column, "\"required\" must be true or false",
					 "A message that lacks a required value is rejected.");
		column->required = value->val.boolean;
	}
	else
		bad_rule(column, psprintf("unknown key \"%s\"", key),
				 psprintf("The keys are %s.", list_words(rule_words)));
}

/* Split "a.b.c"; the steps are copies. */
static int
split_path(const RspgColumn *column, const char *path, const char **steps)
{
	const char *at = path;
	int n = 0;

	for (;;)
	{
		const char *dot = strchr(at, '.');

		if (n == RSPG_MAX_STEPS)
			bad_rule(column, "the path is too deep",
					 psprintf("It has at most %d steps.", RSPG_MAX_STEPS));
		steps[n++] = dot != NULL ? pnstrdup(at, dot - at) : pstrdup(at);
		if (dot == NULL)
			return n;
		at = dot + 1;
	}
}

static void
read_path(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column, JsonbValue *value)
{
	const char *steps[RSPG_MAX_STEPS];
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue step;
	int n = 0;

	if (value->type == jbvString)
	{
		n = split_path(column, pnstrdup(value->val.string.val, value->val.string.len), steps);
		rspg_mapping_path(mapping, stream, column, steps, n);
		return;
	}
	if (value->type != jbvBinary || !JsonContainerIsArray(value->val.binary.data))
		bad_rule(column, "expected a path", "A path is \"user.id\" or [\"user\", \"id\"].");
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &step, true)) != WJB_DONE)
	{
		if (token != WJB_ELEM)
			continue;
		if (step.type != jbvString)
			bad_rule(column, "a step of the path is no string", "Steps are keys of objects.");
		if (n == RSPG_MAX_STEPS)
			bad_rule(column, "the path is too deep",
					 psprintf("It has at most %d steps.", RSPG_MAX_STEPS));
		steps[n++] = pnstrdup(step.val.string.val, step.val.string.len);
	}
	if (n == 0)
		bad_rule(column, "the path is empty", "A path is \"user.id\" or [\"user\", \"id\"].");
	rspg_mapping_path(mapping, stream, column, steps, n);
}

/* Where the payload has the column's value. */
void
rspg_mapping_path(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column,
				  const char *const *steps, int n)
{
	const RspgStreamOptions *options = &stream->options;
	StringInfoData path;
	ListCell *cell;
	int i;

	initStringInfo(&path);
	for (i = 0; i < n; i++)
	{
		if (strlen(steps[i]) > RSK_MAX_NAME)
			bad_rule(column, "a step of the path is too long",
					 psprintf("It has at most %d bytes.", RSK_MAX_NAME));
		appendStringInfo(&path, "%s%s", i > 0 ? "." : "", steps[i]);
	}
	column->path = path.data;
	column->field = -1;
	if (options->format == RSPG_FORMAT_JSON)
	{
		column->field = rsk_paths_add(&mapping->paths, steps, n);
		return;
	}
	foreach (cell, options->columns)
		if (strcmp(lfirst(cell), path.data) == 0)
			column->field = foreach_current_index(cell);
	if (column->field < 0)
		bad_rule(column, psprintf("the CSV lines have no field \"%s\"", path.data),
				 "Option \"columns\" names their fields.");
}
