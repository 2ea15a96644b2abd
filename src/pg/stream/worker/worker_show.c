/*
 * worker_show.c
 *		What a worker lets others see of its partitions.
 */
#include "pg/stream/worker/worker.h"

#include "pgstat.h"

void
rspg_worker_claim_shown(void)
{
	RspgWorker *w = &rspg_worker;
	int claimed = 0;
	int places;
	RspgShownPartition *shown = rspg_shown_partitions(&places);

	LWLockAcquire(rspg_host->lock, LW_EXCLUSIVE);
	for (int i = 0; i < places && claimed < w->n_partitions; i++, shown++)
	{
		if (!rspg_shown_is_free(shown))
			continue;
		shown->reader = w->launch;
		shown->partition = w->partitions[claimed].number;
		shown->end_offset = -1;
		shown->rows_per_second = 0;
		shown->rate_at = GetCurrentTimestamp();
		w->partitions[claimed++].shown = shown;
	}
	LWLockRelease(rspg_host->lock);
	if (claimed < w->n_partitions)
		ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					  errmsg("no room to show %d partitions of recsys stream \"%s\"",
							 w->n_partitions - claimed, w->stream->name),
					  errhint("Raise recsys.max_stream_partitions.")));
}

int64
rspg_worker_show_lag(void)
{
	RspgWorker *w = &rspg_worker;
	int64 lag = 0;

	for (int i = 0; i < w->n_partitions; i++)
	{
		RspgPartition *partition = &w->partitions[i];
		int64_t low;
		int64_t high;

		if (!rsk_consumer_watermarks(w->consumer, partition->number, &low, &high))
			continue;
		high = Max(high, partition->reached);
		lag += high - partition->reached;
		if (partition->shown != NULL)
			partition->shown->end_offset = high; /* eight bytes, written whole */
	}
	return lag;
}

/*
 * In pg_stat_activity, between transactions.
 */
void
rspg_worker_show_idle(void)
{
	static char activity[64]; /* an error report quotes it after our frame is gone */

	if (!rspg_worker.positioned)
		snprintf(activity, sizeof(activity), "waiting for the broker");
	else
		snprintf(activity, sizeof(activity), "idle: lag %lld", (long long) rspg_worker_show_lag());
	pgstat_report_activity(STATE_IDLE, activity);
}
