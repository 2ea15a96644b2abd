/*
 * stream_jobs.c
 *		Streams as jobs of the host: which workers a row of recsys.stream wants,
 *		and what they show in shared memory.
 */
#include "pg/stream/worker/stream_jobs.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/numeric.h"

#include "pg/base/jsonb_read.h"
#include "pg/host/scout.h"
#include "pg/stream/definition/stream.h"

#define DEFAULT_MAX_PARTITIONS 1024
/* rows per second fade over these seconds */
#define RATE_SECONDS 10.0

int rspg_stream_kind = -1;

/*
 * recsys.max_stream_partitions: partitions that stream_status can show.
 */
static int max_partitions = DEFAULT_MAX_PARTITIONS;

static const char *const owner_problems[] = {
	[RSPG_OWNER_RIGHT] = NULL,
	[RSPG_OWNER_GONE] = "the stream's owner does not exist any more",
	[RSPG_OWNER_SUPERUSER] = "the stream's owner is a superuser: its worker would run triggers of "
							 "others with a superuser's rights",
	[RSPG_OWNER_NO_LOGIN] = "the stream's owner may not log in: its worker connects as the owner",
};

static RspgShownPartition *partitions;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void request_shmem(void);
static void startup_shmem(void);
static Size shared_size(void);
static void want(Relation table, HeapTuple row);
static int workers_option(Jsonb *options);

void
rspg_stream_jobs_init(void)
{
	static const RspgJobKind kind = {"stream", "stream", "recsys_stream_main", want};

	if (!process_shared_preload_libraries_in_progress)
		return;
	DefineCustomIntVariable("recsys.max_stream_partitions",
							"Sets how many partitions of streams can be shown at a time.",
							"Those beyond are read, but their lag is not seen.", &max_partitions,
							DEFAULT_MAX_PARTITIONS, 1, 1000000, PGC_POSTMASTER, 0, NULL, NULL,
							NULL);
	rspg_stream_kind = rspg_job_kind_add(&kind);
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

static Size
shared_size(void)
{
	return mul_size(max_partitions, sizeof(RspgShownPartition));
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
}

static void
startup_shmem(void)
{
	bool found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	partitions = ShmemInitStruct("recsys streams", shared_size(), &found);
	if (!found)
		memset(partitions, 0, shared_size());
	LWLockRelease(AddinShmemInitLock);
}

RspgShownPartition *
rspg_shown_partitions(int *n)
{
	*n = max_partitions;
	return partitions;
}

bool
rspg_shown_is_of(const RspgShownPartition *shown, uint64 launch)
{
	return launch != 0 && shown->reader.launch == launch;
}

bool
rspg_shown_is_free(const RspgShownPartition *shown)
{
	const RspgSlot *slot = &rspg_host->slots[shown->reader.slot];

	return shown->reader.launch == 0 || shown->reader.launch != slot->process.launch;
}

/*
 * An exponential average in time: rows weigh by age, whatever their batches.
 */
void
rspg_shown_add(RspgShownPartition *shown, int64 rows)
{
	shown->rows_per_second = rspg_shown_rate(shown) + rows / RATE_SECONDS;
	shown->rate_at = GetCurrentTimestamp();
}

double
rspg_shown_rate(const RspgShownPartition *shown)
{
	double seconds = (double) (GetCurrentTimestamp() - shown->rate_at) / USECS_PER_SEC;

	return shown->rows_per_second * exp(-Max(seconds, 0.0) / RATE_SECONDS);
}

/*
 * A row that was copied from another cluster or database does not run: the
 * original may be running.
 */
static void
want(Relation table, HeapTuple row)
{
	bool null;
	int64 id = DatumGetInt64(rspg_job_column(table, row, "id", &null));
	Oid owner = DatumGetObjectId(rspg_job_column(table, row, "owner", &null));
	char *name = TextDatumGetCString(rspg_job_column(table, row, "name", &null));
	int workers = workers_option(DatumGetJsonbP(rspg_job_column(table, row, "options", &null)));
	int64 system_id = DatumGetInt64(rspg_job_column(table, row, "system_id", &null));
	Oid database_id = DatumGetObjectId(rspg_job_column(table, row, "database_id", &null));

	if (!DatumGetBool(rspg_job_column(table, row, "enabled", &null)) ||
		!rspg_stream_is_here(system_id, database_id))
		return;
	for (int i = 0; i < workers; i++)
		rspg_job_want(id, i, name, owner, owner_problems[rspg_stream_owner_fault(owner)]);
}

/*
 * Sessions have checked the options; whatever the row says, the number is sane.
 */
static int
workers_option(Jsonb *options)
{
	JsonbValue *found;
	double workers;

	if (!JB_ROOT_IS_OBJECT(options))
		return 1;
	found = rspg_jsonb_member(&options->root, "workers");
	if (found == NULL || found->type != jbvNumeric)
		return 1;
	workers = DatumGetFloat8(
		DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(found->val.numeric)));
	if (!(workers >= 1)) /* not a number, too */
		return 1;
	return (int) Min(workers, RSPG_MAX_STREAM_WORKERS);
}
