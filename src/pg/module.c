/*
 * module.c
 *		Module magic and _PG_init.
 */
#include "pg/stream/definition/stream_state.h"

#include "pg/base/guc.h"
#include "pg/base/progress.h"

PG_MODULE_MAGIC;

extern void _PG_init(void);

void
_PG_init(void)
{
	rspg_stream_state_init(); /* before guc.c reserves the prefix */
	rspg_guc_init();
	rspg_progress_init();
}
