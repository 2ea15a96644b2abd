/*
 * history.h
 *		What a user did, read from the model's source as the caller.
 */
#ifndef RSPG_HISTORY_H
#define RSPG_HISTORY_H

#include "pg/base/rspg.h"

#include "access/htup.h"

#include "pg/model/registry.h"

/* Rows without an item are left out already. */
typedef struct RspgHistory
{
	Oid item_type;
	uint64 n;
	Datum *item;
	float8 *weight;
	bool *weight_is_null;
	bool *seen;
} RspgHistory;

/* Which events count as seen: of these types (NULL: all), and younger than that (NULL:
 * of any age). */
typedef struct RspgSeen
{
	ArrayType *events;
	Interval *age;
} RspgSeen;

/* The history of a user, whose id is of type user_type; oldest first if ordered.
 * Empty for an id that the user column cannot hold. */
extern RspgHistory rspg_history_read(const RspgRegistryRow *row, bool ordered, const RspgSeen *seen,
									 Datum user, Oid user_type);

/* The row of a user in the model's relation of users, NULL if there is none; only
 * for a model with features. */
extern HeapTupleHeader rspg_user_row_read(const RspgRegistryRow *row, Datum user, Oid user_type);

#endif
