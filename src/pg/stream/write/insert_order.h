/*
 * insert_order.h
 *		The order in which rows of a batch are inserted.
 */
#ifndef RSPG_INSERT_ORDER_H
#define RSPG_INSERT_ORDER_H

#include "postgres.h"

#include "utils/rel.h"

/* Of the columns attnums[n], the numbers of those to insert in the order of, at
 * most INDEX_MAX_KEYS; returns how many, or 0. */
extern int rspg_insert_order(Relation target, const AttrNumber *attnums, int n, int *columns);

#endif
