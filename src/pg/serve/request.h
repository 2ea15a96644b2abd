/*
 * request.h
 *		What a call asks for: the arguments of the functions that answer.
 *
 * They are read by their names, which are the same in all of these functions
 * wherever they stand, so that a new one is a line in the SQL of the tail, a
 * field here and its reading in request.c.
 */
#ifndef RSPG_REQUEST_H
#define RSPG_REQUEST_H

#include "pg/base/rspg.h"

#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* A value of the caller's, of a type that differs from form to form. */
typedef struct RspgGiven
{
	Oid type; /* InvalidOid: the function has no such argument */
	bool null;
	Datum value;
} RspgGiven;

typedef struct RspgRequest
{
	Oid id_type; /* of the answer's item ids */

	/* for whom or what */
	RspgGiven user;     /* an id */
	RspgGiven features; /* jsonb, real[], or the text of a JSON object or array */
	RspgGiven item;     /* an id: what is like it */
	ArrayType *users;   /* of a batch; NULL: all */
	ArrayType *items;   /* oldest first; NULL: none */

	/* by which model */
	bool by_value;
	struct varlena *value; /* by_value, perhaps toasted; NULL: none */
	char *model;           /* name; NULL: the default one */
	int32 version;         /* 0: the live one */

	/* how many of which items; no array: NULL */
	uint32 k;    /* 0: none */
	uint32 skip; /* rows to leave out before the first */
	bool exclude_seen;
	ArrayType *exclude;
	ArrayType *candidates;
	char *filter; /* an SQL expression over the relation of items; NULL: none */
	ArrayType *filter_values;
	ArrayType *exclude_events; /* what counts as seen; NULL: as the model says */
	Interval *exclude_for;
	double diversity;       /* 0: none; not checked */
	char *diversity_method; /* NULL: the default one */
	Jsonb *max_per_group;   /* NULL: none; not checked */
	double explore;         /* share of new items, 0: none; not checked */
	int64 seed;
	ArrayType *among; /* users; NULL: all */
} RspgRequest;

/* Of the rows of a batch, which begin with the user. */
#define RSPG_BATCH_COLUMNS 6

/* Read a call's arguments and set its result up.  22023 for what is out of range. */
extern RspgRequest rspg_request_read(FunctionCallInfo fcinfo);

/* Place of the argument k of a function that answers, or -1. */
extern int rspg_request_k_place(Oid function);

#endif
