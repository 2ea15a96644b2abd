/*
 * fresh.h
 *		Items that a model's relation of items has and the model does not know: new
 *		ones.
 */
#ifndef RSPG_FRESH_H
#define RSPG_FRESH_H

#include "core/model/model.h"
#include "pg/model/registry.h"

#include "utils/array.h"

typedef struct RspgFreshItem
{
	char *text; /* of the id */
	Datum id;   /* of the model's type */
} RspgFreshItem;

typedef struct RspgFresh
{
	Oid type; /* of the ids: the model's */
	uint32 n;
	RspgFreshItem *item; /* [n] each once, by the bytes of their texts */
} RspgFresh;

/*
 * Those for which a filter is true (NULL: all), by the caller's rights, row security and
 * snapshot, in the memory of the call.  55000 for a model without a relation of items;
 * what rspg_filter_query says of a filter.
 */
extern RspgFresh *rspg_fresh_read(const RspgRegistryRow *row, const RsIds *ids, const char *filter,
								  ArrayType *filter_values);

/* Place of an id of the model's type, or -1. */
extern int64 rspg_fresh_find(const RspgFresh *fresh, Datum id);

/*
 * Places in the order of hashtextextended(id::text, seed), ascending as bigint, then
 * by the bytes of the text: [n].
 */
extern uint32 *rspg_fresh_draw(const RspgFresh *fresh, int64 seed);

#endif
