/*
 * registry.h
 *		Registered models: where they are trained from, and which version is live.
 */
#ifndef RSPG_REGISTRY_H
#define RSPG_REGISTRY_H

#include "pg/base/rspg.h"

typedef struct RspgRegistryRow
{
	int64 id;
	char *name;
	Oid owner;
	Oid source; /* InvalidOid for a model that was only saved */
	char *algorithm;
	Jsonb *options;
	char *user_column;
	char *item_column;
	char *weight_column; /* this and the next four: NULL if not given */
	char *event_column;
	Jsonb *event_weights;
	char *time_column;
	Interval *half_life;
	Oid users; /* InvalidOid if there are none */
	Jsonb *features;
	int32 live_version; /* 0 = none yet */
	int64 live_key;
} RspgRegistryRow;

/*
 * The model of that name by the active snapshot, as the caller; NULL means
 * recsys.model, or the only model there is.  Errors: 42704 unknown, 55000 no
 * default.  In CurrentMemoryContext.
 */
extern RspgRegistryRow *rspg_registry_find(const char *name);

/* The same by a snapshot taken now, for functions that write. */
extern RspgRegistryRow *rspg_registry_find_latest(const char *name);

/* A query over the model's source and the types of its ids. */
typedef struct RspgSourceQuery
{
	char *sql;
	Oid user_type; /* of the user column */
	Oid item_type; /* bigint, uuid or text: the item column is cast to it */
} RspgSourceQuery;

/* Columns: user, item, weight float8, time timestamptz (NULL unless ordered). */
extern RspgSourceQuery rspg_source_training_query(const RspgRegistryRow *row, bool ordered);

/* Columns: item, weight float8; WHERE user = $1 of the column's own type; oldest
 * first when ordered.  Checks nothing: errors are raised by its execution. */
extern RspgSourceQuery rspg_source_history_query(const RspgRegistryRow *row, bool ordered);

/* Over the relation of users: the columns that the features name, as one row u.
 * For training (user, u) of all; for an answer u of the user $1. */
extern char *rspg_users_fit_query(const RspgRegistryRow *row);
extern char *rspg_users_training_query(const RspgRegistryRow *row);
extern RspgSourceQuery rspg_users_row_query(const RspgRegistryRow *row);

/* Raise an error unless the algorithm can learn from these features (NULL: none)
 * of that relation of users. */
extern void rspg_check_features(const RsAlgorithm *algorithm, const RsOptions *options,
								Jsonb *features, Oid users, const char *user_column);

/* Raise a clear error unless the source and its columns are all there. */
extern void rspg_source_check(const RspgRegistryRow *row);

/* Raise 42501 unless the caller has the rights of the model's owner. */
extern void rspg_require_owner(const RspgRegistryRow *row);

/* Store a model as the next version of the registered one, make it live, and
 * return its number.  stats may be NULL (a saved value). */
extern int32 rspg_version_store(const RspgRegistryRow *row, RsContext *ctx, const RsModel *model,
								const RspgTrainStats *stats);

#endif
