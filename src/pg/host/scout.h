/*
 * scout.h
 *		What a kind of job tells the scout that looks through its table.
 *
 * The scout runs as the bootstrap superuser: a kind's want() reads the row and the
 * catalogues, and runs nothing that a user could have made.
 */
#ifndef RSPG_SCOUT_H
#define RSPG_SCOUT_H

#include "pg/host/jobs.h"

/* This worker of the job is to run, as that role.  problem: why it cannot as it
 * is, which it then shows as error 42501 and looks at again later; or NULL. */
extern void rspg_job_want(int64 id, int worker, const char *name, Oid owner, const char *problem);

/* The row's value of a column; an error where there is no such column. */
extern Datum rspg_job_column(Relation table, HeapTuple row, const char *name, bool *null);

#endif
