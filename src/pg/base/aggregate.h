/*
 * aggregate.h
 *		What support functions of aggregates share.
 */
#ifndef RSPG_AGGREGATE_H
#define RSPG_AGGREGATE_H

#include "postgres.h"

#include "fmgr.h"

/* The context of the aggregate that calls; an error where none does. */
extern MemoryContext rspg_aggregate_context(FunctionCallInfo fcinfo);

#endif
