/*
 * check.h
 *		What several functions check of their arguments.
 */
#ifndef RSPG_CHECK_H
#define RSPG_CHECK_H

#include "postgres.h"

#include "commands/trigger.h"
#include "nodes/parsenodes.h"

/* What a trigger function was called for; 39P01 where it was not called by a trigger. */
extern TriggerData *rspg_trigger(FunctionCallInfo fcinfo);

/* 42602 unless the name of what, as in "a model", has 1 to 63 bytes. */
extern void rspg_check_name(const char *name, const char *what);

/* Has the role that right on the relation, or on one of its columns? */
extern bool rspg_has_right(Oid relation, Oid role, AclMode right);

/* 42501 unless it has. */
extern void rspg_check_right(Oid relation, Oid role, AclMode right);

/* 42704 unless the role is there, 42501 unless the caller could become it: who gives
 * something away, as for any object. */
extern void rspg_check_new_owner(Oid owner);

/*
 * 42501 unless the caller has that right on recsys.table: "permission denied to" do
 * what action says, with the GRANT that gives the right.
 */
extern void rspg_require_grant(const char *table, AclMode right, const char *action,
							   const char *grant);

#endif
