/*
 * module.c
 *		Module magic and _PG_init.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "pg/base/guc.h"
#include "pg/base/progress.h"
#include "pg/host/launcher.h"
#include "pg/model/arena.h"
#include "pg/stream/definition/brokers.h"
#include "pg/stream/definition/secrets.h"
#include "pg/stream/worker/stream_jobs.h"

PG_MODULE_MAGIC;

extern void _PG_init(void);

/*
 * Room by room, the lower ones first: a later one's shared memory counts on what
 * the earlier ones have.
 */
void
_PG_init(void)
{
	rspg_guc_init();
	rspg_progress_init();
	rspg_arena_init();
	rspg_host_init();
	rspg_brokers_init();
	rspg_secrets_init();
	rspg_stream_jobs_init();
	MarkGUCPrefixReserved("recsys");
}
