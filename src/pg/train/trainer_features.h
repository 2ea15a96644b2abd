/*
 * trainer_features.h
 *		Features in a training: of each row, or of users that are known by id.
 */
#ifndef RSPG_TRAINER_FEATURES_H
#define RSPG_TRAINER_FEATURES_H

#include "postgres.h"

#include "core/data/problem.h"
#include "core/model/model.h"

/* The caller sets the first two, the rest is zero at first. */
typedef struct RspgTrainerFeatures
{
	RsContext *ctx;
	MemoryContext mcxt;
	RsFeatures *rows;        /* NULL until the first */
	bool by_row;             /* a row is a user of its own */
	uint32 *item_of_row;     /* by_row: code of each row's item */
	uint32 *row_of_user;     /* else: by code of the user */
	uint32 room;             /* of the array that is used */
	struct varlena *encoder; /* recsys.encoder that made the features, NULL if none did */
} RspgTrainerFeatures;

/* One more row that is a user of its own, as wide as the first, and the code of
 * the item that it took; its number. */
extern uint32 rspg_trainer_features_add(RspgTrainerFeatures *features, const float *values, int n,
										int64 row, uint32 item);

/* Features of user code of n_users, -1 for one without events, who is left out.
 * False if the user has some already. */
extern bool rspg_trainer_features_set(RspgTrainerFeatures *features, int64 code, uint32 n_users,
									  const float *values, int n);

/* Bytes held outside of ctx. */
extern Size rspg_trainer_features_bytes(const RspgTrainerFeatures *features);

/* by_row: rank of each row by what it is, in ctx memory; NULL on failure. */
extern uint32_t *rspg_trainer_features_rank(RspgTrainerFeatures *features,
											const uint32_t *item_rank);

/* Give the problem the features; what it needs is in ctx memory, returned to be
 * freed after training.  NULL if there are none. */
extern uint32_t *rspg_trainer_features_give(RspgTrainerFeatures *features,
											const uint32_t *user_rank, RsProblem *problem);

/* Put the encoder, if there is one, beside the model's weights. */
extern void rspg_trainer_features_add_encoder(RspgTrainerFeatures *features, RsModel *model);

#endif
