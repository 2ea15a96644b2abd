/*
 * owner.c
 *		Owners of models and streams, as PostgreSQL has them for its own objects:
 *		there is one, and it cannot be dropped.
 *
 * That they own something is noted of them (role_note.h); the note goes with the last
 * thing that they own.
 */
#include "pg/base/rspg.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/base/check.h"
#include "pg/base/role.h"
#include "pg/base/role_note.h"
#include "pg/base/spi.h"

static void forget(Oid owner);
static uint64 find_owned(Oid owner);
static void fail_if_owner(Oid role);
static void take_readers(Oid role);

PG_FUNCTION_INFO_V1(recsys_ownerfn);
PG_FUNCTION_INFO_V1(recsys_owner_leftfn);
PG_FUNCTION_INFO_V1(recsys_drop_ownedfn);

/*
 * Trigger before a row is written: an owner that is no role, for a dump names one
 * that is not here, becomes the current user.
 */
Datum
recsys_ownerfn(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rspg_trigger(fcinfo);
	HeapTuple row;
	TupleDesc desc;
	int column;
	Datum owner;
	bool null;

	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	desc = RelationGetDescr(trigger->tg_relation);
	column = SPI_fnumber(desc, "owner");
	owner = SPI_getbinval(row, desc, column, &null);
	if (null)
		return PointerGetDatum(row); /* an error soon */
	if (GetUserNameFromId(DatumGetObjectId(owner), true) == NULL)
	{
		owner = ObjectIdGetDatum(GetUserId());
		row = heap_modify_tuple_by_cols(row, desc, 1, &column, &owner, &null);
	}
	rspg_note_role(RelationGetRelid(trigger->tg_relation), "owner", DatumGetObjectId(owner));
	return PointerGetDatum(row);
}

/*
 * Trigger after a row is deleted or given away: nothing may be left of the old
 * owner's.
 */
Datum
recsys_owner_leftfn(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rspg_trigger(fcinfo);
	RspgRole caller;
	Datum owner;
	bool null;

	owner = SPI_getbinval(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation),
						  SPI_fnumber(RelationGetDescr(trigger->tg_relation), "owner"), &null);
	if (!rspg_role_may_be_forgotten(DatumGetObjectId(owner)))
		return PointerGetDatum(NULL);
	caller = rspg_role_begin(BOOTSTRAP_SUPERUSERID); /* sees the rows of all */
	SPI_connect();
	if (find_owned(DatumGetObjectId(owner)) == 0)
		forget(DatumGetObjectId(owner));
	SPI_finish();
	rspg_role_end(caller);
	return PointerGetDatum(NULL);
}

static void
forget(Oid owner)
{
	Oid schema = get_namespace_oid("recsys", false);

	rspg_forget_role(get_relname_relid("model_registry", schema), "owner", owner);
	rspg_forget_role(get_relname_relid("stream", schema), "owner", owner);
}

/*
 * Event trigger at the end of DROP OWNED, which takes rights: those to read models
 * too.  REASSIGN OWNED has no such triggers, so
 * models are not reassigned by it: it would be wrong to drop them here.
 */
Datum
recsys_drop_ownedfn(PG_FUNCTION_ARGS)
{
	EventTriggerData *trigger = (EventTriggerData *) fcinfo->context;
	RspgRole caller;
	ListCell *cell;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be called by an event trigger")));
	if (!IsA(trigger->parsetree, DropOwnedStmt))
		PG_RETURN_NULL();
	/* row-level security hides the rows of others; ours are the statements that run */
	caller = rspg_role_begin(BOOTSTRAP_SUPERUSERID);
	SPI_connect();
	foreach (cell, ((DropOwnedStmt *) trigger->parsetree)->roles)
	{
		fail_if_owner(get_rolespec_oid(lfirst(cell), false));
		take_readers(get_rolespec_oid(lfirst(cell), false));
	}
	SPI_finish();
	rspg_role_end(caller);
	PG_RETURN_NULL();
}

/* In SPI, as superuser: kind and name of what a role owns. */
static uint64
find_owned(Oid owner)
{
	static RspgStatement owned = {
		"SELECT 'model', name FROM recsys.model_registry WHERE owner OPERATOR(pg_catalog.=) $1 "
		"UNION ALL "
		"SELECT 'stream', name FROM recsys.stream WHERE owner OPERATOR(pg_catalog.=) $1 ORDER BY "
		"1, 2",
		1,
		{OIDOID},
		NULL};
	Datum value = ObjectIdGetDatum(owner);

	rspg_execute(&owned, &value, NULL, false);
	return SPI_processed;
}

/* In SPI, as superuser; who owns nothing has no note any more either. */
static void
fail_if_owner(Oid role)
{
	char *kind;

	if (find_owned(role) > 0)
	{
		kind = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("role \"%s\" owns %s \"%s\"", GetUserNameFromId(role, false), kind,
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)),
				 errdetail("Models and streams are neither reassigned by REASSIGN OWNED nor "
						   "dropped by DROP OWNED."),
				 strcmp(kind, "model") == 0
					 ? errhint("Use recsys.alter_model(owner => …) or recsys.drop_model() first.")
					 : errhint("Use recsys.drop_stream() first.")));
	}
	forget(role);
}

/* In SPI, as superuser; PostgreSQL has taken the note already. */
static void
take_readers(Oid role)
{
	static RspgStatement take = {
		"UPDATE recsys.model_registry SET readers = NULLIF(pg_catalog.array_remove("
		"readers::pg_catalog.oid[], $1), '{}')::pg_catalog.regrole[]::recsys_support.role[] "
		"WHERE $1 OPERATOR(pg_catalog.=) ANY (readers::pg_catalog.oid[])",
		1,
		{OIDOID},
		NULL};
	Datum value = ObjectIdGetDatum(role);

	rspg_execute(&take, &value, NULL, false);
}
