/*
 * create.c
 *		recsys.create_model(): check all that can be checked before training.
 */
#include "pg/base/rspg.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_type.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "pg/base/check.h"
#include "pg/base/jsonb_read.h"
#include "pg/base/optionjson.h"
#include "pg/base/spi.h"
#include "pg/encode/rowvalues.h"
#include "pg/model/create_features.h"
#include "pg/model/registry.h"
#include "pg/model/source.h"

/* arguments of create_model, in order */
enum
{
	ARG_NAME,
	ARG_SOURCE,
	ARG_ALGORITHM,
	ARG_OPTIONS,
	ARG_USER_COLUMN,
	ARG_ITEM_COLUMN,
	ARG_WEIGHT_COLUMN,
	ARG_EVENT_COLUMN,
	ARG_EVENT_WEIGHTS,
	ARG_TIME_COLUMN,
	ARG_HALF_LIFE,
	ARG_USERS,
	ARG_ITEMS,
	ARG_FEATURES,
	ARG_COUNT
};

static void check_required(FunctionCallInfo fcinfo);
static void check_source(Relation source);
static Oid check_column(Relation source, const char *column, const char *argument);
static void check_columns(FunctionCallInfo fcinfo, Relation source, const RsAlgorithm *algorithm,
						  const RsOptions *options);
static bool finds_user(Oid index_oid, AttrNumber column);
static void hint_index(Relation source, const char *user_column);
static void insert_row(FunctionCallInfo fcinfo);

PG_FUNCTION_INFO_V1(recsys_create_model);

Datum
recsys_create_model(PG_FUNCTION_ARGS)
{
	const RsAlgorithm *algorithm;
	RsOptions options;
	Relation source;

	check_required(fcinfo);
	rspg_require_right(ACL_INSERT, ACL_NO_RIGHTS, "create a model");
	rspg_check_name(text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)), "a model");
	algorithm = rspg_algorithm(text_to_cstring(PG_GETARG_TEXT_PP(ARG_ALGORITHM)));
	rspg_options_from_jsonb(
		algorithm, PG_ARGISNULL(ARG_OPTIONS) ? NULL : PG_GETARG_JSONB_P(ARG_OPTIONS), &options);
	rspg_check_features(algorithm, &options,
						PG_ARGISNULL(ARG_FEATURES) ? NULL : PG_GETARG_JSONB_P(ARG_FEATURES),
						PG_ARGISNULL(ARG_USERS) ? InvalidOid : PG_GETARG_OID(ARG_USERS),
						NameStr(*PG_GETARG_NAME(ARG_USER_COLUMN)));
	source = try_relation_open(PG_GETARG_OID(ARG_SOURCE), AccessShareLock);
	if (source == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("source with OID %u does not exist", PG_GETARG_OID(ARG_SOURCE))));
	check_source(source);
	check_columns(fcinfo, source, algorithm, &options);
	rspg_source_check_weights(
		!PG_ARGISNULL(ARG_EVENT_COLUMN),
		PG_ARGISNULL(ARG_EVENT_WEIGHTS) ? NULL : PG_GETARG_JSONB_P(ARG_EVENT_WEIGHTS),
		!PG_ARGISNULL(ARG_TIME_COLUMN),
		PG_ARGISNULL(ARG_HALF_LIFE) ? NULL : PG_GETARG_INTERVAL_P(ARG_HALF_LIFE));
	insert_row(fcinfo);
	hint_index(source, NameStr(*PG_GETARG_NAME(ARG_USER_COLUMN)));
	relation_close(source, NoLock);
	PG_RETURN_VOID();
}

static void
check_required(FunctionCallInfo fcinfo)
{
	static const struct
	{
		int arg;
		const char *name;
	} required[] = {{ARG_NAME, "name"},
					{ARG_SOURCE, "source"},
					{ARG_ALGORITHM, "algorithm"},
					{ARG_USER_COLUMN, "user_column"},
					{ARG_ITEM_COLUMN, "item_column"}};
	int i;

	for (i = 0; i < lengthof(required); i++)
		if (PG_ARGISNULL(required[i].arg))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not be null", required[i].name)));
}

static void
check_source(Relation source)
{
	switch (source->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
		case RELKIND_MATVIEW:
		case RELKIND_FOREIGN_TABLE:
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a table or view", RelationGetRelationName(source))));
	}
	rspg_check_right(RelationGetRelid(source), GetUserId(), ACL_SELECT);
}

/*
 * Type of a column, or an error that lists the columns there are.
 */
static Oid
check_column(Relation source, const char *column, const char *argument)
{
	TupleDesc desc = RelationGetDescr(source);
	StringInfoData names;
	int i;

	initStringInfo(&names);
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped)
			continue;
		if (strcmp(NameStr(attribute->attname), column) == 0)
			return attribute->atttypid;
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", NameStr(attribute->attname));
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("column \"%s\" of \"%s\" does not exist", column,
						   RelationGetRelationName(source)),
					errhint("Set %s to one of %s.", argument, names.data)));
	return InvalidOid; /* not reached */
}

static bool
is_time(Oid type)
{
	type = getBaseType(type);
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}

static void
check_columns(FunctionCallInfo fcinfo, Relation source, const RsAlgorithm *algorithm,
			  const RsOptions *options)
{
	Oid type;

	type = check_column(source, NameStr(*PG_GETARG_NAME(ARG_USER_COLUMN)), "user_column");
	if (!OidIsValid(lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC)->hash_extended_proc))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("user id of type %s cannot be hashed", format_type_be(type)),
						errhint("Use a view that casts it to text.")));
	(void) check_column(source, NameStr(*PG_GETARG_NAME(ARG_ITEM_COLUMN)), "item_column");
	if (!PG_ARGISNULL(ARG_WEIGHT_COLUMN))
	{
		type = check_column(source, NameStr(*PG_GETARG_NAME(ARG_WEIGHT_COLUMN)), "weight_column");
		if (!rspg_is_number(getBaseType(type)))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("weight column must be a number, not %s", format_type_be(type))));
	}
	if (!PG_ARGISNULL(ARG_EVENT_COLUMN))
		(void) check_column(source, NameStr(*PG_GETARG_NAME(ARG_EVENT_COLUMN)), "event_column");
	if (!PG_ARGISNULL(ARG_TIME_COLUMN))
	{
		type = check_column(source, NameStr(*PG_GETARG_NAME(ARG_TIME_COLUMN)), "time_column");
		if (!is_time(type))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("time column must be timestamptz, timestamp or date, not %s",
							format_type_be(type)),
					 errhint("Use a view that turns it into one, for example by to_timestamp().")));
	}
	rspg_source_check_order(algorithm->name,
							(rs_algorithm_flags(algorithm, options, false) & RS_SEQUENCES) != 0,
							!PG_ARGISNULL(ARG_TIME_COLUMN));
}

/*
 * Does an index find the rows of one value of the column?
 */
static bool
finds_user(Oid index_oid, AttrNumber column)
{
	HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index_oid));
	HeapTuple class = SearchSysCache1(RELOID, ObjectIdGetDatum(index_oid));
	Form_pg_index index;
	Oid method;
	bool finds = false;

	if (HeapTupleIsValid(tuple) && HeapTupleIsValid(class))
	{
		index = (Form_pg_index) GETSTRUCT(tuple);
		method = ((Form_pg_class) GETSTRUCT(class))->relam;
		finds = index->indisvalid && index->indkey.values[0] == column &&
				heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
				(method == BTREE_AM_OID || method == HASH_AM_OID);
	}
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	if (HeapTupleIsValid(class))
		ReleaseSysCache(class);
	return finds;
}

/*
 * Every recommendation reads one user's events: say so when that is a scan.
 */
static void
hint_index(Relation source, const char *user_column)
{
	AttrNumber wanted = get_attnum(RelationGetRelid(source), user_column);
	List *indexes;
	ListCell *cell;

	if (source->rd_rel->relkind != RELKIND_RELATION &&
		source->rd_rel->relkind != RELKIND_PARTITIONED_TABLE &&
		source->rd_rel->relkind != RELKIND_MATVIEW)
		return;
	indexes = RelationGetIndexList(source);
	foreach (cell, indexes)
		if (finds_user(lfirst_oid(cell), wanted))
			return;
	ereport(NOTICE,
			(errmsg("no index of \"%s\" starts with column \"%s\"", RelationGetRelationName(source),
					user_column),
			 errdetail("Each recommendation reads all events of its user."),
			 errhint("CREATE INDEX ON %s (%s);",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(source)),
												RelationGetRelationName(source)),
					 quote_identifier(user_column))));
}

static void
insert_row(FunctionCallInfo fcinfo)
{
	static RspgStatement insert = {
		"INSERT INTO recsys.model_registry (name, source, algorithm, options, user_column, "
		"item_column, weight_column, event_column, event_weights, time_column, half_life, users, "
		"items, features, owner) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
		"$14, $15) ON CONFLICT (name) DO NOTHING",
		ARG_COUNT + 1,
		{TEXTOID, REGCLASSOID, TEXTOID, JSONBOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID, JSONBOID,
		 NAMEOID, INTERVALOID, REGCLASSOID, REGCLASSOID, JSONBOID, REGROLEOID},
		NULL};
	Datum values[ARG_COUNT + 1];
	char nulls[ARG_COUNT + 2];
	int i;

	for (i = 0; i < ARG_COUNT; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	if (PG_ARGISNULL(ARG_OPTIONS))
	{
		values[ARG_OPTIONS] = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
		nulls[ARG_OPTIONS] = ' ';
	}
	values[ARG_COUNT] = ObjectIdGetDatum(GetUserId());
	nulls[ARG_COUNT] = ' ';
	nulls[ARG_COUNT + 1] = '\0';
	SPI_connect();
	rspg_execute(&insert, values, nulls, false);
	if (SPI_processed != 1)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("model \"%s\" already exists",
							   text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)))));
	SPI_finish();
}
