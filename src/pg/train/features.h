/*
 * features.h
 *		Vectors of features as arguments, and in a training.
 */
#ifndef RSPG_FEATURES_H
#define RSPG_FEATURES_H

#include "pg/base/rspg.h"

#include "utils/array.h"

/* The floats of features real[]; 22023 for nulls, for what is not finite or has
 * more than one dimension.  row > 0 names the row in errors. */
extern const float *rspg_features_array(ArrayType *array, int64 row, int *n);

/* A row that is a user of its own: its features and the item it took. */
extern void rspg_trainer_add_features(RspgTrainer *trainer, NullableDatum features,
									  NullableDatum item);

/* Features of a user by id, once all events were added. */
extern void rspg_trainer_add_user(RspgTrainer *trainer, Datum user, const float *values, int n);

/* The value of type recsys.encoder that made the features; goes into the model. */
extern void rspg_trainer_set_encoder(RspgTrainer *trainer, struct varlena *encoder);

#endif
