/*
 * problem.h
 *		What is trained on: events as sorted sparse rows.
 *
 * Events are appended one by one with small codes for users and items, in any
 * order.  Building turns them into rows by user and by item, or, for an
 * algorithm that cares for order, into one sequence a user.  The result does
 * not depend on the order in which events came: codes are renumbered by the
 * caller's ranks, duplicates are summed in the order of their weights.
 */
#ifndef RS_PROBLEM_H
#define RS_PROBLEM_H

#include "core/base/context.h"

typedef struct RsEvents RsEvents; /* growing list, kept in blocks */

/* timed: keep a time for each event (8 bytes more). NULL on failure. */
extern RsEvents *rs_events_create(RsContext *ctx, bool timed);
extern RsStatus rs_events_append(RsContext *ctx, RsEvents *events, uint32_t user, uint32_t item,
								 float weight, int64_t time);
extern uint64_t rs_events_count(const RsEvents *events);
extern void rs_events_free(RsContext *ctx, RsEvents *events);

/* Rows of floats, kept in blocks, so that they are there once (features.c). */
typedef struct RsFeatures RsFeatures;

/* width: floats a row.  NULL on failure. */
extern RsFeatures *rs_features_create(RsContext *ctx, uint32_t width);
extern RsStatus rs_features_append(RsContext *ctx, RsFeatures *features, const float *row);
extern const float *rs_features_row(const RsFeatures *features, uint32_t row);
extern uint32_t rs_features_count(const RsFeatures *features);
extern uint32_t rs_features_width(const RsFeatures *features);
extern void rs_features_free(RsContext *ctx, RsFeatures *features);

#define RS_NO_FEATURES UINT32_MAX

typedef struct RsProblem
{
	uint32_t n_users;
	uint32_t n_items;
	uint64_t n_events; /* as appended */
	uint64_t nnz;      /* distinct (user, item) with a sum other than 0 */

	/* by user: items ascending; by item: users ascending; NULL if timed */
	uint64_t *user_start; /* [n_users + 1] */
	uint32_t *user_item;  /* [nnz] */
	float *user_weight;
	uint64_t *item_start; /* [n_items + 1] */
	uint32_t *item_user;
	float *item_weight;

	/* timed: each user's events, oldest first, ties by item then weight */
	uint64_t *seq_start; /* [n_users + 1] */
	uint32_t *seq_item;  /* [n_events] */
	float *seq_weight;

	/* set by the caller after the build, and the caller's: NULL if there are none */
	const RsFeatures *features;
	const uint32_t *feature_row; /* [n_users] row in features, or RS_NO_FEATURES */
} RsProblem;

/*
 * Build from events and free them on the way, whatever happens.
 * user_rank[code] and item_rank[code] give the final numbers, each a
 * permutation of 0 .. n-1.  At the peak at most 16 bytes an event beyond the
 * events themselves.  RS_ERR_EMPTY when no weight other than 0 is left.
 */
extern RsStatus rs_problem_build(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
								 uint32_t n_users, const uint32_t *item_rank, uint32_t n_items,
								 RsProblem *problem);
extern void rs_problem_free(RsContext *ctx, RsProblem *problem);

#endif
