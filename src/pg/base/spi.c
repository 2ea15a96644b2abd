/*
 * spi.c
 *		SQL of our own tables: statements that are kept for the session.
 */
#include "pg/base/spi.h"

SPIPlanPtr
rspg_prepare(const char *sql, int nargs, Oid *argtypes)
{
	SPIPlanPtr plan = SPI_prepare(sql, nargs, argtypes);

	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql, SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

void
rspg_execute(RspgStatement *statement, Datum *values, const char *nulls, bool read_only)
{
	int result;

	if (statement->plan == NULL)
		statement->plan = rspg_prepare(statement->sql, statement->nargs, statement->argtypes);
	result = SPI_execute_plan(statement->plan, values, nulls, read_only, 0);
	if (result < 0)
		elog(ERROR, "could not execute \"%s\": %s", statement->sql, SPI_result_code_string(result));
}
