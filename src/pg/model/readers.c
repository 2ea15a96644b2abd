/*
 * readers.c
 *		Roles that were given the right to use a model, by recsys.grant_model(): a
 *		list in the model's row, in which null stands for everybody.
 *
 * It means what GRANT does: who may it says the list and row-level security by it,
 * members of a role have its right, DROP ROLE refuses while there is one, DROP OWNED
 * takes it, a dump has it by the role's name.
 */
#include "pg/base/rspg.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/base/check.h"
#include "pg/base/role.h"
#include "pg/base/role_note.h"
#include "pg/base/spi.h"
#include "pg/model/registry.h"

/* A list of readers taken apart. */
typedef struct Readers
{
	ArrayType *array; /* NULL: there is none */
	Datum *role;
	bool *null;
	int n;
} Readers;

static Readers readers_of(HeapTuple row, TupleDesc desc);
static bool has_reader(const Readers *readers, Oid role);
static HeapTuple note_readers(TriggerData *trigger);
static void release(Oid table, Oid role);
static void change(FunctionCallInfo fcinfo, RspgStatement *statement, const char *action);

PG_FUNCTION_INFO_V1(recsys_grant_model);
PG_FUNCTION_INFO_V1(recsys_revoke_model);
PG_FUNCTION_INFO_V1(recsys_readersfn);

/*
 * recsys.grant_model(model text, role name): "public" is everybody.
 */
Datum
recsys_grant_model(PG_FUNCTION_ARGS)
{
	static RspgStatement grant = {
		"UPDATE recsys.model_registry SET readers = pg_catalog.array_append("
		"pg_catalog.array_remove(readers::pg_catalog.oid[], $2), $2)"
		"::pg_catalog.regrole[]::recsys_support.role[] WHERE id OPERATOR(pg_catalog.=) $1",
		2,
		{INT8OID, OIDOID},
		NULL};

	change(fcinfo, &grant, "grant a model");
	PG_RETURN_VOID();
}

/*
 * recsys.revoke_model(model text, role name)
 */
Datum
recsys_revoke_model(PG_FUNCTION_ARGS)
{
	static RspgStatement revoke = {
		"UPDATE recsys.model_registry SET readers = NULLIF(pg_catalog.array_remove("
		"readers::pg_catalog.oid[], $2), '{}')::pg_catalog.regrole[]::recsys_support.role[] "
		"WHERE id OPERATOR(pg_catalog.=) $1",
		2,
		{INT8OID, OIDOID},
		NULL};

	change(fcinfo, &revoke, "revoke a model");
	PG_RETURN_VOID();
}

static void
change(FunctionCallInfo fcinfo, RspgStatement *statement, const char *action)
{
	RspgRegistryRow *row = rspg_registry_find_latest(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	Oid role = get_role_oid_or_public(NameStr(*PG_GETARG_NAME(1)));
	Datum values[2] = {Int64GetDatum(row->id), ObjectIdGetDatum(role)};

	rspg_require_owner(row);
	rspg_require_right(ACL_UPDATE, ACL_NO_RIGHTS, action);
	SPI_connect();
	rspg_execute(statement, values, role == ACL_ID_PUBLIC ? " n" : NULL, false);
	if (SPI_processed != 1)
		rspg_registry_fail_gone(row);
	SPI_finish();
}

static Readers
readers_of(HeapTuple row, TupleDesc desc)
{
	Readers readers = {0};
	bool null;
	Datum value = SPI_getbinval(row, desc, SPI_fnumber(desc, "readers"), &null);

	if (null)
		return readers;
	readers.array = DatumGetArrayTypeP(value);
	deconstruct_array(readers.array, ARR_ELEMTYPE(readers.array), sizeof(Oid), true, TYPALIGN_INT,
					  &readers.role, &readers.null, &readers.n);
	return readers;
}

static bool
has_reader(const Readers *readers, Oid role)
{
	int i;

	for (i = 0; i < readers->n; i++)
		if (!readers->null[i] && DatumGetObjectId(readers->role[i]) == role)
			return true;
	return false;
}

/*
 * Trigger.  Before a row is written its readers are noted, and made one plain list
 * without those that are no roles, for a dump names some that are not here; after it is changed or
 * deleted, notes of those that read nothing any more go.
 */
Datum
recsys_readersfn(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rspg_trigger(fcinfo);
	TupleDesc desc;
	Readers before;
	Readers after = {0};
	int i;

	if (TRIGGER_FIRED_BEFORE(trigger->tg_event))
		return PointerGetDatum(note_readers(trigger));
	desc = RelationGetDescr(trigger->tg_relation);
	before = readers_of(trigger->tg_trigtuple, desc);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		after = readers_of(trigger->tg_newtuple, desc);
	for (i = 0; i < before.n; i++)
		if (!before.null[i] && !has_reader(&after, DatumGetObjectId(before.role[i])))
			release(RelationGetRelid(trigger->tg_relation), DatumGetObjectId(before.role[i]));
	return PointerGetDatum(NULL);
}

static HeapTuple
note_readers(TriggerData *trigger)
{
	HeapTuple row =
		TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	TupleDesc desc = RelationGetDescr(trigger->tg_relation);
	int column = SPI_fnumber(desc, "readers");
	Readers readers = readers_of(row, desc);
	int lower = 1;
	int n = 0;
	bool none;
	Datum value;
	int i;

	if (readers.array == NULL)
		return row;
	for (i = 0; i < readers.n; i++)
	{
		Oid role = readers.null[i] ? InvalidOid : DatumGetObjectId(readers.role[i]);

		if (!readers.null[i] && GetUserNameFromId(role, true) == NULL)
			continue;
		if (!readers.null[i])
			rspg_note_role(RelationGetRelid(trigger->tg_relation), "readers", role);
		readers.role[n] = readers.role[i];
		readers.null[n++] = readers.null[i];
	}
	if (n == readers.n && ARR_NDIM(readers.array) <= 1)
		return row;
	none = n == 0;
	value = none ? (Datum) 0
				 : PointerGetDatum(construct_md_array(readers.role, readers.null, 1, &n, &lower,
													  ARR_ELEMTYPE(readers.array), sizeof(Oid),
													  true, TYPALIGN_INT));
	return heap_modify_tuple_by_cols(row, desc, 1, &column, &value, &none);
}

/*
 * Drop the note of a role, unless it reads another model, which need not be one that
 * the caller sees.
 */
static void
release(Oid table, Oid role)
{
	static RspgStatement find = {
		"SELECT FROM recsys.model_registry WHERE $1 OPERATOR(pg_catalog.=) "
		"ANY (readers::pg_catalog.oid[]) LIMIT 1",
		1,
		{OIDOID},
		NULL};
	Datum value = ObjectIdGetDatum(role);
	RspgRole caller;

	if (!rspg_role_may_be_forgotten(role))
		return;
	caller = rspg_role_begin(BOOTSTRAP_SUPERUSERID);
	SPI_connect();
	rspg_execute(&find, &value, NULL, false);
	if (SPI_processed == 0)
		rspg_forget_role(table, "readers", role);
	SPI_finish();
	rspg_role_end(caller);
}
