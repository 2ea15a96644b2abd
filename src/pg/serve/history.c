/*
 * history.c
 *		What a user did, read from the model's source as the caller.
 *
 * But not as a superuser: they read a model of somebody else as its owner, whose
 * views and functions would run with all rights there are.
 *
 * The query runs through a plan that is kept for the role, and made anew where row
 * security or the table changed: grants, policies and dropped columns
 * hold as if the caller had written the query.
 */
#include "pg/serve/history.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/base/idarray.h"
#include "pg/base/role.h"
#include "pg/base/spi.h"
#include "pg/model/source.h"
#include "pg/serve/plans.h"

#define PARAMETERS 3 /* user, types, age */

static SPIPlanPtr find_plan(const RspgSourceQuery *query);
static void copy_rows(RspgHistory *history, bool newest_first, MemoryContext target);

/* As who is acting now; held until the caller leaves SPI. */
static SPIPlanPtr
find_plan(const RspgSourceQuery *query)
{
	RspgPlanKey key = {GetUserId(), InvalidOid, query->user_type, query->sql, ""};
	RspgPlans *plans = rspg_plans_find(&key);
	Oid types[PARAMETERS] = {query->user_type, TEXTARRAYOID, INTERVALOID};

	if (plans == NULL)
	{
		SPIPlanPtr plan = rspg_prepare_cursor(query->sql, PARAMETERS, types, 0);

		plans = rspg_plans_keep(&key, (SPIPlanPtr[RSPG_PLANS]){plan}, PARAMETERS, types);
	}
	rspg_plans_hold(plans);
	return plans->plan[0];
}

/* In SPI, which the caller connects and leaves: rows of a query about one user.
 * False where the type of its ids has no such user. */
static bool
run_for_user(const RspgRegistryRow *row, const RspgSourceQuery *query, const RspgSeen *seen,
			 Datum user, Oid user_type)
{
	Datum values[PARAMETERS] = {0, PointerGetDatum(seen->events), PointerGetDatum(seen->age)};
	char nulls[PARAMETERS + 1] = {' ', seen->events == NULL ? 'n' : ' ',
								  seen->age == NULL ? 'n' : ' '};
	RspgConverter converter;
	RspgRole caller;
	bool known;

	/* planning runs functions too, and so does a domain within a type */
	caller = rspg_role_begin_reading(row->owner);
	rspg_converter_init(&converter, user_type, query->user_type);
	known = rspg_convert_id(&converter, user, &values[0]);
	if (known)
		rspg_plans_run(find_plan(query), values, nulls);
	rspg_role_end(caller);
	return known;
}

RspgHistory
rspg_history_read(const RspgRegistryRow *row, bool ordered, const RspgSeen *seen, Datum user,
				  Oid user_type)
{
	MemoryContext caller = CurrentMemoryContext;
	bool some = seen->events != NULL || seen->age != NULL; /* of the events, not all */
	RspgSourceQuery query = rspg_source_history_query(row, ordered, some);
	RspgHistory history = {.item_type = query.item_type};

	SPI_connect();
	if (run_for_user(row, &query, seen, user, user_type))
		copy_rows(&history, row->history_limit > 0, caller);
	SPI_finish();
	return history;
}

static void
copy_rows(RspgHistory *history, bool newest_first, MemoryContext target)
{
	MemoryContext spi = MemoryContextSwitchTo(target);
	TupleDesc desc = SPI_tuptable->tupdesc;
	Size room = Max(SPI_processed, 1);
	int16 length;
	bool by_value;
	uint64 i;

	get_typlenbyval(SPI_gettypeid(desc, 1), &length, &by_value);
	history->item_type = SPI_gettypeid(desc, 1);
	history->item = MemoryContextAllocHuge(target, room * sizeof(Datum));
	history->weight = MemoryContextAllocHuge(target, room * sizeof(float8));
	history->weight_is_null = MemoryContextAllocHuge(target, room * sizeof(bool));
	history->seen = MemoryContextAllocHuge(target, room * sizeof(bool));
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple tuple = SPI_tuptable->vals[newest_first ? SPI_processed - 1 - i : i];
		uint64 n = history->n;
		bool null;
		Datum item = SPI_getbinval(tuple, desc, 1, &null);
		Datum weight = SPI_getbinval(tuple, desc, 2, &history->weight_is_null[n]);

		if (null)
			continue;
		history->item[n] = by_value ? item : datumCopy(item, by_value, length);
		history->weight[n] = history->weight_is_null[n] ? 0 : DatumGetFloat8(weight);
		history->seen[n] =
			desc->natts < 3 || (DatumGetBool(SPI_getbinval(tuple, desc, 3, &null)) && !null);
		history->n++;
	}
	MemoryContextSwitchTo(spi);
}

HeapTupleHeader
rspg_user_row_read(const RspgRegistryRow *row, Datum user, Oid user_type)
{
	MemoryContext caller = CurrentMemoryContext;
	RspgSourceQuery query = rspg_users_row_query(row);
	HeapTupleHeader found = NULL;
	RspgSeen none = {NULL, NULL};
	uint64 n;
	bool null;

	SPI_connect();
	n = run_for_user(row, &query, &none, user, user_type) ? SPI_processed : 0;
	if (n > 1)
		ereport(ERROR, (errcode(ERRCODE_CARDINALITY_VIOLATION),
						errmsg("relation of users of model \"%s\" has more than one row of a user",
							   row->name),
						errhint("Make its user column unique.")));
	if (n == 1)
	{
		Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		if (!null)
			found = DatumGetHeapTupleHeaderCopy(value);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return found;
}
