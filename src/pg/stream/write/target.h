/*
 * target.h
 *		The table or view that a stream writes to.
 */
#ifndef RSPG_TARGET_H
#define RSPG_TARGET_H

#include "postgres.h"

#include "access/attnum.h"
#include "catalog/pg_attribute.h"
#include "utils/rel.h"

/* What a row has for a column */
typedef enum RspgCell
{
	RSPG_CELL_VALUE,
	RSPG_CELL_NULL,
	RSPG_CELL_ABSENT /* nothing: the column's default */
} RspgCell;

/* An error where rows would go to another server, whose commit is not ours: a
 * foreign table, one behind a view, or a foreign partition.  That can change without
 * the target. */
extern void rspg_target_check_local(Relation target);

/* An error unless a stream can write into it, which is local, as the current user. */
extern void rspg_target_check(Relation target);

/* Its name, qualified and quoted. */
extern char *rspg_target_name(Relation target);

/* The column of that name that may be written, or an error that says which can. */
extern AttrNumber rspg_target_column(Relation target, const char *name);

/* May an INSERT give this column a value? */
extern bool rspg_column_writable(Form_pg_attribute attribute);

/* Raise: a message has no value for this column (quoted) of upsert_key. */
extern _Noreturn void rspg_target_no_key(const char *column);

#endif
