/*
 * attempt.c
 *		A subtransaction in which a message may fail, and whose fault an error is.
 */
#include "pg/stream/write/attempt.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/*
 * Classes of errors that a row can cause: of the data, of constraints, of
 * routines that look at it, of limits that it passes.
 */
static const char *const fault_classes[] = {"09", "20", "21", "22", "23", "27",
											"2F", "38", "39", "44", "54", "P0"};

/* Does PostgreSQL give this class a meaning of its own? */
static bool
is_own_class(const char *class)
{
	static const char *const own[] = {"53", "54", "55", "57", "58", "72", "F0", "HV", "P0", "XX"};
	int i;

	if ((class[0] >= '0' && class[0] <= '4') || (class[0] >= 'A' && class[0] <= 'H'))
		return true; /* the standard's */
	for (i = 0; i < lengthof(own); i++)
		if (strncmp(class, own[i], 2) == 0)
			return true;
	return false;
}

bool
rspg_message_fault(const ErrorData *error, bool converting)
{
	const char *sqlstate = unpack_sql_state(error->sqlerrcode);
	int i;

	/* of its class, but every message would be rejected */
	if (error->sqlerrcode == ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED)
		return false;
	for (i = 0; i < lengthof(fault_classes); i++)
		if (strncmp(sqlstate, fault_classes[i], 2) == 0)
			return true;
	/* a SQLSTATE that no server has: RAISE of a trigger, say */
	if (!is_own_class(sqlstate))
		return true;
	/* input functions of extensions that know no better, and of types that are
	 * languages: tsquery, jsonpath, ltree */
	if (converting &&
		(error->sqlerrcode == ERRCODE_INTERNAL_ERROR || error->sqlerrcode == ERRCODE_SYNTAX_ERROR ||
		 error->sqlerrcode == ERRCODE_INVALID_NAME))
		return true;
	/* the row, not the right to the table; message_id is not translated */
	return error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE && error->message_id != NULL &&
		   strncmp(error->message_id, "new row violates row-level security policy", 42) == 0;
}

void
rspg_check_deferred(void)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	AfterTriggerSetState(makeNode(ConstraintsSetStmt));
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

bool
rspg_is_statement_timeout(const ErrorData *error)
{
	/* message_id is not translated */
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED && error->message_id != NULL &&
		   strcmp(error->message_id, "canceling statement due to statement timeout") == 0;
}

/*
 * Can it be that it comes with one message and not with others?  Not what comes of
 * other sessions, which end: locks, deadlocks, somebody's cancel.
 */
static bool
may_be_of_one(const ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return rspg_is_statement_timeout(error);
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_TRANSACTION_ROLLBACK &&
		   error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE;
}

ErrorData *
rspg_attempt(RspgAttempt attempt, void *opaque, bool converting, bool hunting)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;
	int level = GetCurrentTransactionNestLevel();

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		attempt(opaque);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		while (GetCurrentTransactionNestLevel() > level) /* the attempt's own, too */
			RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (!rspg_message_fault(error, converting) && !(hunting && may_be_of_one(error)))
			ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}
