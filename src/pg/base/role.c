/*
 * role.c
 *		What a role wrote runs with that role's rights.
 */
#include "pg/base/role.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"

static bool kept_to_end = false;

static void end_kept(XactEvent event, void *arg);

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
rspg_role_begin_reading(Oid owner)
{
	RspgRole same = {.settings = 0};

	if (superuser() && !superuser_arg(owner))
		return rspg_role_begin(owner);
	GetUserIdAndSecContext(&same.user, &same.context);
	return same;
}

/*
 * Deferred triggers have run when a transaction is about to commit; one that aborts
 * has put back who was acting at its start.
 */
static void
end_kept(XactEvent event, void *arg)
{
	Oid user;
	int context;

	if (!kept_to_end)
		return;
	GetUserIdAndSecContext(&user, &context);
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		SetUserIdAndSecContext(user, context & ~SECURITY_LOCAL_USERID_CHANGE);
	kept_to_end = false;
}

void
rspg_role_keep_to_end(void)
{
	static bool registered = false;
	Oid user;
	int context;

	GetUserIdAndSecContext(&user, &context);
	if (context & SECURITY_LOCAL_USERID_CHANGE)
		return;
	SetUserIdAndSecContext(user, context | SECURITY_LOCAL_USERID_CHANGE);
	if (!registered)
		RegisterXactCallback(end_kept, NULL);
	registered = true;
	kept_to_end = true;
}

void
rspg_role_end(RspgRole before)
{
	/* level 0 would be that of the transaction: its own settings, isolation first */
	if (before.settings != 0)
		AtEOXact_GUC(false, before.settings);
	SetUserIdAndSecContext(before.user, before.context);
}
