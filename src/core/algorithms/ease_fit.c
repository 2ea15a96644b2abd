/*
 * ease_fit.c
 *		B of EASE from P = (G + L)^-1, by items or by users.
 *
 * With X' the rows scaled by N_u^-(e/2), G = X'^T X' and L diagonal:
 *
 *		by items:  factor G + L [n_items x n_items]
 *		by users:  P = L^-1 - L^-1 X'^T M X' L^-1,  M = (1 + X' L^-1 X'^T)^-1
 *				   [n_users x n_users]               (Woodbury)
 *
 * The cheaper one is taken.  Gram matrices come from the sparse rows: each row of
 * the triangle is summed by one thread, in the order of users (or items), so the
 * number of threads changes nothing.
 *
 * Single precision is taken where a bound on the condition proves it enough, as it
 * is for weights of any ordinary regularization or dropout; else double, with each
 * row of P held against what it must fulfil (ease_system.h).
 */
#include "core/algorithms/ease_fit.h"

#include "core/math/linalg.h"
#include "core/math/vec.h"

#include <math.h>
#include <string.h>

#define LARGEST_SYSTEM 100000 /* rows of a matrix to invert: 40 GB */
#define POWER_STEPS 4
#define SINGLE_CONDITION 3e5
#define TOLERANCE 1e-3 /* of what a row of P must fulfil */

/* N^-(e/2) of users [begin, end). */
static void
user_scales(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;

	(void) thread;
	for (uint64_t u = begin; u < end; u++)
	{
		double count = rs_rows_effective(&fit->problem->by_user, u);

		fit->user_scale[u] = count > 0 ? pow(count, -fit->option[RS_EASE_USER_EXPONENT] / 2) : 0;
	}
}

/* L, and the diagonal of G + L, of items [begin, end). */
static void
penalties(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	const RsRows *items = &fit->problem->by_item;
	double dropout = fit->option[RS_EASE_DROPOUT];

	(void) thread;
	for (uint64_t i = begin; i < end; i++)
	{
		double sum = 0;

		for (uint64_t u = items->start[i]; u < items->start[i + 1]; u++)
		{
			double x = items->weight[u] * fit->user_scale[items->index[u]];

			sum += x * x;
		}
		fit->penalty[i] = fit->option[RS_EASE_REGULARIZATION] + dropout / (1 - dropout) * sum;
		fit->gram[i] = fit->penalty[i] + sum;
	}
}

/* Choose the way, by the work: the cheaper one, or the one that is possible. */
static RsStatus
choose_way(RsContext *ctx, RsEaseFit *fit)
{
	double items = fit->problem->n_items;
	double users = fit->problem->n_users;
	double cells = (double) rs_rows_count(&fit->problem->by_user);

	fit->by_users = users < items &&
					(items > LARGEST_SYSTEM ||
					 users * users * users + 4 * (items + users) * cells < items * items * items);
	if ((fit->by_users ? users : items) > LARGEST_SYSTEM)
		return rs_fail(ctx, RS_ERR_LIMIT, "ease cannot take more than %d items or users",
					   LARGEST_SYSTEM);
	return RS_OK;
}

/* --- how well is it conditioned --- */

/* A vector times G + L, by way of users. */
typedef struct Product
{
	const RsEaseFit *fit;
	bool absolute; /* of the absolute values of X' */
	double *in;    /* [n_items] */
	double *users; /* [n_users] */
	double *out;   /* [n_items] */
} Product;

static inline double
signed_weight(const Product *product, float weight)
{
	return product->absolute ? fabsf(weight) : weight;
}

static void
product_by_users(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Product *product = arg;
	const RsRows *users = &product->fit->problem->by_user;

	(void) thread;
	for (uint64_t u = begin; u < end; u++)
	{
		double scale = product->fit->user_scale[u];
		double sum = 0;

		for (uint64_t i = users->start[u]; i < users->start[u + 1]; i++)
			sum += signed_weight(product, users->weight[i]) * product->in[users->index[i]];
		product->users[u] = sum * scale * scale;
	}
}

static void
product_by_items(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Product *product = arg;
	const RsRows *items = &product->fit->problem->by_item;

	(void) thread;
	for (uint64_t i = begin; i < end; i++)
	{
		double sum = product->fit->penalty[i] * product->in[i];

		for (uint64_t u = items->start[i]; u < items->start[i + 1]; u++)
			sum += signed_weight(product, items->weight[u]) * product->users[items->index[u]];
		product->out[i] = sum;
	}
}

static RsStatus
multiply(RsContext *ctx, Product *product)
{
	const RsProblem *problem = product->fit->problem;
	RsStatus status = rs_parallel_for(ctx, problem->n_users, 64, product_by_users, product);

	if (status == RS_OK)
		status = rs_parallel_for(ctx, problem->n_items, 8, product_by_items, product);
	return status;
}

/*
 * Is single precision not enough?  With S = diag(G + L)^-1/2 the condition of
 * S (G + L) S, which is what rounding sees, is at most b / min(L / diag(G + L)),
 * where b bounds its largest eigenvalue: max (A v)_i / v_i for any positive v and
 * its absolute values A (Collatz), here v after some steps of the power method.
 * Then the probe, (G + L) v for v of both signs.
 */
static RsStatus
choose_precision(RsContext *ctx, RsEaseFit *fit, Product *product)
{
	uint32_t n = fit->problem->n_items;
	double bound = INFINITY;
	double least = 1;

	for (uint32_t i = 0; i < n; i++)
	{
		product->in[i] = 1 / sqrt(fit->gram[i]); /* S v */
		least = fmin(least, fit->penalty[i] / fit->gram[i]);
	}
	product->absolute = true;
	for (int step = 0; step < POWER_STEPS; step++)
	{
		double most = 0;

		if (multiply(ctx, product) != RS_OK)
			return ctx->status;
		for (uint32_t i = 0; i < n; i++)
			most = fmax(most, product->out[i] / (product->in[i] * fit->gram[i]));
		for (uint32_t i = 0; i < n; i++)
			product->in[i] = product->out[i] / (fit->gram[i] * most);
		bound = fmin(bound, most);
	}
	if (fit->by_users)
		bound /= least * least;
	fit->wide = !(bound / least < SINGLE_CONDITION);
	for (uint32_t i = 0; i < n; i++)
		product->in[i] = (i % 2 == 0 ? 1 : -1) / sqrt(fit->gram[i]);
	product->absolute = false;
	return fit->wide ? multiply(ctx, product) : RS_OK;
}

/* --- both precisions --- */

/* Elements of scratch that a thread needs for a row from users. */
static size_t
scratch_reals(const RsEaseFit *fit)
{
	return ((size_t) fit->problem->n_users + fit->problem->n_items) * (fit->wide ? 2 : 1);
}

static void
axpy_double(double alpha, const double *x, double *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += alpha * x[i];
}

#define axpy_single rs_axpy

#define REAL float
#define NAME(name) name##_single
#include "core/algorithms/ease_system.h"

#define REAL double
#define NAME(name) name##_double
#include "core/algorithms/ease_system.h"

void
rs_ease_target(RsEaseFit *fit, uint32_t target, float *out, int thread)
{
	if (fit->wide)
		target_double(fit, target, out, thread);
	else
		target_single(fit, target, out, thread);
}

/* B = -P / diag(P), in place, rows [begin, end). */
static void
divide_rows(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	size_t n = fit->problem->n_items;

	(void) thread;
	for (uint64_t i = begin; i < end; i++)
	{
		float *row = fit->weights + i * n;
		bool good = true;

		for (size_t j = 0; j < n; j++)
		{
			row[j] = row[j] == 0 ? 0 : (float) (-row[j] / fit->diagonal[j]);
			good = good && isfinite(row[j]);
		}
		row[i] = 0;
		if (!good)
			__atomic_store_n(&fit->bad, 1, __ATOMIC_RELAXED);
	}
}

/* --- does it fit --- */

/* Bytes that are needed at the peak, beyond what is there. */
static double
bytes_needed(const RsEaseFit *fit, int threads)
{
	double real = fit->wide ? sizeof(double) : sizeof(float);
	double items = fit->problem->n_items;
	double users = fit->problem->n_users;
	double rows = fit->by_users ? users : items;
	double kept = fmin(fit->option[RS_EASE_NEIGHBORS], items);
	double later = fit->dense ? 4 * items * items : 16 * items * kept;
	double panels = (double) rs_spd_inverse_bytes((size_t) rows, (size_t) real);

	if (fit->dense && !fit->by_users && !fit->wide)
		later = 0; /* in place */
	if (fit->by_users)
		later += real * (double) scratch_reals(fit) * threads;
	return real * rows * rows + fmax(panels, later);
}

static RsStatus
too_large(RsContext *ctx, const RsEaseFit *fit, double bytes, double room)
{
	rs_fail(ctx, RS_ERR_LIMIT, "ease needs more memory for %u items than training may use",
			fit->problem->n_items);
	rs_detail(ctx, "It needs %.0f MB; %.0f MB are left under the bound.", ceil(bytes / 1048576),
			  room / 1048576);
	rs_hint(ctx,
			"About %.0f items fit: train on the most popular ones, raise recsys.train_memory to "
			"%.0f MB, or use item_knn.",
			floor(sqrt(room / 4)), ceil((bytes + (double) ctx->memory_used) / 1048576 * 1.02) + 1);
	return ctx->status;
}

/* Does it fit? */
static RsStatus
check_room(RsContext *ctx, const RsEaseFit *fit)
{
	double bytes = bytes_needed(fit, rs_parallel_threads(ctx));
	double room = INFINITY;

	if (ctx->memory_limit > 0)
		room = ctx->memory_used < ctx->memory_limit
				   ? (double) (ctx->memory_limit - ctx->memory_used)
				   : 0;
	return bytes <= room ? RS_OK : too_large(ctx, fit, bytes, room);
}

/* --- the solution --- */

RsStatus
rs_ease_unsolved(RsContext *ctx)
{
	rs_fail(ctx, RS_ERR_DIVERGED, "weights between items cannot be told from rounding");
	rs_detail(ctx, "Event weights are too uneven, or too large, for so little regularization.");
	rs_hint(ctx,
			"Raise the option \"regularization\" or \"dropout\", or use smaller event weights.");
	return ctx->status;
}

/* Fill the matrix and invert it. */
static RsStatus
invert(RsContext *ctx, RsEaseFit *fit)
{
	size_t n = fit->by_users ? fit->problem->n_users : fit->problem->n_items;
	RsLoopBody fill = fit->by_users ? (fit->wide ? user_gram_double : user_gram_single)
									: (fit->wide ? item_gram_double : item_gram_single);
	RsStatus status;

	fit->system = rs_alloc(ctx, n * n * (fit->wide ? sizeof(double) : sizeof(float)));
	if (fit->system == NULL)
		return ctx->status;
	rs_report(ctx, "multiplying", 0, 1, NAN);
	status = rs_parallel_for(ctx, n, 1, fill, fit);
	rs_report(ctx, "inverting", 0, 1, NAN);
	if (status == RS_OK)
		status = fit->wide ? rs_spd_inverse_double(ctx, fit->system, (int) n)
						   : rs_spd_inverse(ctx, fit->system, (int) n);
	return status == RS_ERR_DIVERGED ? rs_ease_unsolved(ctx) : status;
}

/* All of B. */
static RsStatus
fill_weights(RsContext *ctx, RsEaseFit *fit)
{
	size_t n = fit->problem->n_items;
	RsStatus status;

	if (fit->by_users || fit->wide)
		fit->weights = rs_alloc(ctx, n * n * sizeof(float));
	else
		fit->weights = fit->system; /* in place */
	if (fit->weights == NULL)
		return ctx->status;
	status = rs_parallel_for(ctx, n, 1, fit->wide ? keep_rows_double : keep_rows_single, fit);
	if (status == RS_OK)
		status = rs_parallel_for(ctx, n, 64, divide_rows, fit);
	return status == RS_OK && fit->bad ? rs_ease_unsolved(ctx) : status;
}

static RsStatus
prepare(RsContext *ctx, RsEaseFit *fit)
{
	const RsProblem *problem = fit->problem;
	Product product = {.fit = fit};
	RsStatus status = RS_OK;

	if ((fit->user_scale = rs_alloc(ctx, problem->n_users * sizeof(double))) == NULL ||
		(fit->penalty = rs_alloc(ctx, problem->n_items * sizeof(double))) == NULL ||
		(fit->gram = rs_alloc(ctx, problem->n_items * sizeof(double))) == NULL ||
		(fit->diagonal = rs_alloc(ctx, problem->n_items * sizeof(double))) == NULL ||
		(fit->probe = rs_alloc(ctx, problem->n_items * sizeof(double))) == NULL ||
		(product.users = rs_alloc(ctx, problem->n_users * sizeof(double))) == NULL)
		status = ctx->status;
	if (status == RS_OK)
		status = rs_parallel_for(ctx, problem->n_users, 64, user_scales, fit);
	if (status == RS_OK)
		status = rs_parallel_for(ctx, problem->n_items, 8, penalties, fit);
	product.in = fit->diagonal;
	product.out = fit->probe;
	if (status == RS_OK)
		status = choose_precision(ctx, fit, &product);
	rs_free(ctx, product.users);
	return status;
}

RsStatus
rs_ease_solve(RsContext *ctx, RsEaseFit *fit)
{
	RsStatus status = choose_way(ctx, fit);

	if (status == RS_OK)
		status = prepare(ctx, fit);
	if (status == RS_OK)
		status = check_room(ctx, fit);
	if (status == RS_OK)
		status = invert(ctx, fit);
	if (status == RS_OK && fit->by_users)
	{
		size_t real = fit->wide ? sizeof(double) : sizeof(float);

		fit->scratch = rs_alloc(ctx, (size_t) rs_parallel_threads(ctx) * scratch_reals(fit) * real);
		if (fit->scratch == NULL)
			return ctx->status;
	}
	return status == RS_OK && fit->dense ? fill_weights(ctx, fit) : status;
}

void
rs_ease_free(RsContext *ctx, RsEaseFit *fit)
{
	rs_free(ctx, fit->user_scale);
	rs_free(ctx, fit->penalty);
	rs_free(ctx, fit->gram);
	rs_free(ctx, fit->diagonal);
	rs_free(ctx, fit->probe);
	rs_free(ctx, fit->scratch);
	if ((void *) fit->weights != fit->system)
		rs_free(ctx, fit->weights);
	rs_free(ctx, fit->system);
}
