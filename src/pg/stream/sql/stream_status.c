/*
 * stream_status.c
 *		recsys.stream_state_rows(): what workers of streams say of themselves.
 */
#include "pg/stream/definition/stream_state.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#define COLUMNS 12
/* rows per second fade over these seconds */
#define RATE_SECONDS 10.0

static const char *const state_names[] = {
	[RSPG_WORKER_STARTING] = "starting",
	[RSPG_WORKER_RUNNING] = "running",
	[RSPG_WORKER_RETRYING] = "retrying",
	[RSPG_WORKER_WAITING_FOR_BROKER] = "waiting for broker",
	[RSPG_WORKER_WAITING_FOR_SLOT] = "waiting for a worker slot",
	[RSPG_WORKER_NOT_RESPONDING] = "not responding",
	[RSPG_WORKER_FAILED] = "failed",
};

static void put_slot(ReturnSetInfo *out, const RspgStreamSlot *slot,
					 const RspgStreamPartition *partition);
static RspgStreamState *copy_state(void);

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
	RspgStreamState *state;

	InitMaterializedSRF(fcinfo, 0);
	if (rspg_stream_state == NULL)
		return (Datum) 0;
	state = copy_state();
	for (int i = 0; i < state->n_slots; i++)
	{
		const RspgStreamSlot *slot = &state->slots[i];
		bool shown = false;

		if (slot->database == InvalidOid || !(all || has_privs_of_role(GetUserId(), slot->owner)))
			continue;
		for (int j = 0; j < state->n_partitions; j++)
			if (state->partitions[j].slot == i)
			{
				put_slot(out, slot, &state->partitions[j]);
				shown = true;
			}
		if (!shown)
			put_slot(out, slot, NULL);
	}
	return (Datum) 0;
}

/*
 * A copy of it all, so that the lock is held for an instant.
 */
static RspgStreamState *
copy_state(void)
{
	RspgStreamState *from = rspg_stream_state;
	RspgStreamState *to = palloc(sizeof(RspgStreamState));

	*to = *from; /* sizes are fixed */
	to->slots = palloc(from->n_slots * sizeof(RspgStreamSlot));
	to->partitions = palloc(from->n_partitions * sizeof(RspgStreamPartition));
	LWLockAcquire(from->lock, LW_SHARED);
	memcpy(to->slots, from->slots, from->n_slots * sizeof(RspgStreamSlot));
	memcpy(to->partitions, from->partitions, from->n_partitions * sizeof(RspgStreamPartition));
	LWLockRelease(from->lock);
	return to;
}

static void
put_slot(ReturnSetInfo *out, const RspgStreamSlot *slot, const RspgStreamPartition *partition)
{
	Datum values[COLUMNS];
	bool nulls[COLUMNS] = {false};

	values[0] = ObjectIdGetDatum(slot->database);
	values[1] = Int64GetDatum(slot->stream_id);
	values[2] = Int32GetDatum(slot->worker);
	values[3] = Int32GetDatum(slot->pid);
	nulls[3] = slot->pid == 0;
	values[4] = CStringGetTextDatum(state_names[slot->state]);
	nulls[5] = nulls[6] = nulls[7] = true;
	if (partition != NULL)
	{
		double age = (double) (GetCurrentTimestamp() - partition->rate_at) / USECS_PER_SEC;

		values[5] = Int32GetDatum(partition->partition);
		values[6] = Int64GetDatum(partition->end_offset);
		values[7] = Float8GetDatum(partition->rows_per_second * exp(-Max(age, 0.0) / RATE_SECONDS));
		nulls[5] = nulls[7] = false;
		nulls[6] = partition->end_offset < 0;
	}
	nulls[8] = nulls[9] = nulls[10] = slot->error_at == 0;
	values[8] = CStringGetTextDatum(slot->error);
	values[9] = CStringGetTextDatum(slot->sqlstate);
	values[10] = TimestampTzGetDatum(slot->error_at);
	values[11] = TimestampTzGetDatum(slot->since);
	nulls[11] = slot->since == 0;
	tuplestore_putvalues(out->setResult, out->setDesc, values, nulls);
}

/*
 * A worker wrote so many rows of a partition.
 */
void
rspg_stream_partition_add(RspgStreamPartition *partition, int64 rows)
{
	TimestampTz now = GetCurrentTimestamp();
	double seconds = (double) (now - partition->rate_at) / USECS_PER_SEC;
	double keep = exp(-Max(seconds, 0.0) / RATE_SECONDS);

	/* an exponential average in time: rows weigh by age, whatever their batches */
	partition->rows_per_second = partition->rows_per_second * keep + rows / RATE_SECONDS;
	partition->rate_at = now;
}
