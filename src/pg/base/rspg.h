/*
 * rspg.h
 *		What the files of src/pg share.
 *
 * This room is thin: it turns datums into the core's numbers and back, reads
 * and writes tables as the caller, and turns a core status into an SQLSTATE.
 */
#ifndef RSPG_H
#define RSPG_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/model/algorithm.h"
#include "core/base/context.h"
#include "core/model/model.h"

/* --- guc.c --- */
extern char *recsys_model;          /* recsys.model: default model */
extern int recsys_threads;          /* recsys.threads */
extern int recsys_train_memory;     /* recsys.train_memory, kB */
extern int recsys_max_model_size;   /* recsys.max_model_size, kB */
extern int recsys_local_cache_size; /* recsys.local_cache_size, kB */
extern void rspg_guc_init(void);

/* --- seam.c: the core's context over PostgreSQL --- */

/* Allocates in mcxt (which must outlive the context), polls for interrupts,
 * reports to training_progress when slot reporting was begun. */
extern RsContext rspg_context(MemoryContext mcxt);

/* Raise what the status says; returns only for RS_OK. */
extern void rspg_check(const RsContext *ctx, RsStatus status);

/* --- progress.c: recsys.training_progress --- */
extern void rspg_progress_init(void); /* from _PG_init */
extern void rspg_progress_begin(const char *label,
								const char *algorithm); /* label: model name or "" */
extern void rspg_progress_update(const RsProgress *progress);
extern void rspg_progress_rows(uint64 rows);
extern void rspg_progress_end(void); /* also safe when none was begun */

/* --- idmap.c: ids of items (three types) and of users (any hashable type) --- */

/* The model's id type for a column of type oid: int2/4/8 → bigint, uuid, else text. */
extern RsIdType rspg_id_type(Oid type);

/* oid of bigint, uuid or text */
extern Oid rspg_id_type_oid(RsIdType type);
extern const char *rspg_id_type_name(RsIdType type);

/* Number of an id of the model's own type in it, or -1. */
extern int64 rspg_ids_find(const RsIds *ids, Datum id);

/* The id of item number i as a datum of the model's own type (palloc'd). */
extern Datum rspg_ids_datum(const RsIds *ids, uint32 i);

/* --- trainer.c: rows in, model out; used by the aggregates and by train() --- */
typedef struct RspgTrainer RspgTrainer;

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

/* Everything lives in a child of parent and is freed by its reset, also on
 * error.  user_type any hashable type; item_type one of bigint, uuid, text;
 * ordered: events have a time. */
extern RspgTrainer *rspg_trainer_create(MemoryContext parent, const RsAlgorithm *algorithm,
										const RsOptions *options, Oid user_type, Oid item_type,
										bool ordered, const char *label);

/* NULLs are counted and skipped; a weight that is not finite is an error. */
extern void rspg_trainer_add(RspgTrainer *trainer, NullableDatum user, NullableDatum item,
							 bool weight_is_null, float8 weight, bool time_is_null,
							 TimestampTz time);

/* Train; an error when no row was usable.  The model lives until
 * rspg_trainer_free. */
extern const RsModel *rspg_trainer_finish(RspgTrainer *trainer, RspgTrainStats *stats);
extern RsContext *rspg_trainer_context(RspgTrainer *trainer);
extern const RsOptions *rspg_trainer_options(const RspgTrainer *trainer);
extern void rspg_trainer_free(RspgTrainer *trainer);

/* Options of algorithm from jsonb (NULL = defaults); errors list the right ones. */
extern void rspg_options_from_jsonb(const RsAlgorithm *algorithm, Jsonb *json, RsOptions *options);

/* Algorithm by name, or an error that lists them. */
extern const RsAlgorithm *rspg_algorithm(const char *name);

/* --- modeltype.c: the type recsys.model --- */

/*
 * A varlena whose payload starts 4 bytes after VARDATA (zero padding), so that
 * the safetensors bytes are 8-aligned; type alignment is double, storage
 * external.
 */
#define RSPG_MODEL_BYTES(v) ((const char *) VARDATA(v) + 4)
#define RSPG_MODEL_LENGTH(v) ((Size) VARSIZE(v) - VARHDRSZ - 4)

/* Room for a value of length bytes of model, within recsys.max_model_size. */
extern struct varlena *rspg_model_allocate(uint64 length);

/* Model to a value, with the size bound checked before anything is made. */
extern struct varlena *rspg_model_value(RsContext *ctx, const RsModel *model);

/* Raise an error unless text ids are valid in the server's encoding. */
extern void rspg_check_text_ids(const RsIds *ids);

/* Raise an error unless the value is a model. */
extern void rspg_model_validate(struct varlena *value);

#endif
