/*
 * transform.h
 *		A stream's own function: an event in, rows of the target out.
 */
#ifndef RSPG_TRANSFORM_H
#define RSPG_TRANSFORM_H

#include "pg/base/spi.h"
#include "pg/stream/write/insert.h"

typedef struct RspgTransform
{
	Oid function;
	TupleDesc given; /* what it returns */
	int n_columns;
	AttrNumber *attnums;               /* of the target, for each column of the result */
	Oid *types;                        /* of the result's columns */
	char *sql;                         /* events to rows */
	bool *takes_default;               /* where NULL cannot be meant: NOT NULL with a default */
	TupleDesc desc;                    /* of events: event jsonb */
	TupleDesc result;                  /* of rows: the columns */
	EphemeralNamedRelationData events; /* to be registered with SPI */
	SPIPlanPtr plan;
} RspgTransform;

/* The name of the function that the caller means by name, with its schema. */
extern char *rspg_transform_name(const char *name);

/* The function that the option names, checked; in CurrentMemoryContext. */
extern RspgTransform *rspg_transform_create(Relation target, const RspgStream *stream);

/* Is the function that the option names still this one, with the same result? */
extern bool rspg_transform_is_same(const RspgTransform *transform, const RspgStream *stream);

/* What EXPLAIN says of it: an error for a missing right.  SPI knows "events". */
extern void rspg_transform_check(RspgTransform *transform);

/* Run it over events[n] at once and write its rows.  SPI knows "batch" and
 * "events".  Returns the rows written. */
extern int64 rspg_transform_write(RspgTransform *transform, RspgInsert *insert, Datum *events,
								  int n);

extern void rspg_transform_free(RspgTransform *transform);

#endif
