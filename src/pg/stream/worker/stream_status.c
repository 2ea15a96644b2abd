/*
 * stream_status.c
 *		Behind recsys.stream_status: what workers of streams say of themselves.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg/stream/worker/stream_jobs.h"

#define COLUMNS 11

static const char *const state_names[] = {
	[RSPG_JOB_STARTING] = "starting",
	[RSPG_JOB_RUNNING] = "running",
	[RSPG_JOB_RETRYING] = "retrying",
	[RSPG_JOB_WAITING] = "waiting for broker",
	[RSPG_JOB_WAITING_FOR_SLOT] = "waiting for a worker slot",
	[RSPG_JOB_NOT_RESPONDING] = "not responding",
	[RSPG_JOB_FAILED] = "failed",
};

static void put_slot(ReturnSetInfo *out, const RspgSlot *slot, const RspgShownPartition *partition);

PG_FUNCTION_INFO_V1(recsys_stream_state_rows);

/*
 * Rows of streams whose owner's rights the caller has, of every database; of
 * all streams for members of pg_read_all_stats.
 */
Datum
recsys_stream_state_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *out = (ReturnSetInfo *) fcinfo->resultinfo;
	bool all = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	RspgSlot *slots;
	RspgShownPartition *partitions;
	int n_partitions;

	InitMaterializedSRF(fcinfo, 0);
	if (rspg_host == NULL)
		return (Datum) 0;
	/* a copy of it all, so that the lock is held for an instant */
	partitions = rspg_shown_partitions(&n_partitions);
	slots = palloc(rspg_host->n_slots * sizeof(RspgSlot));
	LWLockAcquire(rspg_host->lock, LW_SHARED);
	memcpy(slots, rspg_host->slots, rspg_host->n_slots * sizeof(RspgSlot));
	partitions = memcpy(palloc(n_partitions * sizeof(RspgShownPartition)), partitions,
						n_partitions * sizeof(RspgShownPartition));
	LWLockRelease(rspg_host->lock);
	for (int i = 0; i < rspg_host->n_slots; i++)
	{
		const RspgJob *job = &slots[i].job;
		bool shown = false;

		if (job->database == InvalidOid || job->kind != rspg_stream_kind ||
			!(all || has_privs_of_role(GetUserId(), job->owner)))
			continue;
		for (int j = 0; j < n_partitions; j++)
			if (rspg_shown_is_of(&partitions[j], slots[i].process.launch))
			{
				put_slot(out, &slots[i], &partitions[j]);
				shown = true;
			}
		if (!shown)
			put_slot(out, &slots[i], NULL);
	}
	return (Datum) 0;
}

static void
put_slot(ReturnSetInfo *out, const RspgSlot *slot, const RspgShownPartition *partition)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};
	bool own;
	TimestampTz error_at;

	values[0] = ObjectIdGetDatum(slot->job.database);
	values[1] = Int64GetDatum(slot->job.id);
	values[2] = Int32GetDatum(slot->job.worker);
	values[3] = Int32GetDatum(slot->process.pid);
	nulls[3] = slot->process.pid == 0;
	values[4] = CStringGetTextDatum(
		state_names[slot->state == RSPG_JOB_RUNNING && partition != NULL && partition->refused
						? RSPG_JOB_RETRYING
						: slot->state]);
	nulls[5] = nulls[6] = nulls[7] = true;
	if (partition != NULL)
	{
		values[5] = Int32GetDatum(partition->partition);
		values[6] = Int64GetDatum(partition->end_offset);
		values[7] = Float8GetDatum(rspg_shown_rate(partition));
		nulls[5] = nulls[7] = false;
		nulls[6] = partition->end_offset < 0;
	}
	/* its own, where it is the reason or the later one */
	own = partition != NULL && partition->error_at != 0 &&
		  (partition->refused || partition->error_at >= slot->error_at);
	error_at = own ? partition->error_at : slot->error_at;
	nulls[8] = nulls[9] = nulls[10] = error_at == 0;
	values[8] = CStringGetTextDatum(own ? partition->error : slot->error);
	values[9] = CStringGetTextDatum(own ? partition->sqlstate : slot->sqlstate);
	values[10] = TimestampTzGetDatum(error_at);
	tuplestore_putvalues(out->setResult, out->setDesc, values, nulls);
}
