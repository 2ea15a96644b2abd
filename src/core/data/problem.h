/*
 * problem.h
 *		What is trained on: events as sorted sparse rows, in one or both of two forms.
 *
 * Building does not depend on the order in which events came: codes are
 * renumbered by the caller's ranks, duplicates are summed in the order of their
 * weights, equal times are ordered by item and weight.
 */
#ifndef RS_PROBLEM_H
#define RS_PROBLEM_H

#include "core/data/events.h"
#include "core/data/features.h"
#include "core/data/rows.h"

/* The forms of a problem. */
#define RS_CELLS 1u     /* how much each user did with each item: by_user and by_item */
#define RS_SEQUENCES 2u /* what each user did, in order: events must have a time */

typedef struct RsProblem
{
	uint32_t n_users;
	uint32_t n_items;
	uint64_t n_events; /* as appended */

	/* one cell for each (user, item) whose weights sum to something other than 0 */
	RsRows by_user; /* items ascending */
	RsRows by_item; /* the same cells, users ascending */

	/* all events of each user, oldest first, ties by item, then weight */
	RsRows sequences;

	/* set by the caller after the build, and the caller's: NULL if there are none */
	const RsFeatures *features;
	const uint32_t *feature_row; /* [n_users] row in features, or RS_NO_FEATURES */
} RsProblem;

/*
 * Build the forms asked for from events and free them on the way, whatever
 * happens.  user_rank[code] and item_rank[code] give the final numbers, each a
 * permutation of 0 .. n-1.  At the peak at most 16 bytes an event beyond the
 * events themselves for one form.  RS_ERR_EMPTY when a form is left without a
 * weight other than 0.
 */
extern RsStatus rs_problem_build(RsContext *ctx, RsEvents *events, unsigned forms,
								 const uint32_t *user_rank, uint32_t n_users,
								 const uint32_t *item_rank, uint32_t n_items, RsProblem *problem);
extern void rs_problem_free(RsContext *ctx, RsProblem *problem);

/* What each user did, in order where the problem has it. */
extern const RsRows *rs_problem_histories(const RsProblem *problem);

#endif
