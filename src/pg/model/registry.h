/*
 * registry.h
 *		Registered models: where they are trained from, and which version is live.
 */
#ifndef RSPG_REGISTRY_H
#define RSPG_REGISTRY_H

#include "postgres.h"

#include "nodes/parsenodes.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct RspgRegistryRow
{
	int64 id;
	char *name;
	Oid owner;
	Oid source; /* InvalidOid for a model that was only saved, or whose source was gone
				 * when it was dumped */
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
	Oid items; /* InvalidOid if there are none */
	Jsonb *features;
	ArrayType *exclude_events; /* what counts as seen: NULL, all types */
	Interval *exclude_for;     /* NULL: of any age */
	int32 history_limit;       /* 0: none */
	int32 live_version;        /* 0 = none yet */
	int64 live_key;
} RspgRegistryRow;

/*
 * The model of that name by the active snapshot, as the caller; NULL means
 * recsys.model, or the only model of the caller, or else of the database's owner.
 * Errors: 42704 unknown or none, 55000 more than one.  In CurrentMemoryContext.
 */
extern RspgRegistryRow *rspg_registry_find(const char *name);

/* The same by a snapshot taken now, for functions that write. */
extern RspgRegistryRow *rspg_registry_find_latest(const char *name);

/* Put another of its versions in the place of the live one, as the caller: 42704
 * where they see none of that number. */
extern void rspg_registry_choose_version(RspgRegistryRow *row, int32 version);

/* In SPI: lock its row until the end of the transaction, against whoever else makes a
 * version, alters or drops it; 42704 where it is gone. */
extern void rspg_registry_lock(const RspgRegistryRow *row);

/* 42704: gone since it was found. */
extern void rspg_registry_fail_gone(const RspgRegistryRow *row) __attribute__((noreturn));

/* 55000 unless it has a live version. */
extern void rspg_require_live(const RspgRegistryRow *row);

/*
 * 42501 unless the caller has one right on the table of models, and one on those of
 * versions and their bytes (ACL_NO_RIGHTS: none is needed); action as in "train a
 * model".  Says how the rights are given.
 */
extern void rspg_require_right(AclMode models, AclMode versions, const char *action);

/* Raise 42501 unless the caller has the rights of the model's owner. */
extern void rspg_require_owner(const RspgRegistryRow *row);

#endif
