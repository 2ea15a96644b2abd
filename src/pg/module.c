/*
 * module.c
 *		Module magic and _PG_init.
 */
#include "rspg.h"

PG_MODULE_MAGIC;

extern void _PG_init(void);

void
_PG_init(void)
{
	rspg_guc_init();
	rspg_progress_init();
}
