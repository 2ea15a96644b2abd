/*
 * version.h
 *		Versions of registered models.
 */
#ifndef RSPG_VERSION_H
#define RSPG_VERSION_H

#include "pg/model/registry.h"

#include "core/model/model.h"

/* What a training says of itself, beside what stands in the model. */
typedef struct RspgTrainStats
{
	int64 rows_read;
	int64 rows_null_user;
	int64 rows_null_item;
	int64 rows_null_weight;
	int64 rows_null_time;
	int64 users;
	int64 items;
	int64 events;   /* rows used */
	double seconds; /* from create to the end of finish */
	int iterations;
	double loss;
} RspgTrainStats;

/* Store a model as the next version of the registered one, make it the live one if
 * asked to, and return its number.  stats may be NULL (a saved value). */
extern int32 rspg_version_store(const RspgRegistryRow *row, RsContext *ctx, const RsModel *model,
								const RspgTrainStats *stats, bool live);

/* Events that the live version was trained on; 0 if there is none. */
extern int64 rspg_version_events(const RspgRegistryRow *row);

#endif
