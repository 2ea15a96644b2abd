/*
 * create_features.h
 *		What recsys.create_model() checks of features and the relation of users.
 */
#ifndef RSPG_CREATE_FEATURES_H
#define RSPG_CREATE_FEATURES_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/model/algorithm.h"

/* Raise an error unless the algorithm can learn from these features (NULL: none)
 * of that relation of users. */
extern void rspg_check_features(const RsAlgorithm *algorithm, const RsOptions *options,
								Jsonb *features, Oid users, const char *user_column);

#endif
