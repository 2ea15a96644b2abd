/*
 * algorithm.h
 *		The table of algorithms.  Each is the same three steps: train a model,
 *		turn a history into a query, find the top k.
 *
 * A new algorithm is one file and one row in algorithm.c.
 */
#ifndef RS_ALGORITHM_H
#define RS_ALGORITHM_H

#include "core/base/context.h"
#include "core/model/model.h"
#include "core/model/options.h"
#include "core/data/problem.h"

/* What a user did: item numbers, oldest first where the algorithm is ordered.
 * An item may stand several times; unordered algorithms sum its weights. */
typedef struct RsHistory
{
	uint32_t n;
	const uint32_t *item;  /* < n_items */
	const float *weight;   /* finite */
	const float *features; /* of the user, finite; NULL: none given */
	uint32_t n_features;
} RsHistory;

/* How a query scores items. */
typedef enum RsQueryKind
{
	RS_QUERY_FACTORS, /* a vector: score = vector · factors of item i */
	RS_QUERY_SCORES   /* a score for each item; 0 = nothing known of it */
} RsQueryKind;

struct RsAlgorithm
{
	const char *name;
	bool ordered;   /* wants events in time order */
	bool may_order; /* takes them so where they have a time */
	bool features;  /* learns from features of the users too */
	RsQueryKind kind;
	const RsOption *options; /* ends with a NULL name */

	/* Add tensors to model (ids, options, popularity are set already); set
	 * iterations and loss. */
	RsStatus (*train)(RsContext *ctx, const RsProblem *problem, RsModel *model);

	/* Are the tensors all there, of the right shapes and ranges? */
	RsStatus (*check)(RsContext *ctx, const RsModel *model);

	/* Factors of the items, rs_alloc'ed: [n_items][*columns].  NULL: they are the
	 * tensor item_factors. */
	float *(*factors)(RsContext *ctx, const RsModel *model, uint32_t *columns);

	/* Fill out: [columns of the factors] or [n_items], zeroed by the caller.
	 * May allocate scratch from ctx. */
	RsStatus (*query)(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out);
};

/* Row by name, or NULL. */
extern const RsAlgorithm *rs_algorithm_find(const char *name);

/* All of them; ends with NULL. */
extern const RsAlgorithm *const *rs_algorithms(void);

/*
 * Train: fills model from problem.  ids must outlive the model (they are not
 * copied).  Sets item_popularity (sum of weights a item, never below 0).
 */
extern RsStatus rs_train(RsContext *ctx, const RsAlgorithm *algorithm, const RsOptions *options,
						 const RsProblem *problem, const RsIds *ids, RsModel *model);

/* Floats of features that a model of rs_mlp takes. */
extern uint32_t rs_mlp_features(const RsModel *model);

extern const RsAlgorithm rs_als;
extern const RsAlgorithm rs_ease;
extern const RsAlgorithm rs_item_knn;
extern const RsAlgorithm rs_mlp;
extern const RsAlgorithm rs_popularity;
extern const RsAlgorithm rs_sequence;

#endif
