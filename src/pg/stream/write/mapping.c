/*
 * mapping.c
 *		The columns of the target that a stream writes, and where in a message the
 *		value of each is.
 *
 * Without a mapping each column takes the field of its name.  With one, the
 * columns it names are written and no others; its rule for a column is a path,
 * or an object.
 */
#include "pg/stream/write/mapping.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/base/jsonb_read.h"

#define MAX_STEPS 16 /* of a path */

/* A mapping while it is read */
typedef struct Reading
{
	Relation target;
	const RspgStreamOptions *options;
	RspgMapping *mapping;
} Reading;

static const char *const from_words[] = {"key",    "headers",   "header:NAME", "partition",
										 "offset", "timestamp", "payload",     NULL};
static const char *const format_words[] = {"epoch_ms", "epoch_s", "iso", NULL};
static const char *const rule_words[] = {"path", "from", "format", "default", "required", NULL};

static void add_by_name(Reading *reading);
static void add_by_rules(Reading *reading, Jsonb *json);
static RspgColumn *add_column(Reading *reading, AttrNumber attnum);
static void set_type(RspgColumn *column, Oid type, int32 typmod);
static void read_rule(Reading *reading, RspgColumn *column, JsonbValue *rule);
static void read_key(Reading *reading, RspgColumn *column, const char *key, JsonbValue *value);
static void read_path(Reading *reading, RspgColumn *column, JsonbValue *value);
static void set_path(Reading *reading, RspgColumn *column, const char *const *steps, int n);

/* Steps that the paths of all columns may have together, and the root. */
static int
count_steps(const RspgStream *stream, TupleDesc desc)
{
	int n = 1 + desc->natts;

	if (stream->mapping != NULL && JB_ROOT_IS_OBJECT(stream->mapping))
		n += JB_ROOT_COUNT(stream->mapping) * MAX_STEPS;
	return n + list_length(stream->options.columns);
}

RspgMapping *
rspg_mapping_create(Relation target, const RspgStream *stream)
{
	RspgMapping *mapping = palloc0(sizeof(RspgMapping));
	TupleDesc desc = RelationGetDescr(target);
	Reading reading = {target, &stream->options, mapping};
	int i;

	mapping->columns = palloc0(Max(desc->natts, 1) * sizeof(RspgColumn));
	rsk_paths_init(&mapping->paths, palloc(count_steps(stream, desc) * sizeof(RskNode)));
	if (stream->mapping != NULL)
		add_by_rules(&reading, stream->mapping);
	else
		add_by_name(&reading);
	if (mapping->n_columns == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("\"%s\" has no column that a stream may write",
							   RelationGetRelationName(target))));
	mapping->n_fields = stream->options.format == RSPG_FORMAT_CSV
							? list_length(stream->options.columns)
							: mapping->paths.n_fields;
	for (i = 0; i < mapping->n_columns; i++)
		if (mapping->columns[i].from == RSPG_FROM_HEADER ||
			mapping->columns[i].from == RSPG_FROM_HEADERS)
			mapping->headers_wanted = true;
	return mapping;
}

RspgMapping *
rspg_mapping_event(void)
{
	RspgMapping *mapping = palloc0(sizeof(RspgMapping));

	mapping->n_columns = 1;
	mapping->columns = palloc0(sizeof(RspgColumn));
	mapping->columns->name = "event";
	mapping->columns->from = RSPG_FROM_PAYLOAD;
	set_type(mapping->columns, JSONBOID, -1);
	mapping->any_json = true;
	rsk_paths_init(&mapping->paths, palloc(sizeof(RskNode)));
	return mapping;
}

static void
add_by_name(Reading *reading)
{
	TupleDesc desc = RelationGetDescr(reading->target);
	ListCell *cell;
	int i;

	if (reading->options->format == RSPG_FORMAT_CSV)
	{
		foreach (cell, reading->options->columns)
		{
			const char *name = lfirst(cell);

			set_path(reading, add_column(reading, rspg_target_column(reading->target, name)), &name,
					 1);
		}
		return;
	}
	for (i = 0; i < desc->natts; i++)
		if (rspg_column_writable(TupleDescAttr(desc, i)))
		{
			RspgColumn *column = add_column(reading, i + 1);
			const char *name = column->name;

			set_path(reading, column, &name, 1);
		}
}

static void
add_by_rules(Reading *reading, Jsonb *json)
{
	JsonbIterator *iterator;
	JsonbValue rule;
	char *name;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a mapping must be a JSON object"),
						errhint("For example: {\"user_id\": \"user.id\"}.")));
	if (JB_ROOT_COUNT(json) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the mapping is empty"),
						errhint("Without a mapping, columns take the fields of their names.")));
	iterator = JsonbIteratorInit(&json->root);
	while (rspg_jsonb_next_member(&iterator, &name, &rule))
		read_rule(reading, add_column(reading, rspg_target_column(reading->target, name)), &rule);
}

static RspgColumn *
add_column(Reading *reading, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(reading->target), attnum - 1);
	RspgMapping *mapping = reading->mapping;
	RspgColumn *column;
	ListCell *cell;
	int i;

	for (i = 0; i < mapping->n_columns; i++)
		if (mapping->columns[i].attnum == attnum)
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("column \"%s\" is given twice", mapping->columns[i].name)));
	column = &mapping->columns[mapping->n_columns++];
	column->name = pstrdup(NameStr(attribute->attname));
	column->attnum = attnum;
	column->field = -1;
	foreach (cell, reading->options->upsert_key)
		if (strcmp(lfirst(cell), column->name) == 0)
			column->is_key = true;
	set_type(column, attribute->atttypid, attribute->atttypmod);
	return column;
}

static void
set_type(RspgColumn *column, Oid type, int32 typmod)
{
	Oid input;

	column->type = type;
	column->typmod = typmod;
	column->base = getBaseType(type);
	column->element = get_element_type(column->base);
	column->domain = column->base != type;
	getTypeInputInfo(type, &input, &column->ioparam);
	fmgr_info_cxt(input, &column->input, CurrentMemoryContext);
}

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
static void
read_rule(Reading *reading, RspgColumn *column, JsonbValue *rule)
{
	JsonbContainer *object = rspg_jsonb_object(rule);
	JsonbIterator *iterator;
	JsonbValue value;
	char *key;

	if (rule->type == jbvString || rspg_jsonb_array(rule) != NULL)
	{
		read_path(reading, column, rule);
		return;
	}
	if (object == NULL)
		bad_rule(column, "expected a path or an object",
				 psprintf("A path is \"user.id\" or [\"user\", \"id\"]; an object has some of %s.",
						  list_words(rule_words)));
	iterator = JsonbIteratorInit(object);
	while (rspg_jsonb_next_member(&iterator, &key, &value))
		read_key(reading, column, key, &value);
	if (column->from == RSPG_FROM_FIELD && column->field < 0)
	{
		const char *own = column->name;

		set_path(reading, column, &own, 1);
	}
}

/* Number of value among words, or an error that lists them. */
static int
find_word(const RspgColumn *column, const char *what, JsonbValue *value, const char *const *words)
{
	char *found = rspg_jsonb_string(value);
	int i;

	for (i = 0; found != NULL && words[i] != NULL; i++)
		if (strcmp(words[i], found) == 0)
			return i;
	if (found != NULL && words == from_words && strncmp(found, "header:", 7) == 0 &&
		found[7] != '\0')
		return RSPG_FROM_HEADER - RSPG_FROM_KEY;
	bad_rule(column,
			 psprintf("unknown %s: %s", what,
					  found != NULL ? psprintf("\"%s\"", found) : "not a string"),
			 psprintf("It is one of %s.", list_words(words)));
	return 0; /* not reached */
}

static void
read_default(RspgColumn *column, JsonbValue *value)
{
	char *text = JsonbToCString(NULL, &JsonbValueToJsonb(value)->root, 0);

	column->fallback.kind = value->type == jbvNull            ? RSK_NULL
							: value->type == jbvString        ? RSK_STRING
							: value->type == jbvNumeric       ? RSK_NUMBER
							: value->type == jbvBool          ? RSK_BOOL
							: rspg_jsonb_array(value) != NULL ? RSK_ARRAY
															  : RSK_OBJECT;
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
read_key(Reading *reading, RspgColumn *column, const char *key, JsonbValue *value)
{
	if (strcmp(key, "path") == 0 || strcmp(key, "from") == 0)
	{
		if (column->from != RSPG_FROM_FIELD || column->field >= 0)
			bad_rule(column, "both \"path\" and \"from\"",
					 "A path leads into the payload; \"from\" is what else a message has.");
		if (key[0] == 'p')
		{
			read_path(reading, column, value);
			return;
		}
		column->from = RSPG_FROM_KEY + find_word(column, "\"from\"", value, from_words);
		if (column->from == RSPG_FROM_HEADER)
			column->header = rspg_jsonb_string(value) + 7;
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

static void
add_step(const RspgColumn *column, const char **steps, int *n, char *step)
{
	if (*n == MAX_STEPS)
		bad_rule(column, "the path is too deep", psprintf("It has at most %d steps.", MAX_STEPS));
	steps[(*n)++] = step;
}

static void
read_path(Reading *reading, RspgColumn *column, JsonbValue *value)
{
	static const char *const hint = "A path is \"user.id\" or [\"user\", \"id\"].";
	const char *steps[MAX_STEPS];
	JsonbContainer *array = rspg_jsonb_array(value);
	JsonbIterator *iterator;
	JsonbValue step;
	int n = 0;

	if (value->type == jbvString)
	{
		char *at = rspg_jsonb_string(value);
		char *next = at;

		while ((at = next) != NULL)
		{
			next = strchr(at, '.');
			if (next != NULL)
				*next++ = '\0';
			add_step(column, steps, &n, at);
		}
		set_path(reading, column, steps, n);
		return;
	}
	if (array == NULL)
		bad_rule(column, "expected a path", hint);
	iterator = JsonbIteratorInit(array);
	while (rspg_jsonb_next_element(&iterator, &step))
	{
		if (step.type != jbvString)
			bad_rule(column, "a step of the path is no string", "Steps are keys of objects.");
		add_step(column, steps, &n, rspg_jsonb_string(&step));
	}
	if (n == 0)
		bad_rule(column, "the path is empty", hint);
	set_path(reading, column, steps, n);
}

/* Where the payload has the column's value. */
static void
set_path(Reading *reading, RspgColumn *column, const char *const *steps, int n)
{
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
	if (reading->options->format == RSPG_FORMAT_JSON)
	{
		column->field = rsk_paths_add(&reading->mapping->paths, steps, n);
		return;
	}
	foreach (cell, reading->options->columns)
		if (strcmp(lfirst(cell), path.data) == 0)
			column->field = foreach_current_index(cell);
	if (column->field < 0)
		bad_rule(column, psprintf("the CSV lines have no field \"%s\"", path.data),
				 "Option \"columns\" names their fields.");
}
