/*
 * mapping.c
 *		The columns of the target that a stream writes.
 *
 * Without a mapping each column takes the field of its name.  With one, the
 * columns it names are written and no others.
 */
#include "pg/stream/write/mapping.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A mapping while it is read */
typedef struct Reading
{
	Relation target;
	const RspgStream *stream;
	RspgMapping *mapping;
} Reading;

static void add_by_name(Reading *reading);
static void add_by_rules(Reading *reading, Jsonb *json);
static RspgColumn *add_column(Reading *reading, AttrNumber attnum);

bool
rspg_column_writable(Form_pg_attribute attribute)
{
	return !attribute->attisdropped && attribute->attgenerated == '\0' &&
		   attribute->attidentity != ATTRIBUTE_IDENTITY_ALWAYS;
}

static char *
list_columns(Relation target)
{
	TupleDesc desc = RelationGetDescr(target);
	StringInfoData list;
	int i;

	initStringInfo(&list);
	for (i = 0; i < desc->natts; i++)
		if (rspg_column_writable(TupleDescAttr(desc, i)))
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
							 NameStr(TupleDescAttr(desc, i)->attname));
	return list.data;
}

AttrNumber
rspg_target_column(Relation target, const char *name)
{
	TupleDesc desc = RelationGetDescr(target);
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		if (!rspg_column_writable(attribute))
			ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
							errmsg("column \"%s\" of \"%s\" is always generated", name,
								   RelationGetRelationName(target)),
							errhint("Leave it out.")));
		return attribute->attnum;
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("\"%s\" has no column \"%s\"", RelationGetRelationName(target), name),
					errhint("The columns that a stream may write are %s.", list_columns(target))));
	return InvalidAttrNumber; /* not reached */
}

/* Steps that the paths of all columns may have together, and the root. */
static int
count_steps(const RspgStream *stream, TupleDesc desc)
{
	int n = 1 + desc->natts;

	if (stream->mapping != NULL && JB_ROOT_IS_OBJECT(stream->mapping))
		n += JB_ROOT_COUNT(stream->mapping) * RSPG_MAX_STEPS;
	return n + list_length(stream->options.columns);
}

RspgMapping *
rspg_mapping_create(Relation target, const RspgStream *stream)
{
	RspgMapping *mapping = palloc0(sizeof(RspgMapping));
	TupleDesc desc = RelationGetDescr(target);
	Reading reading = {target, stream, mapping};

	mapping->columns = palloc0(Max(desc->natts, 1) * sizeof(RspgColumn));
	rsk_paths_init(&mapping->paths, palloc(count_steps(stream, desc) * sizeof(RskNode)));
	if (stream->mapping != NULL)
		add_by_rules(&reading, stream->mapping);
	else
		add_by_name(&reading);
	mapping->n_fields = stream->options.format == RSPG_FORMAT_CSV
							? list_length(stream->options.columns)
							: mapping->paths.n_fields;
	return mapping;
}

static void
add_by_name(Reading *reading)
{
	TupleDesc desc = RelationGetDescr(reading->target);
	ListCell *cell;
	int i;

	if (reading->stream->options.format == RSPG_FORMAT_CSV)
	{
		foreach (cell, reading->stream->options.columns)
		{
			const char *name = lfirst(cell);

			rspg_mapping_path(reading->mapping, reading->stream,
							  add_column(reading, rspg_target_column(reading->target, name)), &name,
							  1);
		}
		return;
	}
	for (i = 0; i < desc->natts; i++)
		if (rspg_column_writable(TupleDescAttr(desc, i)))
		{
			RspgColumn *column = add_column(reading, i + 1);
			const char *name = column->name;

			rspg_mapping_path(reading->mapping, reading->stream, column, &name, 1);
		}
}

static void
add_by_rules(Reading *reading, Jsonb *json)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue rule;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a mapping must be a JSON object"),
						errhint("For example: {\"user_id\": \"user.id\"}.")));
	if (JB_ROOT_COUNT(json) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the mapping is empty"),
						errhint("Without a mapping, columns take the fields of their names.")));
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		RspgColumn *column;
		char *name;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		(void) JsonbIteratorNext(&iterator, &rule, true);
		column = add_column(reading, rspg_target_column(reading->target, name));
		column->field = -1;
		rspg_mapping_rule(reading->mapping, reading->stream, column, &rule);
	}
}

static RspgColumn *
add_column(Reading *reading, AttrNumber attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(reading->target), attnum - 1);
	RspgMapping *mapping = reading->mapping;
	RspgColumn *column;
	Node *expression;
	Oid input;
	int i;

	for (i = 0; i < mapping->n_columns; i++)
		if (mapping->columns[i].attnum == attnum)
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("column \"%s\" is given twice", mapping->columns[i].name)));
	column = &mapping->columns[mapping->n_columns++];
	column->name = pstrdup(NameStr(attribute->attname));
	column->attnum = attnum;
	column->type = attribute->atttypid;
	column->typmod = attribute->atttypmod;
	column->base = getBaseType(column->type);
	column->element = get_element_type(column->base);
	column->domain = column->base != column->type;
	getTypeInputInfo(column->type, &input, &column->ioparam);
	fmgr_info_cxt(input, &column->input, CurrentMemoryContext);
	expression = build_column_default(reading->target, attnum);
	if (expression != NULL)
		column->column_default = expression_planner((Expr *) expression);
	return column;
}
