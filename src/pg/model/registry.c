/*
 * registry.c
 *		Registered models: find, create, deploy, drop.
 *
 * All of it is plain SQL as the caller on recsys.model_registry and its two
 * companions: grants on those tables and their row-level security decide who
 * may do what.
 */
#include "pg/model/registry.h"

#include "access/htup_details.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/base/check.h"
#include "pg/base/guc.h"
#include "pg/base/rspg.h"
#include "pg/base/spi.h"

#define COLUMNS                                                                                    \
	"id, name, owner, source, algorithm, options, user_column, item_column, weight_column, "       \
	"event_column, event_weights, time_column, half_life, live_version, live_key, "                \
	"users, features, items, exclude_events, exclude_for, history_limit"

static RspgRegistryRow *find(const char *name, bool read_only, bool missing_ok);
static void find_default(bool read_only);
static RspgRegistryRow *row_from_tuple(HeapTuple tuple, TupleDesc desc, MemoryContext mcxt);
static void fail_unknown(const char *name);
static void fail_unknown_version(const char *name, int32 version);

PG_FUNCTION_INFO_V1(recsys_deploy);
PG_FUNCTION_INFO_V1(recsys_drop_model);
PG_FUNCTION_INFO_V1(recsys_drop_version);

RspgRegistryRow *
rspg_registry_find(const char *name)
{
	return find(name, true, false);
}

RspgRegistryRow *
rspg_registry_find_latest(const char *name)
{
	return find(name, false, false);
}

/*
 * read_only: by the snapshot of the calling query; else by a new one, which
 * sees what this very command wrote.  missing_ok: NULL where there is no model of
 * that name.
 */
static RspgRegistryRow *
find(const char *name, bool read_only, bool missing_ok)
{
	static RspgStatement by_name = {
		"SELECT " COLUMNS " FROM recsys.model_registry WHERE name OPERATOR(pg_catalog.=) $1",
		1,
		{TEXTOID},
		NULL};
	MemoryContext caller = CurrentMemoryContext;
	RspgRegistryRow *row;
	Datum value;

	if (name == NULL && recsys_model != NULL && recsys_model[0] != '\0')
		name = recsys_model;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (name != NULL)
	{
		value = CStringGetTextDatum(name);
		rspg_execute(&by_name, &value, NULL, read_only);
		if (SPI_processed == 0 && missing_ok)
		{
			SPI_finish();
			return NULL;
		}
		if (SPI_processed == 0)
			fail_unknown(name);
	}
	else
		find_default(read_only);
	row = row_from_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, caller);
	SPI_finish();
	return row;
}

/*
 * In SPI: the only model that the caller owns, or where they own none, the only
 * one of the database's owner.  Models of others, which anybody may let them see,
 * neither hide it nor take its place.
 */
static void
find_default(bool read_only)
{
	static RspgStatement owned = {
		"SELECT " COLUMNS
		" FROM recsys.model_registry WHERE owner OPERATOR(pg_catalog.=) $1 ORDER BY id LIMIT 2",
		1,
		{OIDOID},
		NULL};
	Datum owner = ObjectIdGetDatum(GetUserId());
	HeapTuple database;

	rspg_execute(&owned, &owner, NULL, read_only);
	if (SPI_processed == 0)
	{
		database = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
		owner = ObjectIdGetDatum(((Form_pg_database) GETSTRUCT(database))->datdba);
		ReleaseSysCache(database);
		rspg_execute(&owned, &owner, NULL, read_only);
	}
	if (SPI_processed == 0)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no default model"),
						errdetail("Neither you nor the database's owner has one that you may use."),
						errhint("Name the model, set recsys.model to its name, or create one with "
								"recsys.create_model().")));
	if (SPI_processed > 1)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is more than one model"),
						errdetail("Owner is role \"%s\".",
								  GetUserNameFromId(DatumGetObjectId(owner), false)),
						errhint("Name the model, or set recsys.model to its name.")));
}

static void
fail_unknown(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("model \"%s\" does not exist", name),
					errhint("SELECT * FROM recsys.models shows those that you may use.")));
}

static void
fail_unknown_version(const char *name, int32 version)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
					errmsg("model \"%s\" has no version %d", name, version),
					errhint("SELECT * FROM recsys.model_versions shows what there is.")));
}

void
rspg_registry_choose_version(RspgRegistryRow *row, int32 version)
{
	static RspgStatement find_key = {
		"SELECT key FROM recsys.model_version WHERE model_id OPERATOR(pg_catalog.=) $1 "
		"AND version OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	Datum values[2] = {Int64GetDatum(row->id), Int32GetDatum(version)};
	bool null;

	SPI_connect();
	rspg_execute(&find_key, values, NULL, true);
	if (SPI_processed != 1)
		fail_unknown_version(row->name, version);
	row->live_key =
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	row->live_version = version;
	SPI_finish();
}

static char *
text_column(HeapTuple tuple, TupleDesc desc, int column, MemoryContext mcxt)
{
	char *text = SPI_getvalue(tuple, desc, column);

	return text != NULL ? MemoryContextStrdup(mcxt, text) : NULL;
}

static Datum
copied_column(HeapTuple tuple, TupleDesc desc, int column, MemoryContext mcxt, Size fixed)
{
	bool null;
	Datum value = SPI_getbinval(tuple, desc, column, &null);
	struct varlena *from;
	Size size;
	void *copy;

	if (null)
		return PointerGetDatum(NULL);
	if (fixed == 0)
	{
		from = PG_DETOAST_DATUM(value);
		size = VARSIZE(from);
	}
	else
	{
		from = (struct varlena *) DatumGetPointer(value);
		size = fixed;
	}
	copy = MemoryContextAlloc(mcxt, size);
	memcpy(copy, from, size);
	return PointerGetDatum(copy);
}

static RspgRegistryRow *
row_from_tuple(HeapTuple tuple, TupleDesc desc, MemoryContext mcxt)
{
	RspgRegistryRow *row = MemoryContextAllocZero(mcxt, sizeof(RspgRegistryRow));
	bool null;
	Datum value;

	row->id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &null));
	row->name = text_column(tuple, desc, 2, mcxt);
	row->owner = DatumGetObjectId(SPI_getbinval(tuple, desc, 3, &null));
	value = SPI_getbinval(tuple, desc, 4, &null);
	row->source = null ? InvalidOid : DatumGetObjectId(value);
	row->algorithm = text_column(tuple, desc, 5, mcxt);
	row->options = (Jsonb *) DatumGetPointer(copied_column(tuple, desc, 6, mcxt, 0));
	row->user_column = text_column(tuple, desc, 7, mcxt);
	row->item_column = text_column(tuple, desc, 8, mcxt);
	row->weight_column = text_column(tuple, desc, 9, mcxt);
	row->event_column = text_column(tuple, desc, 10, mcxt);
	row->event_weights = (Jsonb *) DatumGetPointer(copied_column(tuple, desc, 11, mcxt, 0));
	row->time_column = text_column(tuple, desc, 12, mcxt);
	row->half_life =
		(Interval *) DatumGetPointer(copied_column(tuple, desc, 13, mcxt, sizeof(Interval)));
	value = SPI_getbinval(tuple, desc, 14, &null);
	row->live_version = null ? 0 : DatumGetInt32(value);
	value = SPI_getbinval(tuple, desc, 15, &null);
	row->live_key = null ? 0 : DatumGetInt64(value);
	value = SPI_getbinval(tuple, desc, 16, &null);
	row->users = null ? InvalidOid : DatumGetObjectId(value);
	row->features = (Jsonb *) DatumGetPointer(copied_column(tuple, desc, 17, mcxt, 0));
	value = SPI_getbinval(tuple, desc, 18, &null);
	row->items = null ? InvalidOid : DatumGetObjectId(value);
	row->exclude_events = (ArrayType *) DatumGetPointer(copied_column(tuple, desc, 19, mcxt, 0));
	row->exclude_for =
		(Interval *) DatumGetPointer(copied_column(tuple, desc, 20, mcxt, sizeof(Interval)));
	value = SPI_getbinval(tuple, desc, 21, &null);
	row->history_limit = null ? 0 : DatumGetInt32(value);
	return row;
}

void
rspg_require_live(const RspgRegistryRow *row)
{
	if (row->live_version == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no live version", row->name),
						errhint("Train it with recsys.train(%s).", quote_literal_cstr(row->name))));
}

void
rspg_require_right(AclMode models, AclMode versions, const char *action)
{
	const char *grant = "INSERT, UPDATE, DELETE ON recsys.model_registry, recsys.model_version, "
						"recsys.model_chunk";

	if (models != ACL_NO_RIGHTS)
		rspg_require_grant("model_registry", models, action, grant);
	if (versions != ACL_NO_RIGHTS)
	{
		rspg_require_grant("model_version", versions, action, grant);
		rspg_require_grant("model_chunk", versions, action, grant);
	}
}

void
rspg_require_owner(const RspgRegistryRow *row)
{
	if (!has_privs_of_role(GetUserId(), row->owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of model \"%s\"", row->name)));
}

void
rspg_registry_lock(const RspgRegistryRow *row)
{
	static RspgStatement lock = {
		"SELECT FROM recsys.model_registry WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
		1,
		{INT8OID},
		NULL};
	Datum id = Int64GetDatum(row->id);

	rspg_execute(&lock, &id, NULL, false);
	if (SPI_processed != 1)
		rspg_registry_fail_gone(row);
}

void
rspg_registry_fail_gone(const RspgRegistryRow *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" was dropped or given to another owner meanwhile", row->name)));
}

/*
 * recsys.deploy(model, version)
 */
Datum
recsys_deploy(PG_FUNCTION_ARGS)
{
	static RspgStatement deploy = {
		"UPDATE recsys.model_registry r SET live_version = v.version, live_key = v.key "
		"FROM recsys.model_version v WHERE r.id OPERATOR(pg_catalog.=) $1 "
		"AND v.model_id OPERATOR(pg_catalog.=) r.id AND v.version OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	RspgRegistryRow *row = rspg_registry_find_latest(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int32 version = PG_GETARG_INT32(1);
	Datum values[2] = {Int64GetDatum(row->id), Int32GetDatum(version)};

	rspg_require_owner(row);
	rspg_require_right(ACL_UPDATE, ACL_NO_RIGHTS, "deploy a model");
	SPI_connect();
	rspg_registry_lock(row); /* the version is looked for when nobody can drop it */
	rspg_execute(&deploy, values, NULL, false);
	if (SPI_processed != 1)
		fail_unknown_version(row->name, version);
	SPI_finish();
	PG_RETURN_VOID();
}

static void
tell_skipped(const char *name)
{
	ereport(NOTICE, (errmsg("model \"%s\" does not exist, skipping", name)));
}

/*
 * recsys.drop_model(model, if_exists)
 */
Datum
recsys_drop_model(PG_FUNCTION_ARGS)
{
	/* its versions go with it, by a trigger; waits for trainings that store one */
	static RspgStatement drop = {
		"DELETE FROM recsys.model_registry WHERE id OPERATOR(pg_catalog.=) $1", 1, {INT8OID}, NULL};
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	bool if_exists = PG_GETARG_BOOL(1);
	RspgRegistryRow *row = find(name, false, if_exists);
	Datum value;

	if (row == NULL)
	{
		tell_skipped(name);
		PG_RETURN_VOID();
	}
	rspg_require_owner(row);
	rspg_require_right(ACL_DELETE, ACL_DELETE, "drop a model");
	value = Int64GetDatum(row->id);
	SPI_connect();
	rspg_execute(&drop, &value, NULL, false);
	if (SPI_processed != 1 && !if_exists)
		rspg_registry_fail_gone(row);
	if (SPI_processed != 1)
		tell_skipped(name);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * recsys.drop_version(model, version)
 */
Datum
recsys_drop_version(PG_FUNCTION_ARGS)
{
	/* changes nothing, but a deploy whose snapshot is older fails instead of making
	 * live what is gone */
	static RspgStatement touch = {"UPDATE recsys.model_registry SET live_version = live_version "
								  "WHERE id OPERATOR(pg_catalog.=) $1 RETURNING live_version",
								  1,
								  {INT8OID},
								  NULL};
	/* its bytes go with it, by a trigger */
	static RspgStatement drop = {
		"DELETE FROM recsys.model_version WHERE model_id OPERATOR(pg_catalog.=) $1 "
		"AND version OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	RspgRegistryRow *row = rspg_registry_find_latest(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int32 version = PG_GETARG_INT32(1);
	Datum values[2] = {Int64GetDatum(row->id), Int32GetDatum(version)};
	Datum live;
	bool null;

	rspg_require_owner(row);
	rspg_require_right(ACL_UPDATE, ACL_DELETE, "drop a version");
	SPI_connect();
	rspg_execute(&touch, values, NULL, false);
	if (SPI_processed != 1)
		rspg_registry_fail_gone(row);
	live = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	if (!null && DatumGetInt32(live) == version)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("version %d of model \"%s\" is live", version, row->name),
				 errhint("Deploy another with recsys.deploy(), or use recsys.drop_model().")));
	rspg_execute(&drop, values, NULL, false);
	if (SPI_processed != 1)
		fail_unknown_version(row->name, version);
	SPI_finish();
	PG_RETURN_VOID();
}
