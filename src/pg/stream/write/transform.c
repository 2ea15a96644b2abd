/*
 * transform.c
 *		A stream's own function: an event in, rows of the target out.
 *
 * The function runs once for the batch, as LATERAL over all its events, so that
 * one written in SQL is inlined.  Its rows go to the same INSERT as those of a
 * mapping.
 */
#include "pg/stream/write/transform.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "parser/parse_func.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

static void result_columns(RspgTransform *transform, Relation target, TupleDesc result, bool whole);

static Oid
find_function(const char *name)
{
	Oid types[1] = {JSONBOID};
#if PG_VERSION_NUM >= 160000
	List *names = stringToQualifiedNameList(name, NULL);
#else
	List *names = stringToQualifiedNameList(name);
#endif
	Oid function = LookupFuncName(names, 1, types, true);

	if (!OidIsValid(function) || get_func_prokind(function) != PROKIND_FUNCTION)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s(jsonb) does not exist", name),
				 errhint("Option \"transform\" names a function that takes an event as jsonb and "
						 "returns rows of the target.")));
	return function;
}

char *
rspg_transform_name(const char *name)
{
	Oid function = find_function(name);

	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
									  get_func_name(function));
}

RspgTransform *
rspg_transform_create(Relation target, const RspgStream *stream)
{
	RspgTransform *transform = palloc0(sizeof(RspgTransform));
	TupleDesc result = NULL;
	Oid type;
	TypeFuncClass class;
	StringInfoData sql;
	int i;

	if (stream->mapping != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a stream has a mapping or a transform, not both")));
	if (stream->options.format != RSPG_FORMAT_JSON)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a transform takes JSON"),
						errhint("Leave out option \"format\", or option \"transform\".")));
	transform->function = find_function(stream->options.transform);
	class = get_func_result_type(transform->function, &type, &result);
	if ((class != TYPEFUNC_COMPOSITE && class != TYPEFUNC_COMPOSITE_DOMAIN) || result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("transform %s must return rows of \"%s\"",
						format_procedure(transform->function), RelationGetRelationName(target)),
				 errdetail("It returns %s.", format_type_be(type)),
				 errhint("Declare it RETURNS SETOF %s, or RETURNS TABLE with the names of "
						 "its columns.",
						 RelationGetRelationName(target))));
	transform->given = CreateTupleDescCopy(result);
	result_columns(transform, target, result, type == target->rd_rel->reltype);
	initStringInfo(&sql);
	transform->result = CreateTemplateTupleDesc(transform->n_columns);
	for (i = 0; i < transform->n_columns; i++)
	{
		Form_pg_attribute attribute =
			TupleDescAttr(RelationGetDescr(target), transform->attnums[i] - 1);

		appendStringInfo(&sql, "%s r.%s", i == 0 ? "SELECT" : ",",
						 quote_identifier(NameStr(attribute->attname)));
		TupleDescInitEntry(transform->result, i + 1, NULL, transform->types[i], -1, 0);
	}
	appendStringInfo(&sql, " FROM events e, LATERAL %s(e.event) r WHERE NOT (r IS NULL)",
					 rspg_transform_name(stream->options.transform));
	transform->sql = sql.data;
	transform->desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(transform->desc, 1, "event", JSONBOID, -1, 0);
	rspg_relation_init(&transform->events, "events", transform->desc, stream->options.batch_rows);
	return transform;
}

bool
rspg_transform_is_same(const RspgTransform *transform, const RspgStream *stream)
{
	TupleDesc result = NULL;

	return find_function(stream->options.transform) == transform->function &&
		   get_func_result_type(transform->function, NULL, &result) != TYPEFUNC_OTHER &&
		   result != NULL && equalTupleDescs(result, transform->given);
}

/*
 * Columns of the target that the function gives.  Where it returns the target's
 * own row type it cannot leave any out: then those that an INSERT may not write
 * are passed over, and NULL in a column that allows none but has a default
 * stands for the default.
 */
static void
result_columns(RspgTransform *transform, Relation target, TupleDesc result, bool whole)
{
	int i;

	transform->attnums = palloc(result->natts * sizeof(AttrNumber));
	transform->types = palloc(result->natts * sizeof(Oid));
	transform->takes_default = palloc0(result->natts * sizeof(bool));
	for (i = 0; i < result->natts; i++)
	{
		Form_pg_attribute given = TupleDescAttr(result, i);
		Form_pg_attribute column;

		if (given->attisdropped)
			continue;
		if (whole && !rspg_column_writable(TupleDescAttr(RelationGetDescr(target), i)))
			continue;
		transform->attnums[transform->n_columns] =
			rspg_target_column(target, NameStr(given->attname));
		column =
			TupleDescAttr(RelationGetDescr(target), transform->attnums[transform->n_columns] - 1);
		if (!can_coerce_type(1, &given->atttypid, &column->atttypid, COERCION_ASSIGNMENT))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("transform %s gives column \"%s\" a value of type %s",
							format_procedure(transform->function), NameStr(given->attname),
							format_type_be(given->atttypid)),
					 errdetail("The column's type is %s.", format_type_be(column->atttypid))));
		transform->types[transform->n_columns] = given->atttypid;
		transform->takes_default[transform->n_columns++] =
			whole && column->attnotnull && (column->atthasdef || column->attidentity != '\0');
	}
	if (transform->n_columns == 0)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("transform %s returns no column that can be written",
							   format_procedure(transform->function))));
}

/* Run the function over all events; its rows. */
static Tuplestorestate *
run(RspgTransform *transform, Datum *events, int n, int room)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, room);
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, room);
	SPIExecuteOptions options = {.dest = CreateDestReceiver(DestTuplestore)};
	bool null = false;
	int i;

	for (i = 0; i < n; i++)
		tuplestore_putvalues(store, transform->desc, &events[i], &null);
	transform->events.reldata = store;
	if (transform->plan == NULL)
		transform->plan = rspg_prepare(transform->sql, 0, NULL);
	/* the function may be another one since its result was looked at: its rows must
	 * never be read as what they are not */
	SetTuplestoreDestReceiverParams(options.dest, rows, CurrentMemoryContext, false,
									transform->result,
									"the transform's result changed while it ran");
	if (SPI_execute_plan_extended(transform->plan, &options) < 0)
		elog(ERROR, "could not run the transform: %s", SPI_result_code_string(SPI_result));
	transform->events.reldata = NULL;
	tuplestore_end(store);
	return rows;
}

void
rspg_transform_check(RspgTransform *transform)
{
	rspg_relation_explain(&transform->events, transform->sql);
}

int64
rspg_transform_write(RspgTransform *transform, RspgInsert *insert, Datum *events, int n)
{
	Tuplestorestate *store =
		run(transform, events, n, Max(work_mem, 4 * (insert->options->batch_bytes / 1024)));
	TupleTableSlot *slot = MakeSingleTupleTableSlot(transform->result, &TTSOpsMinimalTuple);
	RspgRows rows;
	int64 written = 0;

	rspg_rows_begin(&rows, insert);
	while (tuplestore_gettupleslot(store, true, false, slot))
	{
		char cells[MaxTupleAttributeNumber];
		int i;

		slot_getallattrs(slot);
		for (i = 0; i < transform->n_columns; i++)
			cells[i] = !slot->tts_isnull[i]          ? RSPG_CELL_VALUE
					   : transform->takes_default[i] ? RSPG_CELL_ABSENT
													 : RSPG_CELL_NULL;
		written += rspg_rows_add(&rows, slot->tts_values, cells);
	}
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(store);
	return written + rspg_rows_flush(&rows);
}

void
rspg_transform_free(RspgTransform *transform)
{
	if (transform->plan != NULL)
		SPI_freeplan(transform->plan);
	transform->plan = NULL;
}
