/*
 * cache_fn.c
 *		What the shared memory for models has, and putting a model there:
 *		recsys.cache_status, recsys.warm.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg/model/arena.h"
#include "pg/model/registry.h"
#include "pg/model/store.h"

PG_FUNCTION_INFO_V1(recsys_cache_status);
PG_FUNCTION_INFO_V1(recsys_warm_model);

/*
 * Rows of (datid, owner, bytes, state, model, version, in_use, calls, loaded_at,
 * last_used).  As in PostgreSQL's own views of activity, who has not the owner's rights,
 * nor those of pg_read_all_stats, sees that there is a model and no more.
 */
Datum
recsys_cache_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	RspgArenaEntry *entries;
	int n;

	InitMaterializedSRF(fcinfo, 0);
	entries = rspg_arena_look(&n);
	for (int i = 0; i < n; i++)
	{
		RspgArenaEntry *entry = &entries[i];
		bool there = entry->state == RSPG_ARENA_THERE;
		Datum values[10];
		bool nulls[10] = {false};

		values[0] = ObjectIdGetDatum(entry->key.database);
		values[1] = ObjectIdGetDatum(entry->owner);
		values[2] = Int64GetDatum((int64) entry->key.length);
		values[3] = CStringGetTextDatum(there ? "ready" : "loading");
		values[4] = CStringGetTextDatum(entry->name);
		values[5] = Int32GetDatum(entry->version);
		nulls[5] = entry->version == 0;
		values[6] = Int32GetDatum((int32) rspg_arena_pins(pg_atomic_read_u64(&entry->hold)));
		values[7] = Int64GetDatum((int64) pg_atomic_read_u64(&entry->calls));
		values[8] = TimestampTzGetDatum(entry->loaded_at);
		nulls[8] = !there;
		values[9] = TimestampTzGetDatum((TimestampTz) pg_atomic_read_u64(&entry->used));
		if (!has_privs_of_role(GetUserId(), entry->owner) &&
			!has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS))
			memset(nulls + 4, true, sizeof(nulls) - 4 * sizeof(bool));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * (model): have its live version in shared memory; false, with a warning, if there is
 * no room.
 */
Datum
recsys_warm_model(PG_FUNCTION_ARGS)
{
	RspgRegistryRow *row = rspg_registry_find(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	bool warm;

	if (!rspg_arena_fits(0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no shared memory for models"),
				 errhint("Add recsys to shared_preload_libraries, set recsys.cache_size above "
						 "zero, and start the server again.")));
	rspg_require_live(row);
	warm = rspg_store_warm(row);
	if (!warm)
		ereport(WARNING, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
						  errmsg("model \"%s\" finds no room in shared memory", row->name),
						  errdetail("Sessions answer from copies of their own."),
						  errhint("Raise recsys.cache_size.")));
	PG_RETURN_BOOL(warm);
}
