/*
 * source.c
 *		The queries over a model's events, written in one place so that training
 *		and recommending see the same weights.
 *
 *	weight = weight_column × weight of the event type × 2^(−age / half_life)
 *
 * with each factor 1 where it is not asked for.  An event type that
 * event_weights does not name, byte by byte, has no weight: the row is left out.
 */
#include "pg/model/source.h"

#include <math.h>

#include "access/relation.h"
#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "pg/base/idmap.h"
#include "pg/base/jsonb_read.h"
#include "pg/encode/jsonvalues.h"
#include "pg/encode/rowvalues.h"

/* Each type is a branch of a CASE, gone through for every row of the source */
#define MAX_EVENT_TYPES 1000
/* What als can square in floats over a long history */
#define MAX_EVENT_WEIGHT 1e12

static Oid column_type(const RspgRegistryRow *row, const char *column);
static void append_event(StringInfo sql, const RspgRegistryRow *row, Oid item_type,
						 bool timed_only);
static void append_timed_weight(StringInfo sql, const RspgRegistryRow *row, bool timed_only);
static void append_equals(StringInfo sql, Oid type, const char *operand);
static void append_ties(StringInfo sql, const RspgRegistryRow *row, Oid item_type,
						const char *direction);
static void append_item(StringInfo sql, const RspgRegistryRow *row, Oid item_type);
static void append_weight(StringInfo sql, const RspgRegistryRow *row);
static void append_decay(StringInfo sql, const char *time, const char *half_life);
static void append_event_weight(StringInfo sql, const RspgRegistryRow *row);
static void append_from(StringInfo sql, Oid relation);
static void append_seen(StringInfo sql, const RspgRegistryRow *row);
static void check_interval(const char *what, Interval *interval, bool has_time);
static void append_feature_columns(StringInfo sql, const RspgRegistryRow *row);

/*
 * Number of a column, or an error that names what is missing; what is the
 * relation to the model.
 */
static AttrNumber
find_column(const RspgRegistryRow *row, Oid relation, const char *what, const char *column)
{
	AttrNumber number = get_attnum(relation, column);

	if (number != InvalidAttrNumber)
		return number;
	if (get_rel_name(relation) == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("%s of model \"%s\" does not exist any more", what, row->name),
						errhint("recsys.alter_model() gives the model another.")));
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of \"%s\" does not exist, which model \"%s\" reads",
						   column, get_rel_name(relation), row->name),
					errhint("Rename it back, or tell the model with recsys.alter_model().")));
	return InvalidAttrNumber; /* not reached */
}

/* Type of a column of the source; of a domain what it is over. */
static Oid
column_type(const RspgRegistryRow *row, const char *column)
{
	return getBaseType(get_atttype(row->source, find_column(row, row->source, "source", column)));
}

void
rspg_source_check(const RspgRegistryRow *row)
{
	if (!OidIsValid(row->source) && row->user_column == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no source of events", row->name),
						errdetail("It was stored by recsys.save_model()."),
						errhint("Use recsys.recommend_for_items(), or give the model a source with "
								"recsys.alter_model().")));
	/* what create_model() checked may have been changed by hand */
	if (row->user_column == NULL || row->item_column == NULL)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no %s", row->name,
							   row->user_column == NULL ? "user_column" : "item_column")));
	rspg_source_check_weights(row->event_column != NULL, row->event_weights,
							  row->time_column != NULL, row->half_life);
	rspg_source_check_seen(row->event_column != NULL, row->exclude_events, row->time_column != NULL,
						   row->exclude_for);
	if (row->history_limit != 0)
		rspg_source_check_limit(row->history_limit, row->time_column != NULL);
	(void) column_type(row, row->user_column);
	(void) column_type(row, row->item_column);
	if (row->weight_column != NULL)
		(void) column_type(row, row->weight_column);
	if (row->event_column != NULL)
		(void) column_type(row, row->event_column);
	if (row->time_column != NULL)
		(void) column_type(row, row->time_column);
}

void
rspg_source_check_weights(bool has_event, Jsonb *event_weights, bool has_time, Interval *half_life)
{
	JsonbIterator *iterator;
	JsonbValue value;
	char *event;
	float8 weight;

	if (has_event != (event_weights != NULL))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event_column and event_weights go together"),
						errhint("For example: event_column => 'event_type', event_weights => "
								"'{\"view\": 1, \"purchase\": 5}'.")));
	if (event_weights != NULL &&
		(!JB_ROOT_IS_OBJECT(event_weights) || JB_ROOT_COUNT(event_weights) == 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event_weights must be a JSON object of numbers"),
						errhint("For example: {\"view\": 1, \"purchase\": 5}.")));
	if (event_weights != NULL && JB_ROOT_COUNT(event_weights) > MAX_EVENT_TYPES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("event_weights may name %d types of events, but names %u",
							   MAX_EVENT_TYPES, JB_ROOT_COUNT(event_weights)),
						errhint("A column of weights, weight_column, has no such bound.")));
	iterator = event_weights != NULL ? JsonbIteratorInit(&event_weights->root) : NULL;
	while (iterator != NULL && rspg_jsonb_next_member(&iterator, &event, &value))
		if (value.type != jbvNumeric ||
			!rspg_number_of(NUMERICOID, NumericGetDatum(value.val.numeric), &weight) ||
			!(fabs(weight) <= MAX_EVENT_WEIGHT))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weight of event \"%s\" must be a number of at most 1e12", event)));
	check_interval("half_life", half_life, has_time);
}

/* An interval (NULL: none) that goes with a time column. */
static void
check_interval(const char *what, Interval *interval, bool has_time)
{
	if (interval == NULL)
		return;
	if (!has_time)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s needs time_column", what)));
	if (DatumGetFloat8(DirectFunctionCall2(interval_part, CStringGetTextDatum("epoch"),
										   IntervalPGetDatum(interval))) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be positive", what)));
}

void
rspg_source_check_limit(int32 history_limit, bool has_time)
{
	if (!has_time)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("history_limit needs time_column"),
						errdetail("The newest events are read.")));
	if (history_limit < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("history_limit must be at least 1, but is %d", history_limit)));
}

void
rspg_source_check_seen(bool has_event, ArrayType *exclude_events, bool has_time,
					   Interval *exclude_for)
{
	if (exclude_events != NULL && !has_event)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("exclude_events needs event_column"),
						errhint("recsys.alter_model() tells a model where its events have their "
								"types.")));
	if (exclude_events != NULL && array_contains_nulls(exclude_events))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("exclude_events must not contain nulls")));
	check_interval("exclude_for", exclude_for, has_time);
}

void
rspg_source_check_order(const char *algorithm, bool ordered, bool has_time)
{
	if (ordered && !has_time)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("algorithm \"%s\" needs time_column", algorithm),
						errdetail("It learns from the order of events.")));
}

/* The types of a query, over a source that was found to be whole. */
static RspgSourceQuery
begin_query(const RspgRegistryRow *row, bool ordered)
{
	RspgSourceQuery query;

	rspg_source_check_order(row->algorithm, ordered, row->time_column != NULL);
	query.sql = NULL;
	query.user_type = column_type(row, row->user_column);
	query.item_type = rspg_id_type_oid(rspg_id_type(column_type(row, row->item_column)));
	return query;
}

RspgSourceQuery
rspg_source_training_query(const RspgRegistryRow *row, bool ordered)
{
	RspgSourceQuery query;
	StringInfoData sql;

	rspg_source_check(row);
	query = begin_query(row, ordered);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, ", quote_identifier(row->user_column));
	append_event(&sql, row, query.item_type, false);
	if (ordered)
		appendStringInfo(&sql, ", %s::pg_catalog.timestamptz", quote_identifier(row->time_column));
	else
		appendStringInfoString(&sql, ", NULL::pg_catalog.timestamptz");
	append_from(&sql, row->source);
	query.sql = sql.data;
	return query;
}

RspgSourceQuery
rspg_source_history_query(const RspgRegistryRow *row, bool ordered, bool seen)
{
	RspgSourceQuery query = begin_query(row, ordered);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	append_event(&sql, row, query.item_type, ordered);
	if (seen)
		append_seen(&sql, row);
	append_from(&sql, row->source);
	appendStringInfo(&sql, " WHERE %s", quote_identifier(row->user_column));
	append_equals(&sql, query.user_type, "$1");
	if (row->history_limit > 0)
	{
		const char *time = quote_identifier(row->time_column);

		/* the exact reverse of training's order, as an index on (user, time) has it */
		appendStringInfo(&sql, " AND %s IS NOT NULL ORDER BY %s DESC", time, time);
		append_ties(&sql, row, query.item_type, " DESC");
		appendStringInfo(&sql, " LIMIT %d", row->history_limit);
	}
	else if (ordered)
	{
		appendStringInfo(&sql, " ORDER BY %s::pg_catalog.timestamptz NULLS FIRST",
						 quote_identifier(row->time_column));
		append_ties(&sql, row, query.item_type, "");
	}
	query.sql = sql.data;
	return query;
}

RspgSourceQuery
rspg_source_histories_query(const RspgRegistryRow *row, bool ordered, bool seen, bool given)
{
	RspgSourceQuery query = begin_query(row, ordered);
	bool limited = row->history_limit > 0;
	const char *direction = limited ? " DESC" : "";
	const char *user = quote_identifier(row->user_column);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, e.item, e.weight, e.seen FROM (SELECT %s AS who, ",
					 given ? "g.place" : "e.who", user);
	if (limited)
		appendStringInfo(&sql, "CASE WHEN %s IS NOT NULL THEN ",
						 quote_identifier(row->time_column));
	append_item(&sql, row, query.item_type);
	appendStringInfo(&sql, "%s AS item, ", limited ? " END" : "");
	append_timed_weight(&sql, row, ordered);
	appendStringInfoString(&sql, " AS weight");
	if (seen)
		append_seen(&sql, row);
	else
		appendStringInfoString(&sql, ", true");
	appendStringInfoString(&sql, " AS seen");
	if (ordered || limited)
		appendStringInfo(&sql, ", %s%s AS at", quote_identifier(row->time_column),
						 limited ? "" : "::pg_catalog.timestamptz");
	append_from(&sql, row->source);
	appendStringInfo(&sql, " WHERE %s IS NOT NULL) e", user);
	if (given)
	{
		appendStringInfoString(&sql,
							   ", pg_catalog.unnest($1) WITH ORDINALITY g (id, place) WHERE e.who");
		append_equals(&sql, query.user_type, "g.id");
	}
	appendStringInfo(&sql, " ORDER BY %s", given ? "g.place" : "e.who");
	if (ordered || limited)
		appendStringInfo(
			&sql, ", e.at%s, e.item%s%s, e.weight%s", limited ? " DESC NULLS LAST" : " NULLS FIRST",
			query.item_type == TEXTOID ? " COLLATE pg_catalog.\"C\"" : "", direction, direction);
	query.sql = sql.data;
	return query;
}

char *
rspg_source_users_query(const RspgRegistryRow *row)
{
	const char *user = quote_identifier(row->user_column);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT %s", user);
	append_from(&sql, row->source);
	appendStringInfo(&sql, " WHERE %s IS NOT NULL", user);
	return sql.data;
}

/* What both read of an event: item, weight.  timed_only: without a time it has no
 * weight, as training in order leaves it out. */
static void
append_event(StringInfo sql, const RspgRegistryRow *row, Oid item_type, bool timed_only)
{
	append_item(sql, row, item_type);
	appendStringInfoString(sql, ", ");
	append_timed_weight(sql, row, timed_only);
}

static void
append_timed_weight(StringInfo sql, const RspgRegistryRow *row, bool timed_only)
{
	if (timed_only)
		appendStringInfo(sql, "CASE WHEN %s IS NOT NULL THEN ", quote_identifier(row->time_column));
	append_weight(sql, row);
	if (timed_only)
		appendStringInfoString(sql, " END");
}

/*
 * Equal to an operand of that type, by the operator of the type's own index: a plain
 * = would be whatever the caller's search_path has of it.
 */
static void
append_equals(StringInfo sql, Oid type, const char *operand)
{
	Oid equality = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(equality));
	Form_pg_operator form;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("could not identify an equality operator for type %s",
							   format_type_be(type)),
						errdetail("Rows are found by it.")));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	appendStringInfo(sql, " OPERATOR(%s.%s) %s",
					 quote_identifier(get_namespace_name(form->oprnamespace)),
					 NameStr(form->oprname), operand);
	ReleaseSysCache(tuple);
}

/*
 * As training orders a user's events of one time: by the item's id, texts by their
 * bytes, then by weight.
 */
static void
append_ties(StringInfo sql, const RspgRegistryRow *row, Oid item_type, const char *direction)
{
	appendStringInfoString(sql, ", ");
	append_item(sql, row, item_type);
	appendStringInfo(sql, "%s%s, 2%s", item_type == TEXTOID ? " COLLATE pg_catalog.\"C\"" : "",
					 direction, direction);
}

/* Does the event count as seen? */
static void
append_seen(StringInfo sql, const RspgRegistryRow *row)
{
	appendStringInfoString(sql, ", true");
	if (row->event_column != NULL)
		appendStringInfo(sql,
						 " AND ($2 IS NULL OR %s::pg_catalog.text COLLATE pg_catalog.\"C\" "
						 "OPERATOR(pg_catalog.=) ANY ($2))",
						 quote_identifier(row->event_column));
	if (row->time_column != NULL)
		appendStringInfo(sql,
						 " AND ($3 IS NULL OR %s::pg_catalog.timestamptz OPERATOR(pg_catalog.>) "
						 "(pg_catalog.now() OPERATOR(pg_catalog.-) $3))",
						 quote_identifier(row->time_column));
}

static void
append_item(StringInfo sql, const RspgRegistryRow *row, Oid item_type)
{
	appendStringInfo(sql, "%s::pg_catalog.%s", quote_identifier(row->item_column),
					 item_type == INT8OID   ? "int8"
					 : item_type == UUIDOID ? "uuid"
											: "text");
}

static void
append_weight(StringInfo sql, const RspgRegistryRow *row)
{
	bool any = false;

	if (row->weight_column != NULL)
	{
		appendStringInfo(sql, "%s::pg_catalog.float8", quote_identifier(row->weight_column));
		any = true;
	}
	if (row->event_column != NULL)
	{
		if (any)
			appendStringInfoString(sql, " OPERATOR(pg_catalog.*) ");
		append_event_weight(sql, row);
		any = true;
	}
	if (row->half_life != NULL)
	{
		char *half_life =
			DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(row->half_life)));

		if (any)
			appendStringInfoString(sql, " OPERATOR(pg_catalog.*) ");
		append_decay(sql, quote_identifier(row->time_column), quote_literal_cstr(half_life));
		any = true;
	}
	if (!any)
		appendStringInfoString(sql, "1::pg_catalog.float8");
}

/*
 * 2^(-age / half_life).  What happens in the future is as new as can be; no time,
 * no weight; the exponent stops where power() would raise an underflow.
 */
static void
append_decay(StringInfo sql, const char *time, const char *half_life)
{
	appendStringInfo(sql,
					 "CASE WHEN pg_catalog.isfinite(%1$s::pg_catalog.timestamptz) THEN "
					 "pg_catalog.power(2::pg_catalog.float8, GREATEST(-1000::pg_catalog.float8, "
					 "LEAST(0::pg_catalog.float8, pg_catalog.date_part('epoch', "
					 "%1$s::pg_catalog.timestamptz OPERATOR(pg_catalog.-) pg_catalog.now()) "
					 "OPERATOR(pg_catalog./) pg_catalog.date_part('epoch', "
					 "%2$s::pg_catalog.interval)))) "
					 "WHEN %1$s::pg_catalog.timestamptz OPERATOR(pg_catalog.>) pg_catalog.now() "
					 "THEN 1 WHEN %1$s IS NOT NULL THEN 0 END",
					 time, half_life);
}

static void
append_event_weight(StringInfo sql, const RspgRegistryRow *row)
{
	JsonbIterator *iterator = JsonbIteratorInit(&row->event_weights->root);
	char *event;
	JsonbValue value;

	appendStringInfo(sql, "CASE");
	while (rspg_jsonb_next_member(&iterator, &event, &value))
		appendStringInfo(
			sql,
			" WHEN %s::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) %s THEN "
			"%s::pg_catalog.float8",
			quote_identifier(row->event_column), quote_literal_cstr(event),
			quote_literal_cstr(numeric_normalize(value.val.numeric)));
	appendStringInfoString(sql, " END");
}

static void
append_from(StringInfo sql, Oid relation)
{
	appendStringInfo(sql, " FROM %s",
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)),
												get_rel_name(relation)));
}

/* --- the relation of users: u.* is a row of it, u might be a column --- */

/*
 * The columns that the features name; an error for what is not there any more.
 */
static void
append_feature_columns(StringInfo sql, const RspgRegistryRow *row)
{
	ListCell *cell;
	const char *separator = "";

	foreach (cell, rspg_spec_columns(row->features))
	{
		const char *name = lfirst(cell);

		(void) find_column(row, row->users, "relation of users", name);
		appendStringInfo(sql, "%ss.%s", separator, quote_identifier(name));
		separator = ", ";
	}
}

char *
rspg_users_fit_query(const RspgRegistryRow *row)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT recsys.fit_encoder(u.*, $1) FROM (SELECT ");
	append_feature_columns(&sql, row);
	append_from(&sql, row->users);
	appendStringInfoString(&sql, " s) u");
	return sql.data;
}

char *
rspg_users_training_query(const RspgRegistryRow *row)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT s.%s, recsys.encode($1, u.*)",
					 quote_identifier(row->user_column));
	append_from(&sql, row->users);
	appendStringInfoString(&sql, " s, LATERAL (SELECT ");
	append_feature_columns(&sql, row);
	appendStringInfoString(&sql, ") u");
	return sql.data;
}

RspgSourceQuery
rspg_users_row_query(const RspgRegistryRow *row)
{
	RspgSourceQuery query = {0};
	StringInfoData sql;
	AttrNumber column = find_column(row, row->users, "relation of users", row->user_column);

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT u.*::pg_catalog.record FROM (SELECT ");
	append_feature_columns(&sql, row);
	append_from(&sql, row->users);
	query.user_type = getBaseType(get_atttype(row->users, column));
	appendStringInfo(&sql, " s WHERE s.%s", quote_identifier(row->user_column));
	append_equals(&sql, query.user_type, "$1");
	appendStringInfoString(&sql, ") u");
	query.sql = sql.data;
	return query;
}

/* --- the relation of items --- */

Oid
rspg_items_id_type(const RspgRegistryRow *row)
{
	if (!OidIsValid(row->items))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no relation of items", row->name),
						errhint("Give it one: SELECT recsys.alter_model(%s, items => 'products').",
								quote_literal_cstr(row->name))));
	if (row->item_column == NULL) /* changed by hand */
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no item_column", row->name)));
	return getBaseType(get_atttype(
		row->items, find_column(row, row->items, "relation of items", row->item_column)));
}

char *
rspg_items_query(const RspgRegistryRow *row, const char *filter, int among)
{
	Oid id_type = rspg_items_id_type(row);
	const char *id = quote_identifier(row->item_column);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s", id);
	append_from(&sql, row->items);
	appendStringInfoString(&sql, " WHERE ");
	if (among > 0)
	{
		appendStringInfoString(&sql, id);
		append_equals(&sql, id_type, psprintf("ANY ($%d)", among));
		appendStringInfoString(&sql, " AND ");
	}
	/* a comment at its end ends with the line */
	appendStringInfo(&sql, "(\n%s\n)", filter);
	return sql.data;
}

char *
rspg_items_values_query(const RspgRegistryRow *row, char *const *columns, int n)
{
	Oid id_type = rspg_items_id_type(row);
	const char *id = quote_identifier(row->item_column);
	StringInfoData sql;
	int i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT DISTINCT ON (1) %s", id);
	for (i = 0; i < n; i++)
	{
		if (get_attnum(row->items, columns[i]) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of \"%s\" does not exist", columns[i],
							get_rel_name(row->items)),
					 errhint("Name columns of the relation of items of model \"%s\".", row->name)));
		appendStringInfo(&sql, ", %s::pg_catalog.text COLLATE pg_catalog.\"C\"",
						 quote_identifier(columns[i]));
	}
	append_from(&sql, row->items);
	appendStringInfo(&sql, " WHERE %s", id);
	append_equals(&sql, id_type, "ANY ($1)");
	appendStringInfoString(&sql, " ORDER BY 1");
	for (i = 0; i < n; i++)
		appendStringInfo(&sql, ", %d", i + 2);
	return sql.data;
}
