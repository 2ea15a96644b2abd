/*
 * filter_query.h
 *		A filter, one SQL expression over the model's relation of items, as plans.
 */
#ifndef RSPG_FILTER_QUERY_H
#define RSPG_FILTER_QUERY_H

#include "pg/model/registry.h"
#include "pg/serve/plans.h"

#include "utils/array.h"

/* A filter with its values bound. */
typedef struct RspgFilterQuery
{
	SPIPlanPtr probe; /* ids that pass, among the last parameter */
	SPIPlanPtr all;   /* all ids that pass */
	SPIPlanPtr bound; /* the same, planned for the values of each call; NULL without any */
	Oid id_type;      /* of the ids and of the elements of that array */
	int n;            /* values; the array comes behind them */
	Datum *values;    /* [n + 1] */
	char *nulls;      /* [n + 1] */
} RspgFilterQuery;

/*
 * Acting as who runs it: the plans of a filter, made once for its text, the
 * relation, search_path and role.  filter_values (NULL: none) are read as the types
 * that the filter's parameters have by their context.  Errors: 42601 where it is not
 * one expression, what is wrong within it, 42P18 a parameter without a type, 22023
 * too many or too few values.
 */
extern RspgFilterQuery rspg_filter_query(const RspgRegistryRow *row, const char *filter,
										 ArrayType *filter_values);

/* In SPI, acting as who runs it: what the planner expects of a plan, its rows and its
 * cost. */
extern void rspg_filter_estimate(SPIPlanPtr plan, double *rows, double *cost);

/* The same of query->bound, planned with the values. */
extern void rspg_filter_estimate_bound(const RspgFilterQuery *query, double *rows, double *cost);

#endif
