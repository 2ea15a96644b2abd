/*
 * insert.c
 *		Rows to the target as INSERT … SELECT from a relation in memory.
 *
 * The rows are typed already and stand in a tuplestore that the statement reads
 * as an ephemeral named relation, as a trigger does with its transition tables:
 * everything that holds for an INSERT holds here, and the plan is made once.
 *
 * Columns that a row lacks take their defaults, which are evaluated here (as
 * COPY does), lest rows be split by what they lack.  An upsert must not write a
 * default over what the target has, so there rows are split, in their order.
 */
#include "pg/stream/write/insert.h"

#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "pg/base/spi.h"
#include "pg/stream/write/insert_order.h"

/* An INSERT for rows that lack these columns */
typedef struct Statement
{
	bool *absent;
	SPIPlanPtr plan;
} Statement;

static void check_key(const RspgInsert *insert, List *key, Relation target);
static char *statement_text(RspgInsert *insert, const bool *absent);
static Statement *find_statement(RspgInsert *insert, const bool *absent);
static Datum default_value(RspgRows *rows, int i, bool *isnull);

RspgInsert *
rspg_insert_create(Relation target, const RspgStream *stream, const AttrNumber *attnums,
				   const Oid *types, int n)
{
	RspgInsert *insert = palloc0(sizeof(RspgInsert));
	TupleDesc desc = RelationGetDescr(target);
	int i;

	insert->n_columns = n;
	insert->options = &stream->options;
	insert->names = palloc(n * sizeof(char *));
	insert->defaults = palloc0(n * sizeof(Node *));
	insert->domains = palloc0(n * sizeof(Oid));
	insert->is_key = palloc0(n * sizeof(bool));
	insert->desc = CreateTemplateTupleDesc(n + 1);
	insert->target = rspg_target_name(target);
	for (i = 0; i < n; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, attnums[i] - 1);
		ListCell *cell;

		insert->names[i] = quote_identifier(pstrdup(NameStr(attribute->attname)));
		insert->defaults[i] = build_column_default(target, attnums[i]);
		if (getBaseType(attribute->atttypid) != attribute->atttypid)
			insert->domains[i] = attribute->atttypid;
		foreach (cell, stream->options.upsert_key)
			if (strcmp(lfirst(cell), NameStr(attribute->attname)) == 0)
				insert->is_key[i] = true;
		TupleDescInitEntry(insert->desc, i + 1, psprintf("c%d", i + 1),
						   types != NULL ? types[i] : attribute->atttypid,
						   types != NULL ? -1 : attribute->atttypmod, 0);
		if (types == NULL || types[i] == attribute->atttypid)
			TupleDescInitEntryCollation(insert->desc, i + 1, attribute->attcollation);
	}
	TupleDescInitEntry(insert->desc, n + 1, "n", INT8OID, -1, 0);
	check_key(insert, stream->options.upsert_key, target);
	insert->n_order = rspg_insert_order(target, attnums, n, insert->order);
	rspg_relation_init(&insert->relation, "batch", insert->desc, stream->options.batch_rows);
	return insert;
}

void
rspg_relation_init(EphemeralNamedRelation relation, const char *name, TupleDesc desc, double rows)
{
	relation->md.name = pstrdup(name);
	relation->md.tupdesc = desc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = rows;
}

void
rspg_relation_explain(EphemeralNamedRelation relation, const char *sql)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);

	relation->reldata = store;
	SPI_execute(psprintf("EXPLAIN %s", sql), false, 0);
	relation->reldata = NULL;
	tuplestore_end(store);
}

/* Is every column of the key written? */
static void
check_key(const RspgInsert *insert, List *key, Relation target)
{
	ListCell *cell;
	int i;

	foreach (cell, key)
	{
		const char *name = quote_identifier(lfirst(cell));

		for (i = 0; i < insert->n_columns; i++)
			if (strcmp(insert->names[i], name) == 0)
				break;
		if (i < insert->n_columns)
			continue;
		(void) rspg_target_column(target, lfirst(cell));
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("column \"%s\" of option \"upsert_key\" is not written",
							   (char *) lfirst(cell)),
						errhint("Add it to the mapping, or to the rows of the transform.")));
	}
}

void
rspg_insert_free(RspgInsert *insert)
{
	ListCell *cell;

	foreach (cell, insert->statements)
	{
		Statement *statement = lfirst(cell);

		SPI_freeplan(statement->plan);
		pfree(statement->absent);
		pfree(statement);
	}
	list_free(insert->statements);
	insert->statements = NIL;
}

/* "a, b, c" of the columns that are there, with a pattern for each. */
static void
append_columns(StringInfo sql, RspgInsert *insert, const bool *absent, bool keys, bool others,
			   const char *pattern)
{
	const char *comma = "";
	int i;

	for (i = 0; i < insert->n_columns; i++)
	{
		const char *at;

		if (absent[i] || !(insert->is_key[i] ? keys : others))
			continue;
		appendStringInfoString(sql, comma);
		comma = ", ";
		for (at = pattern; *at != '\0'; at++)
			if (*at == '#')
				appendStringInfo(sql, "c%d", i + 1);
			else if (*at == '@')
				appendStringInfoString(sql, insert->names[i]);
			else
				appendStringInfoChar(sql, *at);
	}
}

/*
 * For an upsert, of rows with the same key the last one is written (or the first,
 * where what is there stays), and keys are taken in order, so that two workers
 * do not wait for each other.
 */
static char *
statement_text(RspgInsert *insert, const bool *absent)
{
	const RspgStreamOptions *options = insert->options;
	bool upsert = options->upsert_key != NIL;
	bool update = upsert && options->upsert == RSPG_UPSERT_UPDATE;
	StringInfoData sql;
	int others = 0;
	int i;

	for (i = 0; i < insert->n_columns; i++)
		others += !absent[i] && !insert->is_key[i];
	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO %s (", insert->target);
	append_columns(&sql, insert, absent, true, true, "@");
	appendStringInfoString(&sql, ") SELECT ");
	if (update)
	{
		appendStringInfoString(&sql, "DISTINCT ON (");
		append_columns(&sql, insert, absent, true, false, "#");
		appendStringInfoString(&sql, ") ");
	}
	append_columns(&sql, insert, absent, true, true, "#");
	appendStringInfoString(&sql, " FROM batch");
	if (!upsert)
	{
		for (i = 0; i < insert->n_order; i++)
			appendStringInfo(&sql, "%s c%d", i == 0 ? " ORDER BY" : ",", insert->order[i] + 1);
		return sql.data;
	}
	appendStringInfoString(&sql, " ORDER BY ");
	append_columns(&sql, insert, absent, true, false, "#");
	appendStringInfoString(&sql, update ? ", n DESC" : ", n");
	appendStringInfoString(&sql, " ON CONFLICT (");
	append_columns(&sql, insert, absent, true, false, "@");
	if (!update || others == 0)
		appendStringInfoString(&sql, ") DO NOTHING");
	else
	{
		appendStringInfoString(&sql, ") DO UPDATE SET ");
		append_columns(&sql, insert, absent, false, true, "@ = EXCLUDED.@");
	}
	return sql.data;
}

/* An error says what the option should have been. */
static void
hint_of_key(void *insert)
{
	if (((RspgInsert *) insert)->options->upsert_key != NIL &&
		geterrcode() == ERRCODE_INVALID_COLUMN_REFERENCE)
		errhint("Option \"upsert_key\" names all columns of a unique index, and it has no WHERE.");
}

void
rspg_insert_check(RspgInsert *insert)
{
	ErrorContextCallback context = {error_context_stack, hint_of_key, insert};
	bool *absent = palloc0(insert->n_columns * sizeof(bool));

	error_context_stack = &context;
	rspg_relation_explain(&insert->relation, statement_text(insert, absent));
	error_context_stack = context.previous;
}

/* The plan for rows that lack these columns; SPI is connected and knows "batch". */
static Statement *
find_statement(RspgInsert *insert, const bool *absent)
{
	MemoryContext old;
	Statement *statement;
	ListCell *cell;

	foreach (cell, insert->statements)
	{
		statement = lfirst(cell);
		if (memcmp(statement->absent, absent, insert->n_columns * sizeof(bool)) == 0)
			return statement;
	}
	if (list_length(insert->statements) >= 64)
		rspg_insert_free(insert); /* few streams have so many kinds of messages */
	old = MemoryContextSwitchTo(GetMemoryChunkContext(insert));
	statement = palloc(sizeof(Statement));
	statement->absent = palloc(insert->n_columns * sizeof(bool));
	memcpy(statement->absent, absent, insert->n_columns * sizeof(bool));
	MemoryContextSwitchTo(old);
	statement->plan = rspg_prepare(statement_text(insert, absent), 0, NULL);
	MemoryContextSwitchTo(GetMemoryChunkContext(insert));
	insert->statements = lappend(insert->statements, statement);
	MemoryContextSwitchTo(old);
	return statement;
}

void
rspg_rows_begin(RspgRows *rows, RspgInsert *insert)
{
	memset(rows, 0, sizeof(*rows));
	rows->insert = insert;
	rows->absent = palloc0(insert->n_columns * sizeof(bool));
}

/* Default of column i; NULL where it has none, if its domain lets it. */
static Datum
default_value(RspgRows *rows, int i, bool *isnull)
{
	RspgInsert *insert = rows->insert;

	if (insert->defaults[i] == NULL)
	{
		*isnull = true;
		if (OidIsValid(insert->domains[i]))
			domain_check((Datum) 0, true, insert->domains[i], NULL, NULL);
		return (Datum) 0;
	}
	if (rows->estate == NULL)
	{
		rows->estate = CreateExecutorState();
		rows->defaults = palloc0(insert->n_columns * sizeof(ExprState *));
	}
	if (rows->defaults[i] == NULL)
		rows->defaults[i] = ExecPrepareExpr((Expr *) insert->defaults[i], rows->estate);
	return ExecEvalExprSwitchContext(rows->defaults[i], GetPerTupleExprContext(rows->estate),
									 isnull);
}

/* May the row be written with those before it? */
static bool
same_columns(const RspgRows *rows, const char *cells)
{
	int i;

	for (i = 0; i < rows->insert->n_columns; i++)
		if (rows->absent[i] != (cells[i] == RSPG_CELL_ABSENT))
			return false;
	return true;
}

int64
rspg_rows_add(RspgRows *rows, const Datum *values, const char *cells)
{
	RspgInsert *insert = rows->insert;
	bool upsert = insert->options->upsert_key != NIL;
	int n = insert->n_columns;
	Datum row[MaxTupleAttributeNumber + 1];
	bool nulls[MaxTupleAttributeNumber + 1];
	int64 written = 0;
	int i;

	if (upsert && !same_columns(rows, cells))
	{
		written = rspg_rows_flush(rows);
		for (i = 0; i < n; i++)
			rows->absent[i] = cells[i] == RSPG_CELL_ABSENT;
	}
	for (i = 0; i < n; i++)
	{
		row[i] = values[i];
		nulls[i] = cells[i] != RSPG_CELL_VALUE;
		if (insert->is_key[i] && nulls[i])
			rspg_target_no_key(insert->names[i]);
		if (cells[i] == RSPG_CELL_ABSENT && !upsert)
			row[i] = default_value(rows, i, &nulls[i]);
	}
	row[n] = Int64GetDatum(rows->n++);
	nulls[n] = false;
	if (rows->store == NULL) /* more than work_mem: a batch is bounded by its own options */
		rows->store = tuplestore_begin_heap(
			false, false, Max(work_mem, 4 * (insert->options->batch_bytes / 1024)));
	tuplestore_putvalues(rows->store, insert->desc, row, nulls);
	if (rows->estate != NULL)
		ResetPerTupleExprContext(rows->estate);
	return written;
}

int64
rspg_rows_flush(RspgRows *rows)
{
	RspgInsert *insert = rows->insert;
	Statement *statement;
	int64 written;
	int result;

	if (rows->store == NULL)
		return 0;
	insert->relation.reldata = rows->store;
	statement = find_statement(insert, rows->absent);
	result = SPI_execute_plan(statement->plan, NULL, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "could not insert: %s", SPI_result_code_string(result));
	written = SPI_processed;
	insert->relation.reldata = NULL;
	tuplestore_end(rows->store);
	rows->store = NULL;
	return written;
}
