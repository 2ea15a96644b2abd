/*
 * als.c
 *		Matrix factorization of implicit feedback by alternating least squares.
 *
 * iALS (Hu, Koren, Volinsky, Collaborative Filtering for Implicit Feedback
 * Datasets, ICDM 2008) with the objective and the penalty of Rendle, Krichene,
 * Zhang, Koren, Revisiting the Performance of iALS on Item Recommendation
 * Benchmarks, RecSys 2022:
 *
 *		Σ_{(u,i) in S} α |w_ui| (p_ui - x_u·y_i)²  +  ω Σ_{u,i} (x_u·y_i)²
 *		+ λ (Σ_u (|S_u| + ω I)^ν |x_u|²  +  Σ_i (|S_i| + ω U)^ν |y_i|²)
 *
 * The preference p is 1 for a positive weight and 0 for a negative one: a
 * negative weight is confidence that the user does not want the item.  The
 * second sum runs over all cells, those of S too.
 *
 * A half step solves all users against the items or all items against the
 * users (alsrows.c).  Items come last, so that a history is answered as the
 * next half step would answer it: by the exact solution of its row.
 */
#include "core/model/algorithm.h"
#include "core/algorithms/alsrows.h"
#include "core/base/cells.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "core/math/vec.h"
#include "core/model/derived.h"

#include <math.h>
#include <string.h>

enum
{
	OPTION_FACTORS,
	OPTION_ITERATIONS,
	OPTION_ALPHA,
	OPTION_UNOBSERVED_WEIGHT,
	OPTION_REGULARIZATION,
	OPTION_REGULARIZATION_EXPONENT,
	OPTION_SOLVER,
	OPTION_CG_STEPS,
	OPTION_INIT_STDDEV,
	OPTION_TOLERANCE,
	OPTION_SEED
};

static const char *const solvers[] = {"cg", "cholesky", NULL};

static const RsOption options[] = {
	[OPTION_FACTORS] = {"factors", RS_OPTION_INT, 64, 1, 2048, NULL,
						"Length of the vector of a user or an item."},
	[OPTION_ITERATIONS] = {"iterations", RS_OPTION_INT, 15, 1, 1000, NULL,
						   "Most sweeps over users and items."},
	[OPTION_ALPHA] = {"alpha", RS_OPTION_REAL, 1, 1e-6, 1e6, NULL,
					  "Confidence in an event of weight 1."},
	[OPTION_UNOBSERVED_WEIGHT] = {"unobserved_weight", RS_OPTION_REAL, 0.1, 0, 1e6, NULL,
								  "Confidence that a user does not want any one item."},
	[OPTION_REGULARIZATION] = {"regularization", RS_OPTION_REAL, 0.003, 0, 1e6, NULL,
							   "Weight of the penalty on the length of vectors."},
	[OPTION_REGULARIZATION_EXPONENT] = {"regularization_exponent", RS_OPTION_REAL, 1, 0, 2, NULL,
										"How much more the vectors of frequent users and items "
										"are penalized: 0 not, 1 in proportion."},
	[OPTION_SOLVER] = {"solver", RS_OPTION_ENUM, RS_ALS_CG, 0, 1, solvers,
					   "How a vector is solved for: by a few steps of conjugate gradient from its "
					   "last value, or exactly."},
	[OPTION_CG_STEPS] = {"cg_steps", RS_OPTION_INT, 3, 1, 1000, NULL,
						 "Steps of conjugate gradient a vector and sweep."},
	[OPTION_INIT_STDDEV] = {"init_stddev", RS_OPTION_REAL, 0.1, 1e-6, 1e3, NULL,
							"Expected length of an item's vector at the start."},
	[OPTION_TOLERANCE] = {"tolerance", RS_OPTION_REAL, 0, 0, 1, NULL,
						  "Stop when the loss changes by less than this fraction of it."},
	[OPTION_SEED] = {"seed", RS_OPTION_INT, 0, 0, 9007199254740992.0, NULL,
					 "Start of the random numbers."},
	{.name = NULL}};

static void
read_settings(const RsOptions *values, RsAlsSettings *settings)
{
	memset(settings, 0, sizeof(*settings));
	settings->factors = (uint32_t) values->value[OPTION_FACTORS];
	settings->width = ((size_t) settings->factors + 15) / 16 * 16;
	settings->alpha = values->value[OPTION_ALPHA];
	settings->unobserved = values->value[OPTION_UNOBSERVED_WEIGHT];
	settings->regularization = values->value[OPTION_REGULARIZATION];
	settings->exponent = values->value[OPTION_REGULARIZATION_EXPONENT];
	settings->solver = (RsAlsSolver) values->value[OPTION_SOLVER];
	settings->steps = (int) values->value[OPTION_CG_STEPS];
}

/* --- training --- */

static RsStatus
init_items(RsContext *ctx, const RsAlsSettings *settings, const RsOptions *values, RsAlsSide *items)
{
	double scale = values->value[OPTION_INIT_STDDEV] / sqrt((double) settings->factors);
	uint64_t seed = (uint64_t) values->value[OPTION_SEED];

	for (uint32_t i = 0; i < items->rows->n; i++)
	{
		float *row = items->factors + i * settings->width;

		if (i % 256 == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		for (uint32_t f = 0; f < settings->factors; f++)
			row[f] = (float) (scale * rs_random_normal(seed, (uint64_t) i * settings->factors + f));
	}
	return RS_OK;
}

static RsStatus
create_side(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side)
{
	side->factors = rs_calloc(ctx, (size_t) side->rows->n * settings->width, sizeof(float));
	if (side->factors == NULL)
		return ctx->status;
	side->gram = rs_calloc(ctx, settings->width * settings->width, sizeof(float));
	if (side->gram == NULL)
		return ctx->status;
	return rs_als_cut(ctx, settings, side);
}

static void
free_side(RsContext *ctx, RsAlsSide *side)
{
	rs_free(ctx, side->factors);
	rs_free(ctx, side->gram);
	rs_free(ctx, side->piece_start);
	rs_free(ctx, side->piece_loss);
}

/* One sweep over users and items; *loss is the objective after it. */
static RsStatus
sweep(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *users, RsAlsSide *items,
	  RsAlsScratch *scratch, double *loss)
{
	double user_loss;
	double user_penalty;
	double item_penalty;
	RsStatus status;

	status = rs_als_solve(ctx, settings, users, items, scratch, &user_loss, &user_penalty);
	if (status == RS_OK)
		status = rs_als_gram(ctx, settings, users, scratch);
	if (status == RS_OK)
		status = rs_als_solve(ctx, settings, items, users, scratch, loss, &item_penalty);
	if (status == RS_OK)
		status = rs_als_gram(ctx, settings, items, scratch);
	if (status != RS_OK)
		return status;
	*loss += user_penalty;
	if (!isfinite(*loss) || !isfinite(rs_norm(items->gram, settings->width * settings->width)))
		return RS_ERR_DIVERGED;
	return RS_OK;
}

static RsStatus
fit(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *users, RsAlsSide *items,
	RsAlsScratch *scratch, RsModel *model)
{
	int iterations = (int) model->options.value[OPTION_ITERATIONS];
	double tolerance = model->options.value[OPTION_TOLERANCE];
	RsStatus status = rs_als_gram(ctx, settings, items, scratch);

	model->iterations = 0;
	model->loss = NAN;
	rs_report(ctx, "fitting", 0, iterations, NAN);
	while (status == RS_OK && model->iterations < iterations)
	{
		double before = model->loss;
		double loss = NAN;

		status = sweep(ctx, settings, users, items, scratch, &loss);
		if (status == RS_ERR_DIVERGED)
		{
			rs_fail(ctx, status, "training diverged after %d iterations", model->iterations);
			rs_hint(ctx, "Lower alpha or the weights, or raise regularization.");
		}
		if (status != RS_OK)
			return status;
		model->iterations++;
		model->loss = loss;
		rs_report(ctx, "fitting", model->iterations, iterations, loss);
		if (tolerance > 0 && fabs(before - loss) <= tolerance * fabs(before))
			break;
	}
	return status;
}

/* Close the gaps between rows of width and of factors; the model gets both. */
static RsStatus
hand_over(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *items, RsModel *model)
{
	uint32_t factors = settings->factors;
	RsStatus status;

	for (size_t i = 1; i < items->rows->n; i++)
	{
		if (i % 4096 == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		memmove(items->factors + i * factors, items->factors + i * settings->width,
				factors * sizeof(float));
	}
	for (size_t i = 1; i < factors; i++)
		memmove(items->gram + i * factors, items->gram + i * settings->width,
				factors * sizeof(float));
	status = rs_factors_add(ctx, model, items->factors, factors);
	if (status != RS_OK)
		return status;
	items->factors = NULL;
	status = rs_model_add(ctx, model, "gram", RS_F32, 2, factors, factors, items->gram, true);
	if (status == RS_OK)
		items->gram = NULL;
	return status;
}

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	RsAlsSettings settings;
	RsAlsScratch scratch = {0};
	RsAlsSide users = {.rows = &problem->by_user};
	RsAlsSide items = {.rows = &problem->by_item};
	RsStatus status;

	read_settings(&model->options, &settings);
	status = create_side(ctx, &settings, &items);
	if (status == RS_OK)
		status = create_side(ctx, &settings, &users);
	if (status == RS_OK)
		status = rs_als_scratch_create(
			ctx, &settings,
			problem->n_users > problem->n_items ? problem->n_users : problem->n_items, &scratch);
	if (status == RS_OK)
		status = init_items(ctx, &settings, &model->options, &items);
	if (status == RS_OK)
		status = fit(ctx, &settings, &users, &items, &scratch, model);
	free_side(ctx, &users);
	rs_als_scratch_free(ctx, &scratch);
	if (status == RS_OK)
		status = hand_over(ctx, &settings, &items, model);
	free_side(ctx, &items);
	return status;
}

/* --- answering --- */

#define SMALL_WORK 1e7 /* multiplications that are done before anybody waits */

static int
tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS])
{
	uint64_t n = (uint64_t) model->options.value[OPTION_FACTORS];

	specs[0] = (RsTensorSpec){RS_FACTORS, RS_F32, 2, {model->ids.n, n}, false};
	specs[1] = (RsTensorSpec){"gram", RS_F32, 2, {n, n}, false};
	return 2;
}

/* The system of a user's row, A x = b (alsrows.c). */
typedef struct Row
{
	RsAlsSettings settings;
	RsCells cells; /* of the history */
	float *a;      /* [factors][factors] */
} Row;

static RsStatus
create_row(RsContext *ctx, const RsModel *model, const RsHistory *history, Row *row)
{
	size_t k;

	read_settings(&model->options, &row->settings);
	k = row->settings.factors;
	if (rs_cells_create(ctx, history->item, history->weight, history->n, &row->cells) != RS_OK)
		return ctx->status;
	row->a = rs_alloc(ctx, k * k * sizeof(float));
	if (row->a == NULL)
		rs_cells_free(ctx, &row->cells);
	return row->a != NULL ? RS_OK : ctx->status;
}

static void
free_row(RsContext *ctx, Row *row)
{
	rs_cells_free(ctx, &row->cells);
	rs_free(ctx, row->a);
}

typedef struct Solution
{
	const RsModel *model;
	Row *row;
	float *x; /* b before */
} Solution;

/* The one piece of a loop, so that it can be canceled on the way.  A matrix that
 * cannot be solved (strangers' bytes) says nothing of the user: 0. */
static void
solve(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Solution *solution = arg;
	const RsModel *model = solution->model;
	Row *row = solution->row;
	float *x = solution->x;
	RsCells *cells = &row->cells;
	size_t k = row->settings.factors;
	RsFactors factors = rs_model_factors(model);
	const float *gram = rs_model_tensor(model, "gram")->data;
	float penalty = (float) rs_als_penalty(&row->settings, cells->n, model->ids.n);

	(void) begin;
	(void) end;
	(void) thread;
	for (size_t i = 0; i < k * k; i++)
		row->a[i] = (float) row->settings.unobserved * gram[i];
	for (size_t j = 0; j < cells->n; j++)
	{
		cells->item[j] = factors.row_of[cells->item[j]];
		cells->weight[j] = (float) row->settings.alpha * fabsf(cells->weight[j]);
	}
	for (uint32_t j = 0; j < cells->n && !rs_loop_canceled(); j += 64)
		rs_add_outer(factors.rows, cells->item + j, cells->weight + j,
					 cells->n - j < 64 ? cells->n - j : 64, k, row->a);
	for (size_t i = 0; i < k; i++)
		row->a[i * k + i] += penalty;
	if (!rs_solve_spd_upper(row->a, x, k) || !isfinite(rs_dot(x, x, k)))
		memset(x, 0, k * sizeof(float));
}

/* Solve for the b that x holds; uses the row up. */
static RsStatus
solve_row(RsContext *ctx, const RsModel *model, Row *row, float *x)
{
	Solution solution = {model, row, x};
	double k = row->settings.factors;

	if (k * k * (k + row->cells.n) > SMALL_WORK)
		return rs_parallel_for(ctx, 1, 1, solve, &solution);
	solve(&solution, 0, 1, 0);
	return RS_OK;
}

static RsStatus
query(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	RsFactors factors = rs_model_factors(model);
	Row row;
	RsStatus status = RS_OK;

	if (history->n == 0)
		return RS_OK;
	if (create_row(ctx, model, history, &row) != RS_OK)
		return ctx->status;
	for (size_t j = 0; j < row.cells.n && status == RS_OK; j++)
	{
		if (row.cells.weight[j] > 0)
			rs_axpy((float) row.settings.alpha * row.cells.weight[j],
					rs_factors_row(&factors, row.cells.item[j]), out, factors.dim);
		if (j % 1024 == 1023)
			status = rs_check_interrupt(ctx);
	}
	if (row.cells.n > 0 && status == RS_OK)
		status = solve_row(ctx, model, &row, out);
	free_row(ctx, &row);
	return status;
}

/* The score of item i is y_i·A⁻¹b, so with z = A⁻¹y_i an entry of item j adds
 * α w y_j·z (Hu, Koren, Volinsky, section 5). */
static RsStatus
explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
		RsExplanation *out)
{
	RsFactors factors = rs_model_factors(model);
	size_t k = factors.dim;
	float *z = rs_alloc(ctx, k * sizeof(float));
	Row row;
	RsStatus status;

	if (z == NULL || create_row(ctx, model, history, &row) != RS_OK)
	{
		rs_free(ctx, z);
		return ctx->status;
	}
	for (uint32_t i = 0; i < history->n; i++)
		out->events[i] = rs_cells_weight(&row.cells, history->item[i]) > 0
							 ? (float) row.settings.alpha * history->weight[i]
							 : 0;
	memcpy(z, rs_factors_row(&factors, item), k * sizeof(float));
	status = solve_row(ctx, model, &row, z);
	for (uint32_t i = 0; i < history->n && status == RS_OK; i++)
	{
		out->events[i] *= rs_dot(rs_factors_row(&factors, history->item[i]), z, k);
		if (i % 1024 == 1023)
			status = rs_check_interrupt(ctx);
	}
	free_row(ctx, &row);
	rs_free(ctx, z);
	return status;
}

const RsAlgorithm rs_als = {
	.name = "als",
	.flags = RS_CELLS | RS_HISTORY,
	.kind = RS_QUERY_FACTORS,
	.options = options,
	.train = train,
	.tensors = tensors,
	.query = query,
	.explain = explain,
};
