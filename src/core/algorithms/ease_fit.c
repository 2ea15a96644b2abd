/*
 * ease_fit.c
 *		P = (G + L)^-1 of EASE, by items or by users.
 *
 * With X' the rows scaled by N_u^-(e/2), G = X'^T X' and L diagonal:
 *
 *		by items:  factor G + L [n_items x n_items]
 *		by users:  P = L^-1 - L^-1 X'^T M X' L^-1,  M = (1 + X' L^-1 X'^T)^-1
 *				   [n_users x n_users]               (Woodbury)
 *
 * The cheaper one that fits in the memory bound is taken.  Gram matrices come
 * from the sparse rows: each row of the triangle is summed by one thread, in the
 * order of users (or items), so the number of threads changes nothing.
 */
#include "core/algorithms/ease_fit.h"

#include "core/math/linalg.h"
#include "core/math/vec.h"

#include <math.h>
#include <string.h>

#define LARGEST_SYSTEM 100000 /* rows of a matrix to invert: 40 GB */

/* x'_ui */
static inline float
scaled(const RsEaseFit *fit, uint32_t user, float weight)
{
	return weight * fit->user_scale[user];
}

/* N^-(e/2) of users [begin, end). */
static void
user_scales(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;

	(void) thread;
	for (uint64_t u = begin; u < end; u++)
	{
		double count = rs_rows_effective(&fit->problem->by_user, u);

		fit->user_scale[u] =
			count > 0 ? (float) pow(count, -fit->option[RS_EASE_USER_EXPONENT] / 2) : 0;
	}
}

/* L of items [begin, end). */
static void
penalties(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	const RsRows *items = &fit->problem->by_item;
	double dropout = fit->option[RS_EASE_DROPOUT];
	uint64_t i;

	(void) thread;
	for (i = begin; i < end; i++)
	{
		double sum = 0;
		uint64_t u;

		for (u = items->start[i]; u < items->start[i + 1]; u++)
		{
			double x = scaled(fit, items->index[u], items->weight[u]);

			sum += x * x;
		}
		fit->penalty[i] =
			(float) (fit->option[RS_EASE_REGULARIZATION] + dropout / (1 - dropout) * sum);
	}
}

/* out[j] += x w_j scale_j over the entries j <= last of a row; scale NULL: 1. */
static inline void
add_row(const RsRows *rows, uint64_t row, uint64_t last, float x, const float *scale, float *out)
{
	for (uint64_t i = rows->start[row]; i < rows->start[row + 1] && rows->index[i] <= last; i++)
	{
		uint32_t j = rows->index[i];

		out[j] += x * (scale != NULL ? rows->weight[i] * scale[j] : rows->weight[i]);
	}
}

/* Lower triangle of G + L, rows [begin, end). */
static void
item_gram(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	const RsRows *items = &fit->problem->by_item;

	(void) thread;
	for (uint64_t item = begin; item < end; item++)
	{
		float *row = fit->items + item * items->n;

		memset(row, 0, items->n * sizeof(float));
		for (uint64_t u = items->start[item]; u < items->start[item + 1]; u++)
		{
			uint32_t user = items->index[u];
			float x = scaled(fit, user, items->weight[u]) * fit->user_scale[user];

			add_row(&fit->problem->by_user, user, item, x, NULL, row);
		}
		row[item] += fit->penalty[item];
	}
}

/* Lower triangle of 1 + X' L^-1 X'^T, rows [begin, end). */
static void
user_gram(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	const RsRows *users = &fit->problem->by_user;

	(void) thread;
	for (uint64_t user = begin; user < end; user++)
	{
		float *row = fit->users + user * users->n;

		memset(row, 0, users->n * sizeof(float));
		for (uint64_t i = users->start[user]; i < users->start[user + 1]; i++)
			add_row(&fit->problem->by_item, users->index[i], user,
					scaled(fit, (uint32_t) user, users->weight[i]) / fit->penalty[users->index[i]],
					fit->user_scale, row);
		row[user] += 1;
	}
}

void
rs_ease_inverse_row(const RsEaseFit *fit, uint32_t item, float *out, int thread)
{
	const RsRows *users = &fit->problem->by_user;
	const RsRows *items = &fit->problem->by_item;
	size_t n_users = users->n;
	float *y = fit->scratch + (size_t) thread * n_users;
	float own = fit->penalty[item];

	/* y = M X' e_item, out = X'^T y */
	memset(y, 0, n_users * sizeof(float));
	for (uint64_t i = items->start[item]; i < items->start[item + 1]; i++)
		rs_axpy(scaled(fit, items->index[i], items->weight[i]),
				fit->users + items->index[i] * n_users, y, n_users);
	memset(out, 0, items->n * sizeof(float));
	for (uint32_t u = 0; u < n_users; u++)
	{
		float scale = y[u] * fit->user_scale[u];

		if (scale != 0)
			add_row(users, u, UINT32_MAX, scale, NULL, out);
	}
	for (uint32_t i = 0; i < items->n; i++)
		out[i] = (i == item ? 1.0f - out[i] / own : -out[i] / own) / fit->penalty[i];
}

/* Rows [begin, end) of P, whole, from users. */
static void
inverse_rows(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsEaseFit *fit = arg;
	uint64_t item;

	for (item = begin; item < end; item++)
		rs_ease_inverse_row(fit, (uint32_t) item, fit->items + item * fit->problem->n_items,
							thread);
}

/* --- which way, and does it fit --- */

/* Bytes that one way needs at its peak, and multiplications. */
static double
bytes_needed(const RsEaseFit *fit, int threads, bool by_users)
{
	double items = fit->problem->n_items;
	double users = fit->problem->n_users;
	double kept = fit->option[RS_EASE_NEIGHBORS];
	double bytes = 0;

	if (kept > items)
		kept = items;
	if (fit->dense || !by_users)
		bytes += 4 * items * items;
	if (by_users)
		bytes += 4 * users * users + 4 * users * threads;
	if (!fit->dense)
		bytes += 16 * items * kept;
	return bytes;
}

static double
work_needed(const RsEaseFit *fit, bool by_users)
{
	double items = fit->problem->n_items;
	double users = fit->problem->n_users;

	if (!by_users)
		return items * items * items;
	return users * users * users +
		   4 * (items + users) * (double) rs_rows_count(&fit->problem->by_user);
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

/* Choose the way: the cheaper one among those that fit. */
static RsStatus
choose(RsContext *ctx, const RsEaseFit *fit, bool *by_users)
{
	int threads = rs_parallel_threads(ctx);
	double room = INFINITY;
	double items_bytes = bytes_needed(fit, threads, false);
	double users_bytes = bytes_needed(fit, threads, true);
	bool items_fit;
	bool users_fit;

	if (ctx->memory_limit > 0)
		room = ctx->memory_used < ctx->memory_limit
				   ? (double) (ctx->memory_limit - ctx->memory_used)
				   : 0;
	items_fit = items_bytes <= room && fit->problem->n_items <= LARGEST_SYSTEM;
	users_fit = users_bytes <= room && fit->problem->n_users <= LARGEST_SYSTEM;
	if (!items_fit && !users_fit)
	{
		if (isinf(room))
			return rs_fail(ctx, RS_ERR_LIMIT, "ease cannot take more than %d items or users",
						   LARGEST_SYSTEM);
		return too_large(ctx, fit, fmin(items_bytes, users_bytes), room);
	}
	*by_users = users_fit && (!items_fit || (fit->problem->n_users < fit->problem->n_items &&
											 work_needed(fit, true) < work_needed(fit, false)));
	return RS_OK;
}

/* --- the two ways --- */

static RsStatus
not_definite(RsContext *ctx, RsStatus status)
{
	if (status == RS_ERR_DIVERGED)
		rs_hint(ctx, "Raise the option \"regularization\", or use smaller event weights.");
	return status;
}

static RsStatus
solve_by_items(RsContext *ctx, RsEaseFit *fit)
{
	size_t n = fit->problem->n_items;
	RsStatus status;

	fit->items = rs_alloc(ctx, n * n * sizeof(float));
	if (fit->items == NULL)
		return ctx->status;
	rs_report(ctx, "multiplying", 0, 1, NAN);
	status = rs_parallel_for(ctx, n, 1, item_gram, fit);
	rs_report(ctx, "inverting", 0, 1, NAN);
	if (status == RS_OK)
		status = not_definite(ctx, rs_spd_inverse(ctx, fit->items, (int) n));
	return status;
}

static RsStatus
solve_by_users(RsContext *ctx, RsEaseFit *fit)
{
	size_t n_users = fit->problem->n_users;
	size_t n_items = fit->problem->n_items;
	RsStatus status;

	fit->users = rs_alloc(ctx, n_users * n_users * sizeof(float));
	if (fit->users == NULL)
		return ctx->status;
	fit->scratch = rs_alloc(ctx, (size_t) rs_parallel_threads(ctx) * n_users * sizeof(float));
	if (fit->scratch == NULL)
		return ctx->status;
	rs_report(ctx, "multiplying", 0, 1, NAN);
	status = rs_parallel_for(ctx, n_users, 1, user_gram, fit);
	rs_report(ctx, "inverting", 0, 1, NAN);
	if (status == RS_OK)
		status = not_definite(ctx, rs_spd_inverse(ctx, fit->users, (int) n_users));
	if (status != RS_OK || !fit->dense)
		return status;
	fit->items = rs_alloc(ctx, n_items * n_items * sizeof(float));
	if (fit->items == NULL)
		return ctx->status;
	return rs_parallel_for(ctx, n_items, 1, inverse_rows, fit);
}

RsStatus
rs_ease_solve(RsContext *ctx, RsEaseFit *fit)
{
	const RsProblem *problem = fit->problem;
	bool by_users = false;
	RsStatus status = choose(ctx, fit, &by_users);

	if (status != RS_OK)
		return status;
	if ((fit->user_scale = rs_alloc(ctx, problem->n_users * sizeof(float))) == NULL ||
		(fit->penalty = rs_alloc(ctx, problem->n_items * sizeof(float))) == NULL ||
		(fit->diagonal = rs_alloc(ctx, problem->n_items * sizeof(float))) == NULL)
		return ctx->status;
	status = rs_parallel_for(ctx, problem->n_users, 64, user_scales, fit);
	if (status == RS_OK)
		status = rs_parallel_for(ctx, problem->n_items, 64, penalties, fit);
	if (status != RS_OK)
		return status;
	return by_users ? solve_by_users(ctx, fit) : solve_by_items(ctx, fit);
}

void
rs_ease_free(RsContext *ctx, RsEaseFit *fit)
{
	rs_free(ctx, fit->user_scale);
	rs_free(ctx, fit->penalty);
	rs_free(ctx, fit->diagonal);
	rs_free(ctx, fit->items);
	rs_free(ctx, fit->users);
	rs_free(ctx, fit->scratch);
}
