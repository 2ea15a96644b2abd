/*
 * check.c
 *		What several functions check of their arguments.
 */
#include "pg/base/check.h"

#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

TriggerData *
rspg_trigger(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be called by a trigger")));
	return (TriggerData *) fcinfo->context;
}

void
rspg_check_name(const char *name, const char *what)
{
	Size length = strlen(name);

	if (length < 1 || length >= NAMEDATALEN)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME),
						errmsg("name of %s must have 1 to %d bytes", what, NAMEDATALEN - 1),
						errdetail("It has %zu.", length)));
}

void
rspg_check_new_owner(Oid owner)
{
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role %u does not exist", owner)));
#if PG_VERSION_NUM >= 160000
	check_can_set_role(GetUserId(), owner);
#else
	check_is_member_of_role(GetUserId(), owner);
#endif
}

bool
rspg_has_right(Oid relation, Oid role, AclMode right)
{
	return pg_class_aclcheck(relation, role, right) == ACLCHECK_OK ||
		   pg_attribute_aclcheck_all(relation, role, right, ACLMASK_ANY) == ACLCHECK_OK;
}

void
rspg_check_right(Oid relation, Oid role, AclMode right)
{
	if (!rspg_has_right(relation, role, right))
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relation)),
					   get_rel_name(relation));
}

void
rspg_require_grant(const char *table, AclMode right, const char *action, const char *grant)
{
	Oid relation = get_relname_relid(table, get_namespace_oid("recsys", false));

	if (!rspg_has_right(relation, GetUserId(), right))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied to %s", action),
				 errhint("A superuser gives the right: GRANT %s TO %s;", grant,
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}
