/*
 * owner.c
 *		Owners of models and streams, as PostgreSQL has them for its own objects:
 *		there is one, and it cannot be dropped.
 *
 * PostgreSQL has no dependencies of rows.  What an owner owns is noted in
 * pg_shdepend as if they had been granted a right on the column "owner" of its table,
 * so that DROP ROLE names it; the note stays until DROP OWNED, like a right.  REVOKE
 * of the rights on the table that they may really have does not touch it.
 */
#include "pg/base/rspg.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/base/role.h"
#include "pg/base/spi.h"

static void note(Oid table, Oid table_owner, Oid owner, bool owns);
static void fail_if_owner(Oid role);

PG_FUNCTION_INFO_V1(recsys_ownerfn);
PG_FUNCTION_INFO_V1(recsys_drop_ownedfn);

/*
 * Trigger before a row is written: an owner that is no role, for a dump names one
 * that is not here, becomes the current user.
 */
Datum
recsys_ownerfn(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple row;
	TupleDesc desc;
	int column;
	Datum owner;
	bool null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be called by a trigger")));
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
	note(RelationGetRelid(trigger->tg_relation), trigger->tg_relation->rd_rel->relowner,
		 DatumGetObjectId(owner), false); /* once, however many rows */
	note(RelationGetRelid(trigger->tg_relation), trigger->tg_relation->rd_rel->relowner,
		 DatumGetObjectId(owner), true);
	return PointerGetDatum(row);
}

static void
note(Oid table, Oid table_owner, Oid owner, bool owns)
{
	Oid *members = palloc(sizeof(Oid)); /* freed by whom it is given to */

	*members = owner;
	updateAclDependencies(RelationRelationId, table, get_attnum(table, "owner"), table_owner,
						  owns ? 0 : 1, owns ? NULL : members, owns ? 1 : 0, owns ? members : NULL);
}

/*
 * Event trigger at the end of DROP OWNED.  REASSIGN OWNED has no such triggers, so
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
		fail_if_owner(get_rolespec_oid(lfirst(cell), false));
	SPI_finish();
	rspg_role_end(caller);
	PG_RETURN_NULL();
}

/* In SPI, as superuser; who owns nothing has no note any more either. */
static void
fail_if_owner(Oid role)
{
	static RspgStatement owned = {
		"SELECT 'model', name FROM recsys.model_registry WHERE owner OPERATOR(pg_catalog.=) $1 "
		"UNION ALL "
		"SELECT 'stream', name FROM recsys.stream WHERE owner OPERATOR(pg_catalog.=) $1 ORDER BY "
		"1, 2",
		1,
		{OIDOID},
		NULL};
	Datum value = ObjectIdGetDatum(role);
	Oid schema = get_namespace_oid("recsys", false);
	char *kind;

	rspg_execute(&owned, &value, NULL, false);
	if (SPI_processed > 0)
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
	note(get_relname_relid("model_registry", schema), BOOTSTRAP_SUPERUSERID, role, false);
	note(get_relname_relid("stream", schema), BOOTSTRAP_SUPERUSERID, role, false);
}
