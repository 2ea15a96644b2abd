/*
 * create.c
 *		recsys.create_model() and recsys.alter_model(): check all that can be checked
 *		before training.
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
#include "utils/array.h"
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

/* arguments of create_model, in order; alter_model has three more */
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
	ARG_EXCLUDE_EVENTS,
	ARG_EXCLUDE_FOR,
	ARG_HISTORY_LIMIT,
	ARG_COUNT,
	ARG_NEW_NAME = ARG_COUNT,
	ARG_OWNER,
	ARG_RESET
};

/* the columns of the arguments behind the name, and the types of all */
#define DEFINITION                                                                                 \
	"source, algorithm, options, user_column, item_column, weight_column, event_column, "          \
	"event_weights, time_column, half_life, users, items, features, exclude_events, exclude_for, " \
	"history_limit"
#define DEFINITION_TYPES                                                                           \
	TEXTOID, REGCLASSOID, TEXTOID, JSONBOID, NAMEOID, NAMEOID, NAMEOID, NAMEOID, JSONBOID,         \
		NAMEOID, INTERVALOID, REGCLASSOID, REGCLASSOID, JSONBOID, TEXTARRAYOID, INTERVALOID,       \
		INT4OID

/* an argument that is not given: its text; "": null; NULL: it must be given */
static const struct
{
	const char *name;
	Oid type;
	const char *value;
} defaults[ARG_COUNT] = {{"name", TEXTOID, NULL},
						 {"source", REGCLASSOID, NULL},
						 {"algorithm", TEXTOID, "als"},
						 {"options", JSONBOID, "{}"},
						 {"user_column", NAMEOID, "user_id"},
						 {"item_column", NAMEOID, "item_id"},
						 {"weight_column", NAMEOID, ""},
						 {"event_column", NAMEOID, ""},
						 {"event_weights", JSONBOID, ""},
						 {"time_column", NAMEOID, ""},
						 {"half_life", INTERVALOID, ""},
						 {"users", REGCLASSOID, ""},
						 {"items", REGCLASSOID, ""},
						 {"features", JSONBOID, ""},
						 {"exclude_events", TEXTARRAYOID, ""},
						 {"exclude_for", INTERVALOID, ""},
						 {"history_limit", INT4OID, ""}};

static void check_definition(const NullableDatum *args);
static Relation open_relation(const NullableDatum *args, int arg);
static void check_items(const NullableDatum *args);
static Oid check_column(Relation source, const char *column, const char *argument);
static void check_columns(const NullableDatum *args, Relation source, const RsAlgorithm *algorithm,
						  const RsOptions *options);
static void check_item_type(Oid type);
static void check_seen(const NullableDatum *args);
static bool finds_user(Oid index_oid, AttrNumber column, AttrNumber time);
static void hint_index(Relation source, const char *user_column, const char *time_column);
static void insert_row(const NullableDatum *args);
static RspgRegistryRow *read_definition(const char *name, NullableDatum *args);
static void reset(NullableDatum *args, ArrayType *names);
static void set_default(NullableDatum *args, int arg);
static void check_new_owner(Oid owner, const NullableDatum *args);
static void update_row(int64 id, const NullableDatum *args, const char *name, Oid owner);

PG_FUNCTION_INFO_V1(recsys_create_model);
PG_FUNCTION_INFO_V1(recsys_alter_model);

static char *
text_of(const NullableDatum *arg)
{
	return TextDatumGetCString(arg->value);
}

static char *
name_of(const NullableDatum *arg)
{
	return NameStr(*DatumGetName(arg->value));
}

/* NULL for null */
static Jsonb *
jsonb_of(const NullableDatum *arg)
{
	return arg->isnull ? NULL : DatumGetJsonbP(arg->value);
}

Datum
recsys_create_model(PG_FUNCTION_ARGS)
{
	NullableDatum args[ARG_COUNT];
	int i;

	memcpy(args, fcinfo->args, sizeof(args));
	if (args[ARG_OPTIONS].isnull)
		set_default(args, ARG_OPTIONS);
	for (i = 0; i < ARG_COUNT; i++)
		if (args[i].isnull && (defaults[i].value == NULL || defaults[i].value[0] != '\0'))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not be null", defaults[i].name)));
	rspg_require_right(ACL_INSERT, ACL_NO_RIGHTS, "create a model");
	rspg_check_name(text_of(&args[ARG_NAME]), "a model");
	check_definition(args);
	insert_row(args);
	PG_RETURN_VOID();
}

/*
 * recsys.alter_model(name, …): null leaves a thing as it is.  Versions stay, and
 * the live one answers, by the new source and columns.
 */
Datum
recsys_alter_model(PG_FUNCTION_ARGS)
{
	NullableDatum args[ARG_COUNT];
	bool defined = !PG_ARGISNULL(ARG_RESET);
	RspgRegistryRow *row;
	char *name;
	Oid owner;
	int i;

	if (PG_ARGISNULL(ARG_NAME))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("name must not be null")));
	PreventCommandIfReadOnly("recsys.alter_model()");
	SPI_connect();
	row = read_definition(text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME)), args);
	if (!PG_ARGISNULL(ARG_RESET))
		reset(args, PG_GETARG_ARRAYTYPE_P(ARG_RESET));
	for (i = ARG_SOURCE; i < ARG_COUNT; i++)
		if (!PG_ARGISNULL(i))
		{
			args[i] = fcinfo->args[i];
			defined = true;
		}
	if (defined && args[ARG_SOURCE].isnull)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no source of events", row->name),
						errhint("Give it one: source => 'events'.")));
	/* a saved model that is given a source */
	for (i = ARG_USER_COLUMN; defined && i <= ARG_ITEM_COLUMN; i++)
		if (args[i].isnull)
			set_default(args, i);
	if (defined)
		check_definition(args);
	name =
		PG_ARGISNULL(ARG_NEW_NAME) ? row->name : text_to_cstring(PG_GETARG_TEXT_PP(ARG_NEW_NAME));
	rspg_check_name(name, "a model");
	owner = PG_ARGISNULL(ARG_OWNER) ? row->owner : PG_GETARG_OID(ARG_OWNER);
	if (owner != row->owner)
		check_new_owner(owner, args);
	update_row(row->id, args, name, owner);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * What a model is, but for its name: raise an error unless it can be trained so.
 */
static void
check_definition(const NullableDatum *args)
{
	const RsAlgorithm *algorithm = rspg_algorithm(text_of(&args[ARG_ALGORITHM]));
	char *user_column = name_of(&args[ARG_USER_COLUMN]);
	RsOptions options;
	Relation source;

	rspg_options_from_jsonb(algorithm, jsonb_of(&args[ARG_OPTIONS]), &options);
	if (!args[ARG_USERS].isnull)
		relation_close(open_relation(args, ARG_USERS), NoLock);
	rspg_check_features(
		algorithm, &options, jsonb_of(&args[ARG_FEATURES]),
		args[ARG_USERS].isnull ? InvalidOid : DatumGetObjectId(args[ARG_USERS].value), user_column);
	source = open_relation(args, ARG_SOURCE);
	check_columns(args, source, algorithm, &options);
	rspg_source_check_weights(
		!args[ARG_EVENT_COLUMN].isnull, jsonb_of(&args[ARG_EVENT_WEIGHTS]),
		!args[ARG_TIME_COLUMN].isnull,
		args[ARG_HALF_LIFE].isnull ? NULL : DatumGetIntervalP(args[ARG_HALF_LIFE].value));
	if (!args[ARG_ITEMS].isnull)
		check_items(args);
	check_seen(args);
	hint_index(source, user_column,
			   args[ARG_HISTORY_LIMIT].isnull ? NULL : name_of(&args[ARG_TIME_COLUMN]));
	relation_close(source, NoLock);
}

/*
 * The relation of an argument, if rows can be read from it, and the caller may.
 */
static Relation
open_relation(const NullableDatum *args, int arg)
{
	Oid oid = DatumGetObjectId(args[arg].value);
	Relation relation = try_relation_open(oid, AccessShareLock);

	if (relation == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
						errmsg("%s with OID %u does not exist", defaults[arg].name, oid),
						errhint("Set %s to a table or view.", defaults[arg].name)));
	switch (relation->rd_rel->relkind)
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
					 errmsg("\"%s\" is not a table or view", RelationGetRelationName(relation))));
	}
	rspg_check_right(oid, GetUserId(), ACL_SELECT);
	return relation;
}

static void
check_items(const NullableDatum *args)
{
	Relation relation = open_relation(args, ARG_ITEMS);
	char *item_column = name_of(&args[ARG_ITEM_COLUMN]);

	if (get_attnum(RelationGetRelid(relation), item_column) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of \"%s\" does not exist", item_column,
						RelationGetRelationName(relation)),
				 errhint("The item column has the same name in source and items; use a view where "
						 "it has not.")));
	relation_close(relation, NoLock);
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
check_columns(const NullableDatum *args, Relation source, const RsAlgorithm *algorithm,
			  const RsOptions *options)
{
	Oid type;

	type = check_column(source, name_of(&args[ARG_USER_COLUMN]), "user_column");
	if (!OidIsValid(lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC)->hash_extended_proc))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("user id of type %s cannot be hashed", format_type_be(type)),
						errhint("Use a view that casts it to text.")));
	check_item_type(check_column(source, name_of(&args[ARG_ITEM_COLUMN]), "item_column"));
	if (!args[ARG_WEIGHT_COLUMN].isnull)
	{
		type = check_column(source, name_of(&args[ARG_WEIGHT_COLUMN]), "weight_column");
		if (!rspg_is_number(getBaseType(type)))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("weight column must be a number, not %s", format_type_be(type))));
	}
	if (!args[ARG_EVENT_COLUMN].isnull)
		(void) check_column(source, name_of(&args[ARG_EVENT_COLUMN]), "event_column");
	if (!args[ARG_TIME_COLUMN].isnull)
	{
		type = check_column(source, name_of(&args[ARG_TIME_COLUMN]), "time_column");
		if (!is_time(type))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("time column must be timestamptz, timestamp or date, not %s",
							format_type_be(type)),
					 errhint("Use a view that turns it into one, for example by to_timestamp().")));
	}
	rspg_source_check_order(algorithm->name,
							(rs_algorithm_flags(algorithm, options, false) & RS_SEQUENCES) != 0,
							!args[ARG_TIME_COLUMN].isnull);
}

static void
check_seen(const NullableDatum *args)
{
	rspg_source_check_seen(
		!args[ARG_EVENT_COLUMN].isnull,
		args[ARG_EXCLUDE_EVENTS].isnull ? NULL : DatumGetArrayTypeP(args[ARG_EXCLUDE_EVENTS].value),
		!args[ARG_TIME_COLUMN].isnull,
		args[ARG_EXCLUDE_FOR].isnull ? NULL : DatumGetIntervalP(args[ARG_EXCLUDE_FOR].value));
	if (!args[ARG_HISTORY_LIMIT].isnull)
		rspg_source_check_limit(DatumGetInt32(args[ARG_HISTORY_LIMIT].value),
								!args[ARG_TIME_COLUMN].isnull);
}

/*
 * Items other than integers and uuids go by their text, which must be the same in
 * every session.
 */
static void
check_item_type(Oid type)
{
	Oid base = getBaseType(type);
	char category;
	bool preferred;

	get_type_category_preferred(base, &category, &preferred);
	if (category == TYPCATEGORY_DATETIME || category == TYPCATEGORY_TIMESPAN || base == FLOAT4OID ||
		base == FLOAT8OID || base == CASHOID || base == BYTEAOID)
		ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("item ids must not be of type %s", format_type_be(type)),
						errdetail("What they look like as text depends on settings."),
						errhint("Use a view that casts them to text, bigint or uuid.")));
}

/*
 * Does an index find the rows of one value of the column, and where a time is given, in
 * its order?
 */
static bool
finds_user(Oid index_oid, AttrNumber column, AttrNumber time)
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
				(time != InvalidAttrNumber ? method == BTREE_AM_OID && index->indnkeyatts > 1 &&
												 index->indkey.values[1] == time
										   : method == BTREE_AM_OID || method == HASH_AM_OID);
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
hint_index(Relation source, const char *user_column, const char *time_column)
{
	AttrNumber wanted = get_attnum(RelationGetRelid(source), user_column);
	AttrNumber time =
		time_column == NULL ? InvalidAttrNumber : get_attnum(RelationGetRelid(source), time_column);
	List *indexes;
	ListCell *cell;

	if (source->rd_rel->relkind != RELKIND_RELATION &&
		source->rd_rel->relkind != RELKIND_PARTITIONED_TABLE &&
		source->rd_rel->relkind != RELKIND_MATVIEW)
		return;
	indexes = RelationGetIndexList(source);
	foreach (cell, indexes)
		if (finds_user(lfirst_oid(cell), wanted, time))
			return;
	ereport(NOTICE,
			(time_column == NULL
				 ? errmsg("no index of \"%s\" starts with column \"%s\"",
						  RelationGetRelationName(source), user_column)
				 : errmsg("no index of \"%s\" starts with columns \"%s\" and \"%s\"",
						  RelationGetRelationName(source), user_column, time_column),
			 errdetail("Each recommendation reads all events of its user."),
			 errhint("CREATE INDEX ON %s (%s%s%s);",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(source)),
												RelationGetRelationName(source)),
					 quote_identifier(user_column), time_column == NULL ? "" : ", ",
					 time_column == NULL ? "" : quote_identifier(time_column))));
}

static void
fail_on_name(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("model \"%s\" already exists", name)));
}

/* Values of a statement: the arguments, and behind them what the caller sets. */
static void
fill(Datum *values, char *nulls, const NullableDatum *args, int n)
{
	int i;

	memset(nulls, ' ', n);
	nulls[n] = '\0';
	for (i = 0; i < ARG_COUNT; i++)
	{
		values[i] = args[i].value;
		if (args[i].isnull)
			nulls[i] = 'n';
	}
}

static void
insert_row(const NullableDatum *args)
{
	static RspgStatement insert = {"INSERT INTO recsys.model_registry (name, " DEFINITION
								   ", owner) VALUES ($1, $2, $3, $4, "
								   "$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
								   "$18) ON CONFLICT (name) DO NOTHING",
								   ARG_COUNT + 1,
								   {DEFINITION_TYPES, REGROLEOID},
								   NULL};
	Datum values[ARG_COUNT + 1];
	char nulls[ARG_COUNT + 2];

	fill(values, nulls, args, ARG_COUNT + 1);
	values[ARG_COUNT] = ObjectIdGetDatum(GetUserId());
	SPI_connect();
	rspg_execute(&insert, values, nulls, false);
	if (SPI_processed != 1)
		fail_on_name(text_of(&args[ARG_NAME]));
	SPI_finish();
}

/*
 * In SPI: the model, for its owner, with its row locked, and what it is as the
 * arguments that made it.  The lock waits for trainings that store a version.
 */
static RspgRegistryRow *
read_definition(const char *name, NullableDatum *args)
{
	static RspgStatement lock = {
		"SELECT name, " DEFINITION
		" FROM recsys.model_registry WHERE id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
		1,
		{INT8OID},
		NULL};
	RspgRegistryRow *row = rspg_registry_find_latest(name);
	Datum id = Int64GetDatum(row->id);
	int i;

	rspg_require_owner(row);
	rspg_require_right(ACL_UPDATE, ACL_NO_RIGHTS, "alter a model");
	rspg_execute(&lock, &id, NULL, false);
	if (SPI_processed != 1)
		rspg_registry_fail_gone(row);
	for (i = 0; i < ARG_COUNT; i++)
		args[i].value =
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &args[i].isnull);
	row->name = text_of(&args[ARG_NAME]); /* another may have waited for us, or we for them */
	return row;
}

static void
reset(NullableDatum *args, ArrayType *names)
{
	Datum *name;
	bool *null;
	int n;
	int i;
	int arg;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &name, &null, &n);
	for (i = 0; i < n; i++)
	{
		char *wanted = null[i] ? pstrdup("") : TextDatumGetCString(name[i]);

		for (arg = 0; arg < ARG_COUNT; arg++)
			if (defaults[arg].value != NULL && strcmp(defaults[arg].name, wanted) == 0)
				break;
		if (arg == ARG_COUNT)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"%s\" cannot be reset", wanted),
							errhint("Reset one of the arguments of recsys.create_model() that have "
									"a default.")));
		set_default(args, arg);
	}
}

static void
set_default(NullableDatum *args, int arg)
{
	Oid input;
	Oid parameter;

	args[arg].isnull = defaults[arg].value[0] == '\0';
	if (args[arg].isnull)
		return;
	getTypeInputInfo(defaults[arg].type, &input, &parameter);
	args[arg].value = OidInputFunctionCall(input, pstrdup(defaults[arg].value), parameter, -1);
}

/*
 * As for any object: who gives it away could become the new owner, who reads what
 * the model is made from.
 */
static void
check_new_owner(Oid owner, const NullableDatum *args)
{
	static const int relations[] = {ARG_SOURCE, ARG_USERS, ARG_ITEMS};
	int i;

	rspg_check_new_owner(owner);
	for (i = 0; i < lengthof(relations); i++)
	{
		const NullableDatum *relation = &args[relations[i]];

		if (!relation->isnull && get_rel_name(DatumGetObjectId(relation->value)) != NULL)
			rspg_check_right(DatumGetObjectId(relation->value), owner, ACL_SELECT);
	}
}

/* A name may be taken by a model that the caller does not see. */
static void
update_row(int64 id, const NullableDatum *args, const char *name, Oid owner)
{
	static RspgStatement update = {"UPDATE recsys.model_registry SET (name, " DEFINITION
								   ", owner) = ($1, $2, $3, $4, $5, $6, "
								   "$7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) WHERE "
								   "id OPERATOR(pg_catalog.=) $19",
								   ARG_COUNT + 2,
								   {DEFINITION_TYPES, REGROLEOID, INT8OID},
								   NULL};
	Datum values[ARG_COUNT + 2];
	char nulls[ARG_COUNT + 3];

	fill(values, nulls, args, ARG_COUNT + 2);
	values[ARG_NAME] = CStringGetTextDatum(name);
	values[ARG_COUNT] = ObjectIdGetDatum(owner);
	values[ARG_COUNT + 1] = Int64GetDatum(id);
	PG_TRY();
	{
		rspg_execute(&update, values, nulls, false);
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_UNIQUE_VIOLATION)
			PG_RE_THROW();
		FlushErrorState();
		fail_on_name(name);
	}
	PG_END_TRY();
}
