/*
 * trainer.h
 *		What a trainer is made of, for trainer.c and trainer_features.c.
 */
#ifndef RSPG_TRAINER_H
#define RSPG_TRAINER_H

#include "pg/train/dictionary.h"
#include "pg/base/rspg.h"

#include "portability/instr_time.h"

struct RspgTrainer
{
	MemoryContext mcxt;
	MemoryContextCallback at_reset;
	RsContext ctx;
	const RsAlgorithm *algorithm;
	RsOptions options;
	bool ordered; /* events have a time */
	Oid user_type;
	Oid item_type;
	RspgDictionary *users;
	RspgDictionary *items;
	RsEvents *events;
	RsModel model;
	RspgTrainStats stats;
	instr_time started;

	/* features: of each row (then a row is a user), or of known users */
	RsFeatures *features;
	bool by_row;
	uint32 *item_of_row;     /* by_row: code of each row's item */
	uint32 *row_of_user;     /* else: by code of the user */
	uint32 room;             /* of the array that is used */
	struct varlena *encoder; /* that made the features, NULL if none did */
};

/* Users so far. */
extern uint32 rspg_trainer_users(const RspgTrainer *trainer);

/* Bytes of the arrays above. */
extern Size rspg_trainer_feature_bytes(const RspgTrainer *trainer);

/* Rank of each user by what it is, whatever the order of the rows; NULL on failure. */
extern uint32_t *rspg_trainer_user_rank(RspgTrainer *trainer, const uint32_t *item_rank);

/* Give the problem the features; what it needs is in ctx memory, returned to be
 * freed after training. */
extern uint32_t *rspg_trainer_set_features(RspgTrainer *trainer, const uint32_t *user_rank,
										   RsProblem *problem);

/* Put the encoder beside the weights. */
extern void rspg_trainer_add_encoder(RspgTrainer *trainer);

/* Look at memory: an error where the bound is passed. */
extern void rspg_trainer_check_memory(RspgTrainer *trainer);

#endif
