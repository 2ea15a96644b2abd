/*
 * trainer.h
 *		Rows in, model out: what the aggregates and recsys.train() share.
 */
#ifndef RSPG_TRAINER_H
#define RSPG_TRAINER_H

#include "pg/model/version.h"

#include "core/model/algorithm.h"

typedef struct RspgTrainer RspgTrainer;

/* Everything lives in a child of parent and is freed by its reset, also on
 * error.  user_type any hashable type; item_type one of bigint, uuid, text;
 * ordered: events have a time. */
extern RspgTrainer *rspg_trainer_create(MemoryContext parent, const RsAlgorithm *algorithm,
										const RsOptions *options, Oid user_type, Oid item_type,
										bool ordered, const char *label);

/* An event of weight float8 at time timestamptz, which counts where events are
 * ordered.  NULLs are counted and skipped; a weight that is not finite is an
 * error. */
extern void rspg_trainer_add(RspgTrainer *trainer, NullableDatum user, NullableDatum item,
							 NullableDatum weight, NullableDatum time);

/* A row that is a user of its own: its features real[] and the item it took. */
extern void rspg_trainer_add_features(RspgTrainer *trainer, NullableDatum features,
									  NullableDatum item);

/* Features of a user by id, once all events were added; users without events are
 * left out. */
extern void rspg_trainer_add_user(RspgTrainer *trainer, Datum user, const float *values, int n);

/* The value of type recsys.encoder that made the features; goes into the model. */
extern void rspg_trainer_set_encoder(RspgTrainer *trainer, struct varlena *encoder);

/* Train; an error when no row was usable.  The model lives until
 * rspg_trainer_free. */
extern const RsModel *rspg_trainer_finish(RspgTrainer *trainer, RspgTrainStats *stats);
extern RsContext *rspg_trainer_context(RspgTrainer *trainer);
extern void rspg_trainer_free(RspgTrainer *trainer);

#endif
