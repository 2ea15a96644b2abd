/*
 * spi.c
 *		SQL of our own tables: statements that are kept for the session.
 */
#include "pg/base/spi.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#define MAX_ROLES 32

struct RspgRolePlans
{
	int n;
	Oid role[MAX_ROLES];
	SPIPlanPtr plan[MAX_ROLES];
};

SPIPlanPtr
rspg_prepare_cursor(const char *sql, int nargs, Oid *argtypes, int options)
{
	SPIPlanPtr plan = SPI_prepare_cursor(sql, nargs, argtypes, options);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
	return plan;
}

SPIPlanPtr
rspg_prepare(const char *sql, int nargs, Oid *argtypes)
{
	SPIPlanPtr plan = rspg_prepare_cursor(sql, nargs, argtypes, 0);

	SPI_keepplan(plan);
	return plan;
}

/* The plan as who is acting now. */
static SPIPlanPtr
plan_of(RspgStatement *statement)
{
	struct RspgRolePlans *plans = statement->plans;
	Oid role = GetUserId();
	int i;

	if (plans == NULL)
		plans = statement->plans = MemoryContextAllocZero(TopMemoryContext, sizeof(*plans));
	for (i = 0; i < plans->n; i++)
		if (plans->role[i] == role)
			return plans->plan[i];
	if (plans->n == MAX_ROLES) /* who comes late shares one */
		return plans->plan[role % MAX_ROLES];
	plans->plan[plans->n] = rspg_prepare(statement->sql, statement->nargs, statement->argtypes);
	plans->role[plans->n] = role;
	return plans->plan[plans->n++];
}

void
rspg_execute(RspgStatement *statement, Datum *values, const char *nulls, bool read_only)
{
	int result = SPI_execute_plan(plan_of(statement), values, nulls, read_only, 0);

	if (result < 0)
		elog(ERROR, "could not execute \"%s\": %s", statement->sql, SPI_result_code_string(result));
}
