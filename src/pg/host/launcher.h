/*
 * launcher.h
 *		The host of jobs, to begin with.
 */
#ifndef RSPG_LAUNCHER_H
#define RSPG_LAUNCHER_H

#include "postgres.h"

/* From _PG_init, before kinds are added.  Nothing when not preloaded. */
extern void rspg_host_init(void);

#endif
