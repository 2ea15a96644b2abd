/*
 * stream_define.c
 *		create_stream() and alter_stream(): check all that can be checked without
 *		the broker, then write the row.
 *
 * All of it is plain SQL as the caller on recsys.stream: grants on it and its
 * row-level security decide who may do what.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "pg/base/check.h"
#include "pg/base/jsonb_read.h"
#include "pg/base/spi.h"
#include "pg/host/jobs.h"
#include "pg/stream/definition/brokers.h"
#include "pg/stream/definition/stream_options.h"
#include "pg/stream/sql/stream_check.h"
#include "pg/stream/sql/stream_lock.h"
#include "pg/stream/write/transform.h"

/* arguments of create_stream and alter_stream, in order */
enum
{
	ARG_NAME,
	ARG_BROKERS,
	ARG_TOPIC,
	ARG_TARGET,
	ARG_MAPPING,
	ARG_OPTIONS,
	ARG_COUNT,
	ARG_OWNER = ARG_COUNT /* of alter_stream alone */
};

static void warn_if_unlogged(Oid target);
static Datum settled_options(Datum options);
static void check_names(Datum options, int64 stream);
static void check_new_owner(Oid owner, Oid old);
static void forget_topic(const RspgStreamRow *row, const char *name);
static void warn_unless_followed(void);

PG_FUNCTION_INFO_V1(recsys_create_stream);
PG_FUNCTION_INFO_V1(recsys_alter_stream);

/* An argument of type jsonb; a JSON null is as good as none */
static bool
is_null(FunctionCallInfo fcinfo, int arg)
{
	Jsonb *json;

	if (PG_ARGISNULL(arg))
		return true;
	if (arg < ARG_MAPPING)
		return false;
	json = PG_GETARG_JSONB_P(arg);
	return JB_ROOT_IS_SCALAR(json) &&
		   getIthJsonbValueFromContainer(&json->root, 0)->type == jbvNull;
}

/*
 * recsys.create_stream(name, brokers, topic, target, mapping, options)
 */
Datum
recsys_create_stream(PG_FUNCTION_ARGS)
{
	static RspgStatement insert = {
		"INSERT INTO recsys.stream (name, brokers, topic, target, mapping, options, owner, "
		"system_id, database_id) VALUES ($1, $2, $3, $4, $5, pg_catalog.jsonb_strip_nulls($6), "
		"$7, $8, $9) ON CONFLICT (name) DO NOTHING",
		ARG_COUNT + 3,
		{TEXTOID, TEXTOID, TEXTOID, REGCLASSOID, JSONBOID, JSONBOID, REGROLEOID, INT8OID, OIDOID},
		NULL};
	static const char *const required[] = {"name", "brokers", "topic", "target"};
	Datum values[ARG_COUNT + 3];
	char nulls[ARG_COUNT + 4] = "         ";
	char *name;
	int i;

	for (i = 0; i < lengthof(required); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
							errmsg("%s must not be null", required[i])));
	rspg_require_grant("stream", ACL_INSERT, "create a stream", "INSERT ON recsys.stream");
	name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME));
	rspg_check_name(name, "a stream");
	for (i = 0; i < ARG_COUNT; i++)
		values[i] = PG_GETARG_DATUM(i);
	values[ARG_BROKERS] = CStringGetTextDatum(
		rspg_brokers_normalize(text_to_cstring(PG_GETARG_TEXT_PP(ARG_BROKERS))));
	if (is_null(fcinfo, ARG_MAPPING))
		nulls[ARG_MAPPING] = 'n';
	values[ARG_OPTIONS] = is_null(fcinfo, ARG_OPTIONS)
							  ? DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"))
							  : settled_options(PG_GETARG_DATUM(ARG_OPTIONS));
	values[ARG_COUNT] = ObjectIdGetDatum(GetUserId());
	values[ARG_COUNT + 1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[ARG_COUNT + 2] = ObjectIdGetDatum(MyDatabaseId);
	SPI_connect();
	check_names(values[ARG_OPTIONS], 0);
	rspg_execute(&insert, values, nulls, false);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("stream \"%s\" already exists", name)));
	rspg_stream_validate(name);
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	warn_if_unlogged(PG_GETARG_OID(ARG_TARGET));
	warn_unless_followed();
	PG_RETURN_VOID();
}

/*
 * recsys.alter_stream(name, brokers, topic, target, mapping, options, owner): null
 * leaves a thing as it is
 */
Datum
recsys_alter_stream(PG_FUNCTION_ARGS)
{
	static RspgStatement update = {
		"UPDATE recsys.stream SET "
		"brokers = COALESCE($2, brokers), topic = COALESCE($3, topic), "
		"target = COALESCE($4, target::pg_catalog.regclass), mapping = CASE WHEN $7 THEN $5 ELSE "
		"mapping END, "
		"options = pg_catalog.jsonb_strip_nulls(options OPERATOR(pg_catalog.||) "
		"COALESCE($6, '{}')), owner = COALESCE($8, owner::pg_catalog.regrole), "
		"generation = generation OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) $1",
		ARG_COUNT + 2,
		{INT8OID, TEXTOID, TEXTOID, REGCLASSOID, JSONBOID, JSONBOID, BOOLOID, REGROLEOID},
		NULL};
	Datum values[ARG_COUNT + 2];
	char nulls[ARG_COUNT + 3] = "        ";
	RspgStreamRow row;
	char *name;
	int i;

	if (PG_ARGISNULL(ARG_NAME))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("name must not be null")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME));
	for (i = ARG_BROKERS; i < ARG_COUNT; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = is_null(fcinfo, i) ? 'n' : ' ';
	}
	if (nulls[ARG_BROKERS] == ' ')
		values[ARG_BROKERS] = CStringGetTextDatum(
			rspg_brokers_normalize(text_to_cstring(PG_GETARG_TEXT_PP(ARG_BROKERS))));
	if (nulls[ARG_OPTIONS] == ' ')
		values[ARG_OPTIONS] = settled_options(values[ARG_OPTIONS]);
	SPI_connect();
	row = rspg_stream_lock(name);
	values[ARG_NAME] = Int64GetDatum(row.id);
	values[ARG_COUNT] = BoolGetDatum(!PG_ARGISNULL(ARG_MAPPING));
	values[ARG_COUNT + 1] = PG_GETARG_DATUM(ARG_OWNER);
	nulls[ARG_COUNT + 1] = PG_ARGISNULL(ARG_OWNER) ? 'n' : ' ';
	if (!PG_ARGISNULL(ARG_OWNER))
		check_new_owner(PG_GETARG_OID(ARG_OWNER), row.owner);
	if (nulls[ARG_OPTIONS] == ' ')
		check_names(values[ARG_OPTIONS], row.id);
	rspg_execute(&update, values, nulls, false);
	if (nulls[ARG_TOPIC] == ' ' &&
		strcmp(row.topic, text_to_cstring(PG_GETARG_TEXT_PP(ARG_TOPIC))) != 0)
		forget_topic(&row, name);
	rspg_stream_validate(name);
	if (nulls[ARG_TARGET] == ' ')
		warn_if_unlogged(PG_GETARG_OID(ARG_TARGET));
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}

/*
 * Nulls are stripped before the options are checked: look at their names here.
 */
static void
check_names(Datum options, int64 stream)
{
	static RspgStatement statement = {
		"SELECT options FROM recsys.stream WHERE id OPERATOR(pg_catalog.=) $1", 1, {INT8OID}, NULL};
	Datum id = Int64GetDatum(stream);
	Datum stored = (Datum) 0;
	bool null = true;

	if (!JB_ROOT_IS_OBJECT(DatumGetJsonbP(options)))
		return; /* an error later */
	rspg_execute(&statement, &id, NULL, true);
	if (SPI_processed == 1)
		stored = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	rspg_stream_option_names(DatumGetJsonbP(options), null ? NULL : DatumGetJsonbP(stored));
}

/*
 * Who takes a stream could have created it.
 */
static void
check_new_owner(Oid owner, Oid old)
{
	if (owner == old)
		return;
	rspg_check_new_owner(owner);
	rspg_check_right(get_relname_relid("stream", get_namespace_oid("recsys", false)), owner,
					 ACL_INSERT);
}

/*
 * Another topic: offsets mean nothing there.  Nor do those of dead letters, but
 * they are messages that somebody may want.
 */
static void
forget_topic(const RspgStreamRow *row, const char *name)
{
	static RspgStatement dead = {
		"SELECT FROM recsys.dead_letter WHERE stream_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
		1,
		{INT8OID},
		NULL};
	static RspgStatement offsets = {
		"DELETE FROM recsys.stream_offset WHERE stream_id OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	static RspgStatement stream = {"UPDATE recsys.stream SET seek_to = NULL, cluster_id = NULL "
								   "WHERE id OPERATOR(pg_catalog.=) $1",
								   1,
								   {INT8OID},
								   NULL};
	Datum id = Int64GetDatum(row->id);

	rspg_execute(&dead, &id, NULL, false);
	if (SPI_processed > 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("stream \"%s\" has dead letters of topic \"%s\"", name, row->topic),
						errhint("Retry them or delete them first, or create another stream.")));
	rspg_execute(&offsets, &id, NULL, false);
	rspg_execute(&stream, &id, NULL, false);
}

/* The writer checks the target, with the owner's rights; this is no error. */
static void
warn_if_unlogged(Oid target)
{
	if (get_rel_persistence(target) == RELPERSISTENCE_UNLOGGED)
		ereport(WARNING,
				(errmsg("target \"%s\" is an unlogged table", get_rel_name(target)),
				 errdetail("A crash empties it; the stream goes on behind what was lost.")));
}

/* Give an option that is a text another one. */
static Datum
settle(Datum options, const char *name, char *(*settled)(const char *) )
{
	JsonbValue *value = rspg_jsonb_member(&DatumGetJsonbP(options)->root, name);
	char *text = value != NULL ? rspg_jsonb_string(value) : NULL;
	StringInfoData json;

	if (text == NULL || text[0] == '\0')
		return options; /* none, or an error later */
	initStringInfo(&json);
	appendStringInfo(&json, "{\"%s\": ", name);
	escape_json(&json, settled(text));
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall2(jsonb_concat, options,
							   DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

/*
 * What means one thing in this session and may mean another in the worker, whose
 * time zone and search_path are others: option start in UTC, for "yesterday"
 * would move, and the transform with its schema.
 */
static Datum
settled_options(Datum options)
{
	if (!JB_ROOT_IS_OBJECT(DatumGetJsonbP(options)))
		return options; /* an error later */
	options = settle(options, "start", rspg_stream_start_utc);
	return settle(options, "transform", rspg_transform_name);
}

/* The row is right, and yet no worker will come. */
static void
warn_unless_followed(void)
{
	const char *database;

	if (rspg_host == NULL)
	{
		ereport(WARNING,
				(errmsg("no worker will read the stream"),
				 errdetail("The server was started without the library of recsys."),
				 errhint("Add recsys to shared_preload_libraries and restart the server.")));
		return;
	}
	database = get_database_name(MyDatabaseId);
	if (!rspg_jobs_database_allowed(database))
		ereport(WARNING, (errmsg("no worker will read the stream"),
						  errdetail("Database \"%s\" is not one of recsys.databases.", database),
						  errhint("A superuser adds it and reloads the configuration.")));
}
