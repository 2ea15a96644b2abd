/*
 * insert.h
 *		Rows to the target as INSERT … SELECT from a relation in memory.
 */
#ifndef RSPG_INSERT_H
#define RSPG_INSERT_H

#include "pg/stream/definition/stream.h"

#include "executor/executor.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

#include "pg/stream/write/target.h"

/*
 * The columns written, as a relation in memory: c1, c2, … of the columns' types,
 * and n, which orders rows as messages came.  SPI knows it as "batch".
 */
typedef struct RspgInsert
{
	int n_columns;
	const char **names; /* of the target's columns, quoted */
	Node **defaults;    /* of the columns, or NULL */
	Oid *domains;       /* the column's type where it is a domain, else InvalidOid */
	TupleDesc desc;
	EphemeralNamedRelationData relation; /* to be registered with SPI */
	const char *target;                  /* qualified and quoted */
	const RspgStreamOptions *options;
	bool *is_key; /* column of upsert_key */
	int n_order;  /* columns to insert in the order of, without an upsert */
	int order[INDEX_MAX_KEYS];
	List *statements; /* for each set of columns that messages had */
} RspgInsert;

/* For these columns of the target, by number; in CurrentMemoryContext.  types are
 * those of the values; NULL = the columns' own, length and all. */
extern RspgInsert *rspg_insert_create(Relation target, const RspgStream *stream,
									  const AttrNumber *attnums, const Oid *types, int n);

/* Plans of INSERTs are kept until then. */
extern void rspg_insert_free(RspgInsert *insert);

/* Plan the whole INSERT: an error for a missing privilege, or a key that no unique
 * index has.  SPI is connected and knows "batch". */
extern void rspg_insert_check(RspgInsert *insert);

/* A relation in memory of that name and columns, to be registered with SPI. */
extern void rspg_relation_init(EphemeralNamedRelation relation, const char *name, TupleDesc desc,
							   double rows);

/* What EXPLAIN says of a statement that reads it: an error for a missing right. */
extern void rspg_relation_explain(EphemeralNamedRelation relation, const char *sql);

/* Rows of the batch relation, gathered. */
typedef struct RspgRows
{
	RspgInsert *insert;
	Tuplestorestate *store; /* NULL = none yet */
	int64 n;
	EState *estate; /* for defaults */
	ExprState **defaults;
	bool *absent; /* columns left out of the INSERT, or NULL */
} RspgRows;

/* Memory comes from CurrentMemoryContext, of which the caller disposes. */
extern void rspg_rows_begin(RspgRows *rows, RspgInsert *insert);

/*
 * Add a row: n_columns values with room for one more, and cells that say whether
 * there is one.  An upsert leaves out the columns that a row has no value for, so
 * as not to overwrite what the target has: rows that lack others go first.
 * Returns how many rows that wrote.
 */
extern int64 rspg_rows_add(RspgRows *rows, const Datum *values, const char *cells);

/* Write what was added; returns the rows written. */
extern int64 rspg_rows_flush(RspgRows *rows);

#endif
