/*
 * role.c
 *		What a role wrote runs with that role's rights.
 */
#include "pg/base/role.h"

#include "miscadmin.h"
#include "utils/guc.h"

RspgRole
rspg_role_begin(Oid role)
{
	RspgRole before;

	GetUserIdAndSecContext(&before.user, &before.context);
	SetUserIdAndSecContext(role, before.context | SECURITY_RESTRICTED_OPERATION);
	before.settings = NewGUCNestLevel();
	return before;
}

RspgRole
rspg_role_keep(void)
{
	RspgRole before;

	GetUserIdAndSecContext(&before.user, &before.context);
	SetUserIdAndSecContext(before.user, before.context | SECURITY_LOCAL_USERID_CHANGE);
	before.settings = 0;
	return before;
}

void
rspg_role_end(RspgRole before)
{
	if (before.settings != 0)
		AtEOXact_GUC(false, before.settings);
	SetUserIdAndSecContext(before.user, before.context);
}
