/*
 * seam.h
 *		The core's context over PostgreSQL: memory, interrupts, errors.
 */
#ifndef RSPG_SEAM_H
#define RSPG_SEAM_H

#include "postgres.h"

#include "core/base/context.h"

/* Allocates in mcxt (which must outlive the context), polls for interrupts,
 * reports to training_progress when slot reporting was begun. */
extern RsContext rspg_context(MemoryContext mcxt);

/* Raise what the status says; returns only for RS_OK. */
extern void rspg_check(const RsContext *ctx, RsStatus status);

#endif
