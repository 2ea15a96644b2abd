/*
 * spi.h
 *		SQL of our own tables: statements that are kept for the session.
 */
#ifndef RSPG_SPI_H
#define RSPG_SPI_H

#include "postgres.h"

#include "executor/spi.h"

/*
 * A statement of constant text, prepared once a session and kept: for each role, since
 * row security is in its plan, and PostgreSQL would make one plan anew for each change
 * of the role.
 */
typedef struct RspgStatement
{
	const char *sql;
	int nargs;
	Oid argtypes[20];
	struct RspgRolePlans *plans; /* NULL at first */
} RspgStatement;

/* In SPI: a plan of a statement, with options of cursors; errors quote it.  It goes
 * when SPI is left, unless it is kept. */
extern SPIPlanPtr rspg_prepare_cursor(const char *sql, int nargs, Oid *argtypes, int options);

/* One that is kept for the session. */
extern SPIPlanPtr rspg_prepare(const char *sql, int nargs, Oid *argtypes);

/* Run it in an open SPI connection, which has the rows then; read_only uses the
 * active snapshot. */
extern void rspg_execute(RspgStatement *statement, Datum *values, const char *nulls,
						 bool read_only);

#endif
