/*
 * source.h
 *		The queries over a model's events and its relation of users.
 */
#ifndef RSPG_SOURCE_H
#define RSPG_SOURCE_H

#include "pg/model/registry.h"

/* A query over the model's source and the types of its ids. */
typedef struct RspgSourceQuery
{
	char *sql;
	Oid user_type; /* of the user column */
	Oid item_type; /* bigint, uuid or text: the item column is cast to it */
} RspgSourceQuery;

/* Checks the source.  Columns: user, item, weight float8, time timestamptz (NULL
 * unless ordered). */
extern RspgSourceQuery rspg_source_training_query(const RspgRegistryRow *row, bool ordered);

/*
 * Columns: item, weight float8, and where seen, whether the event is of a type in $2
 * (text[], NULL: all) and younger than $3 (an interval, NULL: of any age); WHERE user =
 * $1 of the column's own type.  Oldest first when ordered; where the model has a
 * history_limit, as many of the newest, newest first.  Of a source that the caller has
 * checked.
 */
extern RspgSourceQuery rspg_source_history_query(const RspgRegistryRow *row, bool ordered,
												 bool seen);

/*
 * The histories of many, one behind the other: columns who, item, weight float8, seen.
 * Given users: $1 is an array of the user column's type, who a place in it, from 1, in
 * order; else all that have events, who the column itself, in its order.  The rest as
 * above, but history_limit is the caller's to keep: newest first.
 */
extern RspgSourceQuery rspg_source_histories_query(const RspgRegistryRow *row, bool ordered,
												   bool seen, bool given);

/* Ids of all users that have events, each once. */
extern char *rspg_source_users_query(const RspgRegistryRow *row);

/* Over the relation of users: the columns that the features name, as one row u.
 * For training (user, u) of all; for an answer u of the user $1. */
extern char *rspg_users_fit_query(const RspgRegistryRow *row);
extern char *rspg_users_training_query(const RspgRegistryRow *row);
extern RspgSourceQuery rspg_users_row_query(const RspgRegistryRow *row);

/* Type of the column of ids in the model's relation of items, which has the item
 * column's name; an error where there is none. */
extern Oid rspg_items_id_type(const RspgRegistryRow *row);

/* Ids of the rows of that relation for which a filter is true, of all, or of those
 * among an array of ids that is parameter number among (0: of all).  The filter is
 * known to be one expression. */
extern char *rspg_items_query(const RspgRegistryRow *row, const char *filter, int among);

/* Rows (id, text of each of n columns) of that relation for the ids among array $1; of
 * several of one id the first in order of these texts. */
extern char *rspg_items_values_query(const RspgRegistryRow *row, char *const *columns, int n);

/* Raise a clear error unless the source and its columns are all there, and what the
 * row says of weights goes together. */
extern void rspg_source_check(const RspgRegistryRow *row);

/* 22023 unless event_weights (NULL: none) is an object of numbers and comes with an
 * event column, and half_life (NULL: none) is positive and comes with a time column. */
extern void rspg_source_check_weights(bool has_event, Jsonb *event_weights, bool has_time,
									  Interval *half_life);

/* 22023 unless exclude_events (NULL: none) comes with an event column and has no nulls,
 * and exclude_for (NULL: none) is positive and comes with a time column. */
extern void rspg_source_check_seen(bool has_event, ArrayType *exclude_events, bool has_time,
								   Interval *exclude_for);

/* 22023 unless a history_limit is at least 1 and comes with a time column. */
extern void rspg_source_check_limit(int32 history_limit, bool has_time);

/* 22023 where an algorithm that wants order has no time column. */
extern void rspg_source_check_order(const char *algorithm, bool ordered, bool has_time);

#endif
