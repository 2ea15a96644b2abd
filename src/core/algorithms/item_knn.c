/*
 * item_knn.c
 *		Items that the same users have: normalised co-occurrence.
 *
 *		S_ji = sum_u w_uj w_ui N_u^-2a / (D_j^b D_i^c + h)
 *
 * j the source (what a user has), i the target (what is scored); N_u = how many
 * items the user has, D_i = how many users the item has, both as effective numbers
 * (rs_rows_effective).  They have no scale: weights that have decayed to nothing
 * make nothing large.  a, b, c = user_exponent, source_exponent, target_exponent,
 * h = shrinkage.  With a = 0 and b = c = .5 it is the cosine where weights are
 * equal (Sarwar et al. 2001; shrinkage as in Bell & Koren 2007); a > 0 takes away
 * from users who have everything, b > c from popular sources more than from
 * popular targets.  A query is the sum of the rows of a history times its weights, so a
 * negative weight lowers an item's neighbours.
 *
 * `neighbors` entries are kept of each target's sources, or of each source's
 * targets: the first was better where items have many users, the second where the
 * catalogue is large and sparse (docs/measurements/quality.md).
 */
#include "core/algorithms/item_rows.h"
#include "core/algorithms/item_rows_build.h"

#include "core/base/threads.h"

#include <math.h>
#include <string.h>

enum
{
	USER_EXPONENT,
	SOURCE_EXPONENT,
	TARGET_EXPONENT,
	SHRINKAGE,
	NEIGHBORS,
	NEIGHBORS_OF
};

static const char *const neighbors_of[] = {"target", "source", NULL};

static const RsOption options[] = {
	{"user_exponent", RS_OPTION_REAL, 0.5, 0, 2, NULL,
	 "How much users with many items count less: each is divided by that power of its length."},
	{"source_exponent", RS_OPTION_REAL, 0.6, 0, 2, NULL,
	 "How much popular items of the history count less."},
	{"target_exponent", RS_OPTION_REAL, 0.3, 0, 2, NULL,
	 "How much popular items are recommended less."},
	{"shrinkage", RS_OPTION_REAL, 0, 0, 1e9, NULL,
	 "Added to the denominator: lowers similarities that few users support."},
	{"neighbors", RS_OPTION_INT, 200, 0, RS_MAX_ITEMS, NULL,
	 "Strongest neighbors kept of each item, 0 for all."},
	{"neighbors_of", RS_OPTION_ENUM, 0, 0, 1, neighbors_of,
	 "Whose neighbors are counted: those of an item that is scored (target), or of an item of the "
	 "history (source), which suits large catalogues with few events an item."},
	{.name = NULL},
};

typedef struct KnnLoop
{
	const RsProblem *problem;
	double *user_factor;   /* [n_users] N^-2a */
	double *source_factor; /* [n_items] D^b */
	double *target_factor; /* [n_items] D^c */
	const double *option;
} KnnLoop;

/* N^-2a of users [begin, end). */
static void
user_norms(void *arg, uint64_t begin, uint64_t end, int thread)
{
	KnnLoop *loop = arg;

	(void) thread;
	for (uint64_t u = begin; u < end; u++)
	{
		double count = rs_rows_effective(&loop->problem->by_user, u);

		loop->user_factor[u] = count > 0 ? pow(count, -2 * loop->option[USER_EXPONENT]) : 0;
	}
}

/* D^b and D^c of items [begin, end). */
static void
item_norms(void *arg, uint64_t begin, uint64_t end, int thread)
{
	KnnLoop *loop = arg;

	(void) thread;
	for (uint64_t i = begin; i < end; i++)
	{
		double count = rs_rows_effective(&loop->problem->by_item, i);

		loop->source_factor[i] = pow(count, loop->option[SOURCE_EXPONENT]);
		loop->target_factor[i] = pow(count, loop->option[TARGET_EXPONENT]);
	}
}

/* All neighbors of one item: its sources if it is a target, or the reverse. */
static void
neighbor_row(void *arg, uint32_t item, RsRowScratch *row, int thread)
{
	const KnnLoop *loop = arg;
	const RsRows *users = &loop->problem->by_user;
	const RsRows *items = &loop->problem->by_item;
	bool is_source = loop->option[NEIGHBORS_OF] != 0;
	const double *factor = is_source ? loop->target_factor : loop->source_factor;
	double own = is_source ? loop->source_factor[item] : loop->target_factor[item];
	uint64_t done = 0;
	uint64_t u;
	uint32_t i;

	(void) thread;
	for (u = items->start[item]; u < items->start[item + 1]; u++)
	{
		uint32_t user = items->index[u];
		float scale = (float) (items->weight[u] * loop->user_factor[user]);
		uint64_t j;

		for (j = users->start[user]; j < users->start[user + 1]; j++)
			rs_row_add(row, users->index[j], scale * users->weight[j]);
		if (rs_loop_worked(&done, users->start[user + 1] - users->start[user]))
			return;
	}
	for (i = 0; i < row->n; i++)
	{
		uint32_t other = row->touched[i];

		row->sum[other] =
			(float) (row->sum[other] / (factor[other] * own + loop->option[SHRINKAGE]));
	}
}

static RsStatus
fit(RsContext *ctx, const RsProblem *problem, RsModel *model, KnnLoop *loop)
{
	RsRowPlan plan = {.n_items = problem->n_items,
					  .neighbors = (uint32_t) loop->option[NEIGHBORS],
					  .by_target = loop->option[NEIGHBORS_OF] == 0,
					  .phase = "comparing items",
					  .body = neighbor_row,
					  .arg = loop};
	RsStatus status;

	loop->user_factor = rs_alloc(ctx, problem->n_users * sizeof(double));
	if (loop->user_factor == NULL)
		return ctx->status;
	loop->source_factor = rs_alloc(ctx, problem->n_items * sizeof(double));
	if (loop->source_factor == NULL)
		return ctx->status;
	loop->target_factor = rs_alloc(ctx, problem->n_items * sizeof(double));
	if (loop->target_factor == NULL)
		return ctx->status;
	status = rs_parallel_for(ctx, problem->n_users, 64, user_norms, loop);
	if (status == RS_OK)
		status = rs_parallel_for(ctx, problem->n_items, 64, item_norms, loop);
	if (status == RS_OK)
		status = rs_item_rows_build(ctx, &plan, model);
	return status;
}

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	KnnLoop loop = {.problem = problem, .option = model->options.value};
	RsStatus status = fit(ctx, problem, model, &loop);

	rs_free(ctx, loop.user_factor);
	rs_free(ctx, loop.source_factor);
	rs_free(ctx, loop.target_factor);
	if (status == RS_OK)
		model->iterations = 1;
	return status;
}

const RsAlgorithm rs_item_knn = {
	.name = "item_knn",
	.flags = RS_CELLS | RS_HISTORY,
	.kind = RS_QUERY_SCORES,
	.options = options,
	.train = train,
	.tensors = rs_item_rows_tensors,
	.check = rs_item_rows_check,
	.score = rs_item_rows_score,
	.explain = rs_item_rows_explain,
	.row = rs_item_rows_row,
};
