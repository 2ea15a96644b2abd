/*
 * plans.h
 *		Plans of queries as a caller, kept by the session.
 *
 * A plan belongs to a role, so that one that comes back finds its own: where row
 * security is in it, PostgreSQL makes it anew for each change of the role.
 */
#ifndef RSPG_PLANS_H
#define RSPG_PLANS_H

#include "pg/base/rspg.h"

#include "executor/spi.h"
#include "lib/ilist.h"

/* What tells plans apart; all of it but texts by value. */
typedef struct RspgPlanKey
{
	Oid role;
	Oid relation; /* InvalidOid: the text says it */
	Oid type;     /* of a parameter, or InvalidOid */
	const char *text;
	const char *search_path; /* "" where no name in the text depends on it */
} RspgPlanKey;

#define RSPG_PLANS 3

typedef struct RspgPlans
{
	RspgPlanKey key;
	SPIPlanPtr plan[RSPG_PLANS]; /* NULL: none */
	int n_types;                 /* of the parameters that the text has */
	Oid *types;
	int holds; /* calls that use them */
	MemoryContext mcxt;
	dlist_node node;
} RspgPlans;

/* The plans of a key, or NULL where none are kept or what they lean on has changed. */
extern RspgPlans *rspg_plans_find(const RspgPlanKey *key);

/* Keep plans that SPI prepared.  They stay until the next call of these two functions,
 * which any function that a plan, the planner or the input of a value calls may make. */
extern RspgPlans *rspg_plans_keep(const RspgPlanKey *key, const SPIPlanPtr plan[RSPG_PLANS],
								  int n_types, const Oid *types);

/* Have them stay until CurrentMemoryContext is reset. */
extern void rspg_plans_hold(RspgPlans *plans);

/* Run a SELECT that is held in an open SPI connection, by the active snapshot. */
extern void rspg_plans_run(SPIPlanPtr plan, Datum *values, const char *nulls);

/* Up to n rows of it a call by fetch, which goes on until it returns false. */
extern void rspg_plans_scan(SPIPlanPtr plan, Datum *values, const char *nulls, long n,
							bool (*fetch)(void *opaque), void *opaque);

#endif
