/*
 * role_note.c
 *		Notes of roles in pg_shdepend.
 */
#include "pg/base/role_note.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_shdepend.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

static bool lock_role(Oid role, LOCKMODE mode, bool wait);
static bool is_noted(Oid table, AttrNumber column, Oid role);
static void note(Oid table, AttrNumber column, Oid role, bool noted);

void
rspg_note_role(Oid table, const char *column, Oid role)
{
	AttrNumber attribute = get_attnum(table, column);

	(void) lock_role(role, AccessShareLock, true);
	if (!is_noted(table, attribute, role))
		note(table, attribute, role, true);
}

bool
rspg_role_may_be_forgotten(Oid role)
{
	return lock_role(role, AccessExclusiveLock, false);
}

void
rspg_forget_role(Oid table, const char *column, Oid role)
{
	note(table, get_attnum(table, column), role, false);
}

static bool
lock_role(Oid role, LOCKMODE mode, bool wait)
{
	LOCKTAG tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, AuthIdRelationId, role, 0);
	return LockAcquire(&tag, mode, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

static bool
is_noted(Oid table, AttrNumber column, Oid role)
{
	Relation depend = table_open(SharedDependRelationId, AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple tuple;
	bool found = false;

	ScanKeyInit(&key[0], Anum_pg_shdepend_dbid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(MyDatabaseId));
	ScanKeyInit(&key[1], Anum_pg_shdepend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[2], Anum_pg_shdepend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(table));
	scan = systable_beginscan(depend, SharedDependDependerIndexId, true, NULL, 3, key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_shdepend form = (Form_pg_shdepend) GETSTRUCT(tuple);

		found = form->objsubid == column && form->refclassid == AuthIdRelationId &&
				form->refobjid == role && form->deptype == SHARED_DEPENDENCY_ACL;
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
	return found;
}

static void
note(Oid table, AttrNumber column, Oid role, bool noted)
{
	Oid *members = palloc(sizeof(Oid)); /* freed by whom it is given to */

	*members = role;
	updateAclDependencies(RelationRelationId, table, column, InvalidOid, noted ? 0 : 1,
						  noted ? NULL : members, noted ? 1 : 0, noted ? members : NULL);
}
