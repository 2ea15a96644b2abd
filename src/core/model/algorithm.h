/*
 * algorithm.h
 *		What an algorithm says of itself: all that training, model bytes, serving
 *		and SQL need to know of it.
 *
 * Each is the same three steps: train a model, turn a history into a query, find
 * the top k.  The rows stand in algorithms/algorithms.c.
 */
#ifndef RS_ALGORITHM_H
#define RS_ALGORITHM_H

#include "core/data/problem.h"
#include "core/model/model.h"
#include "core/model/scores.h"

/* What a user did: item numbers, oldest first where the model has read RS_SEQUENCES.
 * An item may stand several times; others sum its weights. */
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
	RS_QUERY_FACTORS, /* a vector: score = vector · item_factors of item i */
	RS_QUERY_SCORES   /* a score for each item; 0 = nothing known of it */
} RsQueryKind;

/* What of a score comes from where.  The parts sum to the score, up to rounding. */
typedef struct RsExplanation
{
	float *events;   /* [n] of each entry of the history; entries of one item share by weight */
	float *features; /* [n_features] of each feature of the user; NULL where none are given */
	float rest;      /* of nothing that is known of the user */
} RsExplanation;

/* Weights of an item for others: value[j] for item[j], ascending, or item NULL and a
 * value for every item. */
typedef struct RsItemRow
{
	uint32_t n;
	const uint32_t *item;
	const float *value;
} RsItemRow;

/* Flags of an algorithm, beside the forms of a problem that it reads (RS_CELLS,
 * RS_SEQUENCES). */
#define RS_HISTORY 16u    /* learns and answers from what a user did */
#define RS_FEATURES 32u   /* learns and answers from features of the users */
#define RS_IMPERSONAL 64u /* scores are the same for everybody, and 0 is one of them */

/* A tensor that a model must have. */
typedef struct RsTensorSpec
{
	const char *name;
	RsDtype dtype;
	int dims;
	uint64_t shape[2]; /* RS_ANY: as it is; of one dimension the first counts */
	bool optional;
} RsTensorSpec;

#define RS_ANY UINT64_MAX

struct RsAlgorithm
{
	const char *name;
	unsigned flags;
	RsQueryKind kind;
	const RsOption *options;  /* ends with a NULL name */
	const char *const *parts; /* prefixes of the models within, ends with NULL; NULL: none */

	/* Flags under these options, where events have a time or not.  NULL: as above. */
	unsigned (*flags_with)(const RsOptions *options, bool timed);

	/* Add tensors and parts to model (ids, options, popularity are set already);
	 * set iterations and loss. */
	RsStatus (*train)(RsContext *ctx, const RsProblem *problem, RsModel *model);

	/* All tensors of a model, from its options and its number of items; sizes of
	 * tensors it has may be looked at.  Not those that derived.h adds to
	 * item_popularity and item_factors.  How many; NULL: none. */
	int (*tensors)(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS]);

	/* Are the values right that tensors of these shapes have?  Floats are known to
	 * be finite, parts to be right.  NULL: they always are. */
	RsStatus (*check)(RsContext *ctx, const RsModel *model);

	/* Floats of features that the model takes.  NULL: it takes none. */
	uint32_t (*n_features)(const RsModel *model);

	/* Of RS_QUERY_FACTORS: fill out[columns of the factors], zeroed by the caller.
	 * May allocate scratch from ctx. */
	RsStatus (*query)(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out);
	uint32_t constants; /* the last so many floats of a query are the same for everybody */

	/* Of RS_QUERY_SCORES: add to scores, which the caller has cleared. */
	RsStatus (*score)(RsContext *ctx, const RsModel *model, const RsHistory *history,
					  RsScores *scores);

	/* Fill what is zeroed by the caller.  NULL: the score cannot be taken apart. */
	RsStatus (*explain)(RsContext *ctx, const RsModel *model, const RsHistory *history,
						uint32_t item, RsExplanation *out);
	const char *explain_method; /* a word for users; NULL: the parts are exact */

	/* The weights that an item of a history adds to the scores.  NULL: it is not that
	 * simple. */
	RsItemRow (*row)(const RsModel *model, uint32_t item);
};

/* Row by name in a table that ends with NULL, or NULL. */
extern const RsAlgorithm *rs_algorithm_find(const RsAlgorithm *const *table, const char *name);

/* Flags under these options; timed: events have a time. */
extern unsigned rs_algorithm_flags(const RsAlgorithm *algorithm, const RsOptions *options,
								   bool timed);

/*
 * Train: fills model from problem, which must have the forms that the flags name.
 * ids must outlive the model (they are not copied).  Sets item_popularity (sum of
 * weights a item, never below 0).
 */
extern RsStatus rs_train(RsContext *ctx, const RsAlgorithm *algorithm, const RsOptions *options,
						 const RsProblem *problem, const RsIds *ids, RsModel *model);

/* Train a part of model, in its algorithm's train. */
extern RsStatus rs_train_part(RsContext *ctx, const RsAlgorithm *algorithm,
							  const RsOptions *options, const RsProblem *problem, RsModel *model,
							  const char *prefix);

/* Has the model the tensors and parts that its algorithm says, and none else, of
 * right values?  RS_ERR_BYTES. */
extern RsStatus rs_model_check(RsContext *ctx, const RsModel *model);

/* Are all items of a history in the model?  RS_ERR_PARAM. */
extern RsStatus rs_check_history(RsContext *ctx, const RsModel *model, const RsHistory *history);

/*
 * Score of every item for a history: out[n_items].  What top k of the same query
 * would give, bit for bit.  RS_ERR_PARAM for an item that is not in the model.
 */
extern RsStatus rs_score_all(RsContext *ctx, const RsModel *model, const RsHistory *history,
							 float *out);

/*
 * Take a score apart: out->events has room for the history, out->features for its
 * features if there are any.  RS_ERR_PARAM for items that are not in the model, and
 * for an algorithm that cannot.
 */
extern RsStatus rs_explain(RsContext *ctx, const RsModel *model, const RsHistory *history,
						   uint32_t item, RsExplanation *out);

#endif
