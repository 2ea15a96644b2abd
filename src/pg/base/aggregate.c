/*
 * aggregate.c
 *		What support functions of aggregates share.
 */
#include "pg/base/aggregate.h"

MemoryContext
rspg_aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext mcxt;

	if (!AggCheckCallContext(fcinfo, &mcxt))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("support functions of aggregates can only be called by aggregates")));
	return mcxt;
}
