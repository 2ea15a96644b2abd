/*
 * progress.h
 *		recsys.training_progress: who trains what, and how far it is.
 */
#ifndef RSPG_PROGRESS_H
#define RSPG_PROGRESS_H

#include "postgres.h"

#include "core/base/context.h"

extern void rspg_progress_init(void); /* from _PG_init */
extern void rspg_progress_begin(const char *label,
								const char *algorithm); /* label: model name or "" */
extern void rspg_progress_update(const RsProgress *progress);
extern void rspg_progress_rows(uint64 rows);
extern void rspg_progress_end(void); /* also safe when none was begun */

#endif
