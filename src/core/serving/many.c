/*
 * many.c
 *		Answers for many users at a time.
 *
 * Users go in pieces to the threads.  Of a model with factors a piece is one
 * product of matrices: rows in order of norm are packed side by side, 32 at a
 * time, and multiplied with the queries of all users of the piece whom the
 * Cauchy-Schwarz bound does not end yet (topk.c).  Such a product is summed in
 * another order than rs_dot.  Both are within g |q| |r| of the real one, so a row
 * whose product is below the k-th score by more than twice that is out; any
 * other is scored by rs_dot, which makes the hits those of one by one, bit for bit.
 */
#include "core/serving/many.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/threads.h"
#include "core/math/vec.h"
#include "core/serving/best.h"
#include "core/serving/serving.h"
#include "core/serving/view.h"

#define USERS 64 /* of a piece */
#define PACK 32  /* rows, as rs_products has them */

typedef struct Batch Batch;

/* What a thread has for itself. */
typedef struct Worker
{
	const Batch *batch;
	int thread;
	RsContext ctx; /* memory from malloc; asks the team for cancel */
	RsScratch *scratch;
	float *queries;  /* [USERS][dim]; by factors */
	float *pack;     /* [dim][PACK] */
	float *products; /* [USERS][PACK] */
} Worker;

struct Batch
{
	const RsServing *serving;
	const RsHistory *histories;
	const RsMask *masks;
	uint32_t n;
	uint32_t k;
	RsHit *hits;
	uint32_t *n_hits;
	RsTeam *team;
	Worker worker[RS_MAX_THREADS];
};

/* A user of a piece who may still get hits. */
typedef struct Active
{
	const float *query;
	double norm;
	RsTop top;
	uint32_t *n_hits;
} Active;

static bool
is_canceled(void *opaque)
{
	const Worker *worker = opaque;

	return rs_team_canceled(worker->batch->team, worker->thread);
}

/* The user's query into query[dim], and its norm; false where there is nothing to say. */
static bool
ask(Worker *worker, const RsHistory *history, float *query, double *norm)
{
	const RsModel *model = &worker->batch->serving->model;
	uint32_t dim = worker->batch->serving->factors.dim;

	memset(query, 0, dim * sizeof(float));
	if (history->n == 0 && history->features == NULL)
		return false;
	if (model->algorithm->query(&worker->ctx, model, history, query) != RS_OK)
		return false;
	*norm = rs_norm(query, dim);
	return !rs_all_zero(query, dim) && isfinite(*norm);
}

static void
pack_rows(const RsFactors *factors, uint32_t begin, uint32_t rows, float *pack)
{
	for (uint32_t j = 0; j < PACK; j++)
	{
		const float *row = factors->rows + (size_t) (begin + (j < rows ? j : 0)) * factors->dim;

		for (uint32_t d = 0; d < factors->dim; d++)
			pack[d * PACK + j] = row[d];
	}
}

/* Put those of a block's rows in that are among the best by their exact score. */
static void
take(const RsFactors *factors, Active *active, uint32_t begin, uint32_t rows, const float *products,
	 double margin)
{
	RsTop *top = &active->top;
	float least = (float) (rs_best_threshold(top) - margin);

	least = nextafterf(least, -INFINITY);
	for (uint32_t j = 0; j < rows; j++)
	{
		uint32_t item = factors->item[begin + j];
		float score;

		/* one that is not finite has left the numbers on the way and proves nothing */
		if ((products[j] < least && products[j] >= -FLT_MAX) || !rs_best_allows(top, item))
			continue;
		score = rs_dot(active->query, factors->rows + (size_t) (begin + j) * factors->dim,
					   factors->dim);
		if (score >= rs_best_threshold(top))
		{
			rs_best_add(top, item, score);
			least = nextafterf((float) (rs_best_threshold(top) - margin), -INFINITY);
		}
	}
}

/* Multiply blocks of rows with the queries, until nobody can get another hit. */
static void
multiply(Worker *worker, Active *active, uint32_t n)
{
	const RsFactors *factors = &worker->batch->serving->factors;
	double widen = rs_best_widen(factors->dim);
	double slack = rs_best_slack(factors->dim);
	const float *queries[USERS];

	for (uint32_t begin = 0; begin < factors->n && n > 0; begin += PACK)
	{
		uint32_t rows = factors->n - begin < PACK ? factors->n - begin : PACK;
		double norm = factors->norm[begin] + 0x1p-147;
		uint32_t left = 0;

		for (uint32_t i = 0; i < n; i++)
		{
			if (active[i].norm * norm * widen + slack < rs_best_threshold(&active[i].top))
			{
				if (rs_best_finish(&worker->ctx, &active[i].top) == RS_OK)
					*active[i].n_hits = active[i].top.n;
				continue;
			}
			active[left] = active[i];
			queries[left] = active[left].query;
			left++;
		}
		n = left;
		if (n == 0 || (begin % (64 * PACK) == 0 && is_canceled(worker)))
			return;
		pack_rows(factors, begin, rows, worker->pack);
		rs_products(queries, n, worker->pack, factors->dim, worker->products);
		for (uint32_t i = 0; i < n; i++)
			take(factors, &active[i], begin, rows, worker->products + (size_t) i * PACK,
				 2 * (active[i].norm * norm * (widen - 1) + slack));
	}
	for (uint32_t i = 0; i < n; i++)
		if (rs_best_finish(&worker->ctx, &active[i].top) == RS_OK)
			*active[i].n_hits = active[i].top.n;
}

static void
by_factors(Worker *worker, uint32_t begin, uint32_t end)
{
	const Batch *batch = worker->batch;
	uint32_t dim = batch->serving->factors.dim;
	Active active[USERS];
	uint32_t n = 0;

	for (uint32_t user = begin; user < end && worker->ctx.status == RS_OK; user++)
	{
		float *query = worker->queries + (size_t) (user - begin) * dim;
		double norm;

		if (ask(worker, &batch->histories[user], query, &norm))
			active[n++] =
				(Active){.query = query,
						 .norm = norm,
						 .top = {.mask = batch->masks != NULL ? &batch->masks[user] : NULL,
								 .k = batch->k,
								 .hits = batch->hits + (size_t) user * batch->k},
						 .n_hits = &batch->n_hits[user]};
	}
	if (worker->ctx.status == RS_OK)
		multiply(worker, active, n);
}

/* One user after the other. */
static void
one_by_one(Worker *worker, uint32_t begin, uint32_t end)
{
	const Batch *batch = worker->batch;

	for (uint32_t user = begin; user < end; user++)
	{
		const RsMask *mask = batch->masks != NULL ? &batch->masks[user] : NULL;
		RsRanking *ranking = rs_ranking_open(&worker->ctx, batch->serving, worker->scratch,
											 &batch->histories[user], mask);

		if (ranking == NULL ||
			rs_ranking_next(&worker->ctx, ranking, batch->k, batch->hits + (size_t) user * batch->k,
							&batch->n_hits[user]) != RS_OK)
			return;
	}
}

static void
piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Batch *batch = arg;
	Worker *worker = &batch->worker[thread];

	for (; begin < end && worker->ctx.status == RS_OK; begin++)
	{
		uint32_t from = (uint32_t) begin * USERS;
		uint32_t to = batch->n - from < USERS ? batch->n : from + USERS;

		if (worker->queries != NULL)
			by_factors(worker, from, to);
		else
			one_by_one(worker, from, to);
	}
}

static RsStatus
create_worker(RsContext *ctx, Batch *batch, int thread)
{
	const RsServing *serving = batch->serving;
	Worker *worker = &batch->worker[thread];
	size_t dim = serving->factors.dim;

	worker->batch = batch;
	worker->thread = thread;
	worker->ctx = rs_context_malloc();
	worker->ctx.interrupted = is_canceled;
	worker->ctx.opaque = worker;
	if (!serving->by_factors)
	{
		worker->scratch = rs_scratch_create(ctx, serving);
		return worker->scratch != NULL ? RS_OK : ctx->status;
	}
	worker->queries = rs_alloc(ctx, (USERS * dim + PACK * dim + USERS * PACK) * sizeof(float));
	if (worker->queries == NULL)
		return ctx->status;
	worker->pack = worker->queries + USERS * dim;
	worker->products = worker->pack + PACK * dim;
	return RS_OK;
}

/* What has gone wrong in a thread. */
static RsStatus
gather(RsContext *ctx, Batch *batch, int threads)
{
	for (int t = 0; t < threads; t++)
	{
		const RsContext *of_thread = &batch->worker[t].ctx;

		if (of_thread->status != RS_OK)
			return rs_fail(ctx, of_thread->status, "%s", of_thread->message);
	}
	return RS_OK;
}

static RsStatus
check(RsContext *ctx, const Batch *batch)
{
	for (uint32_t user = 0; user < batch->n; user++)
	{
		batch->n_hits[user] = 0;
		if ((user % 1024 == 0 && rs_check_interrupt(ctx) != RS_OK) ||
			rs_check_history(ctx, &batch->serving->model, &batch->histories[user]) != RS_OK)
			return ctx->status;
	}
	return RS_OK;
}

RsStatus
rs_serving_batch(RsContext *ctx, const RsServing *serving, uint32_t n, const RsHistory *histories,
				 const RsMask *masks, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	Batch *batch = rs_calloc(ctx, 1, sizeof(Batch));
	int threads = rs_parallel_threads(ctx);
	RsStatus status;

	if (batch == NULL)
		return ctx->status;
	*batch = (Batch){.serving = serving,
					 .histories = histories,
					 .masks = masks,
					 .n = n,
					 .k = k,
					 .hits = hits,
					 .n_hits = n_hits};
	status = check(ctx, batch);
	for (int t = 0; t < threads && status == RS_OK; t++)
		status = create_worker(ctx, batch, t);
	if (status == RS_OK && k > 0 && (batch->team = rs_team_start(ctx)) == NULL)
		status = ctx->status;
	if (status == RS_OK && k > 0)
		status = rs_team_run(ctx, batch->team, n / USERS + (n % USERS != 0), piece, batch);
	rs_team_stop(ctx, batch->team);
	if (status == RS_OK)
		status = gather(ctx, batch, threads);
	for (int t = 0; t < threads; t++)
	{
		rs_scratch_free(ctx, batch->worker[t].scratch);
		rs_free(ctx, batch->worker[t].queries);
	}
	rs_free(ctx, batch);
	return status;
}
