/*
 * alsrows.c
 *		Solves the rows of one side of a factorization, on several threads.
 *
 * The row x of a user with cells S solves
 *
 *		(ω YᵀY + α Σ |w| y yᵀ + λ (|S| + ω I)^ν) x = α Σ max(w, 0) y.
 *
 * Conjugate gradient from the last iteration's x applies the left side without
 * forming it (Takács, Pilászy, Tikk, Applications of the Conjugate Gradient
 * Method for Implicit Feedback Collaborative Filtering, RecSys 2011): a step
 * costs one pass over the row's vectors, which are copied to a contiguous place
 * in the first pass.  Cholesky forms the matrix and is exact.
 *
 * With r = b - A x, the value at x of the row's quadratic xᵀAx - 2bᵀx + c is
 * c - xᵀ(b + r), so the loss costs nothing.
 */
#include "core/algorithms/alsrows.h"

#include "core/base/threads.h"
#include "core/math/vec.h"

#include <math.h>
#include <string.h>

#define PIECE_WORK ((uint64_t) 1 << 21)
#define GRAM_WORK ((uint64_t) 1 << 24)
#define APPLY_WORK ((size_t) 1 << 22) /* floats of a row between two questions for cancel */
#define GRAM_BYTES ((size_t) 16 * 1024 * 1024)
#define GRAM_BLOCKS 64
#define COPY_BYTES ((size_t) 192 * 1024)
#define VECTORS 5

double
rs_als_penalty(const RsAlsSettings *settings, uint64_t count, uint64_t n_other)
{
	return settings->regularization *
		   pow((double) count + settings->unobserved * (double) n_other, settings->exponent);
}

RsStatus
rs_als_scratch_create(RsContext *ctx, const RsAlsSettings *settings, uint32_t rows,
					  RsAlsScratch *scratch)
{
	size_t width = settings->width;
	size_t square = width * width;
	size_t blocks = GRAM_BYTES / (square * sizeof(float));

	blocks = blocks < 4 ? 4 : blocks > GRAM_BLOCKS ? GRAM_BLOCKS : blocks;
	if (blocks > rows / 256 + 1)
		blocks = rows / 256 + 1;
	scratch->blocks = (uint32_t) blocks;
	scratch->copied = (uint32_t) (COPY_BYTES / (width * sizeof(float)));
	scratch->row_floats =
		VECTORS * width +
		(settings->solver == RS_ALS_CHOLESKY ? square : (size_t) scratch->copied * width);
	scratch->partial = rs_alloc(ctx, blocks * square * sizeof(float));
	scratch->rows =
		rs_alloc(ctx, (size_t) rs_parallel_threads(ctx) * scratch->row_floats * sizeof(float));
	return scratch->partial != NULL && scratch->rows != NULL ? RS_OK : ctx->status;
}

void
rs_als_scratch_free(RsContext *ctx, RsAlsScratch *scratch)
{
	rs_free(ctx, scratch->partial);
	rs_free(ctx, scratch->rows);
}

/* Where the piece that begins with row ends. */
static uint32_t
piece_end(const RsAlsSettings *settings, const RsAlsSide *side, uint32_t row)
{
	uint64_t work = 0;

	while (row < side->rows->n && work < PIECE_WORK)
	{
		uint64_t count = side->rows->start[row + 1] - side->rows->start[row];

		work += (count + settings->width) * settings->width;
		row++;
	}
	return row;
}

RsStatus
rs_als_cut(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side)
{
	uint64_t n = 0;

	for (uint32_t row = 0; row < side->rows->n; row = piece_end(settings, side, row))
		n++;
	side->pieces = n;
	side->piece_start = rs_alloc(ctx, (n + 1) * sizeof(uint32_t));
	side->piece_loss = rs_alloc(ctx, 2 * n * sizeof(double));
	if (side->piece_start == NULL || side->piece_loss == NULL)
		return ctx->status;
	side->piece_start[0] = 0;
	for (uint64_t i = 0; i < n; i++)
		side->piece_start[i + 1] = piece_end(settings, side, side->piece_start[i]);
	return RS_OK;
}

/* --- the Gram matrix --- */

typedef struct GramJob
{
	const RsAlsSide *side;
	size_t width;
	float *partial;
	uint64_t block_rows;
	uint64_t from; /* rows [from, from + step) of each block */
	uint64_t step;
} GramJob;

static void
gram_blocks(void *arg, uint64_t begin, uint64_t end, int thread)
{
	GramJob *job = arg;
	size_t square = job->width * job->width;

	(void) thread;
	for (uint64_t block = begin; block < end; block++)
	{
		float *partial = job->partial + block * square;
		uint64_t first = block * job->block_rows + job->from;
		uint64_t last = block * job->block_rows + job->from + job->step;

		if (job->from == 0)
			memset(partial, 0, square * sizeof(float));
		if (last > (block + 1) * job->block_rows)
			last = (block + 1) * job->block_rows;
		if (last > job->side->rows->n)
			last = job->side->rows->n;
		if (first < last)
			rs_add_outer(job->side->factors + first * job->width, NULL, NULL, last - first,
						 job->width, partial);
	}
}

RsStatus
rs_als_gram(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side, RsAlsScratch *scratch)
{
	size_t width = settings->width;
	GramJob job = {.side = side, .width = width, .partial = scratch->partial};

	job.block_rows = (side->rows->n + scratch->blocks - 1) / scratch->blocks;
	job.step = GRAM_WORK / (width * width) + 8;
	for (job.from = 0; job.from < job.block_rows; job.from += job.step)
	{
		RsStatus status = rs_parallel_for(ctx, scratch->blocks, 1, gram_blocks, &job);

		if (status != RS_OK)
			return status;
	}
	for (size_t i = 0; i < width; i++)
	{
		for (size_t j = i; j < width; j++)
		{
			double sum = 0;

			for (uint32_t block = 0; block < scratch->blocks; block++)
				sum += scratch->partial[(block * width + i) * width + j];
			side->gram[i * width + j] = (float) sum;
			side->gram[j * width + i] = (float) sum;
		}
	}
	return RS_OK;
}

/* --- rows --- */

typedef struct SolveJob
{
	const RsAlsSettings *settings;
	RsAlsSide *side;
	const RsAlsSide *other;
	const RsAlsScratch *scratch;
	atomic_bool diverged;
} SolveJob;

typedef struct Row
{
	RsApply cells;  /* its vectors and weights */
	float *x;       /* [width] */
	double penalty; /* λ (|S| + ω I)^ν */
	float *scratch; /* this thread's */
} Row;

/* out = A v, or A v - b if target; rhs gets b / α if not NULL. */
static void
apply_left_side(const SolveJob *job, Row *row, const float *v, float target, float *rhs,
				float *copy, float *out)
{
	const RsAlsSettings *settings = job->settings;
	size_t width = settings->width;
	float *observed = row->scratch + 4 * width;
	float alpha = (float) settings->alpha;
	float penalty = (float) row->penalty;

	memset(observed, 0, width * sizeof(float));
	if (rhs != NULL)
		memset(rhs, 0, width * sizeof(float));
	for (size_t j = 0; j < row->cells.count; j += APPLY_WORK / width)
	{
		RsApply part = row->cells;

		if (j > 0 && rs_loop_canceled())
			return;
		part.count = part.count - j < APPLY_WORK / width ? part.count - j : APPLY_WORK / width;
		part.weight += j;
		if (part.index != NULL)
			part.index += j;
		else
			part.rows += j * width;
		rs_apply(&part, v, target, observed, rhs, copy != NULL ? copy + j * width : NULL, width);
	}
	rs_matvec((float) settings->unobserved, job->other->gram, v, width, out);
	for (size_t i = 0; i < width; i++)
		out[i] += alpha * observed[i] + penalty * v[i];
}

/* Value of the row's quadratic: c - xᵀ(b + r), c = α Σ max(w, 0). */
static double
row_loss(const RsAlsSettings *settings, const Row *row, const float *b, const float *r)
{
	double constant = 0;
	double product = 0;

	for (size_t j = 0; j < row->cells.count; j++)
	{
		if (row->cells.weight[j] > 0.0f)
			constant += row->cells.weight[j];
	}
	for (size_t i = 0; i < settings->width; i++)
		product += row->x[i] * ((double) b[i] + (r != NULL ? r[i] : 0.0));
	return settings->alpha * constant - product;
}

static bool
solve_by_cg(const SolveJob *job, Row *row, double *loss)
{
	size_t width = job->settings->width;
	float *r = row->scratch;
	float *p = r + width;
	float *ap = p + width;
	float *b = ap + width;
	float *copy = row->cells.count <= job->scratch->copied ? row->scratch + VECTORS * width : NULL;
	float *x = row->x;
	float rr;
	float stop;

	apply_left_side(job, row, x, 1.0f, b, copy, r);
	for (size_t i = 0; i < width; i++)
	{
		r[i] = -r[i];
		p[i] = r[i];
		b[i] *= (float) job->settings->alpha;
	}
	if (copy != NULL)
	{
		row->cells.rows = copy;
		row->cells.index = NULL;
	}
	rr = rs_dot(r, r, width);
	stop = 1e-13f * rs_dot(b, b, width);
	for (int step = 0; step < job->settings->steps && rr > stop; step++)
	{
		float curvature;
		float rr_next;
		float scale;

		if (row->cells.count > APPLY_WORK / width && rs_loop_canceled())
			break;
		apply_left_side(job, row, p, 0.0f, NULL, NULL, ap);
		curvature = rs_dot(p, ap, width);
		if (!(curvature > 0.0f))
			break;
		rs_axpy(rr / curvature, p, x, width);
		rs_axpy(-rr / curvature, ap, r, width);
		rr_next = rs_dot(r, r, width);
		scale = rr_next / rr;
		for (size_t i = 0; i < width; i++)
			p[i] = r[i] + scale * p[i];
		rr = rr_next;
	}
	*loss = row_loss(job->settings, row, b, r);
	return isfinite(rr) && isfinite(rs_dot(x, x, width));
}

static bool
solve_by_cholesky(const SolveJob *job, Row *row, double *loss)
{
	size_t width = job->settings->width;
	float *b = row->scratch;
	float *a = row->scratch + VECTORS * width;
	float unobserved = (float) job->settings->unobserved;
	float alpha = (float) job->settings->alpha;

	for (size_t i = 0; i < width * width; i++)
		a[i] = unobserved * job->other->gram[i];
	memset(b, 0, width * sizeof(float));
	for (size_t j = 0; j < row->cells.count; j += 64)
	{
		size_t n = row->cells.count - j < 64 ? row->cells.count - j : 64;
		float weight[64];

		if (rs_loop_canceled())
			return false;
		for (size_t i = 0; i < n; i++)
		{
			float w = row->cells.weight[j + i];

			weight[i] = alpha * fabsf(w);
			if (w > 0.0f)
				rs_axpy(alpha * w, row->cells.rows + row->cells.index[j + i] * width, b, width);
		}
		rs_add_outer(row->cells.rows, row->cells.index + j, weight, n, width, a);
	}
	for (size_t i = 0; i < width; i++)
		a[i * width + i] += i < job->settings->factors ? (float) row->penalty : 1.0f;
	memcpy(row->x, b, width * sizeof(float));
	if (!rs_solve_spd_upper(a, row->x, width))
		return false;
	*loss = row_loss(job->settings, row, b, NULL);
	return isfinite(rs_dot(row->x, row->x, width));
}

/* Solve row i; false if it diverged. */
static bool
solve_row(const SolveJob *job, uint32_t i, float *scratch, double *loss, double *penalty)
{
	const RsAlsSide *side = job->side;
	size_t width = job->settings->width;
	uint64_t first = side->rows->start[i];
	uint64_t count = side->rows->start[i + 1] - first;
	Row row = {.cells = {.rows = job->other->factors,
						 .index = side->rows->index + first,
						 .weight = side->rows->weight + first,
						 .count = count},
			   .x = side->factors + i * width,
			   .scratch = scratch};
	bool finite;

	*loss = 0;
	*penalty = 0;
	if (count == 0)
	{
		memset(row.x, 0, width * sizeof(float));
		return true;
	}
	row.penalty = rs_als_penalty(job->settings, count, job->other->rows->n);
	if (job->settings->solver == RS_ALS_CHOLESKY)
		finite = solve_by_cholesky(job, &row, loss);
	else
		finite = solve_by_cg(job, &row, loss);
	*penalty = row.penalty * rs_dot(row.x, row.x, width);
	return finite;
}

static void
solve_pieces(void *arg, uint64_t begin, uint64_t end, int thread)
{
	SolveJob *job = arg;
	RsAlsSide *side = job->side;
	float *scratch = job->scratch->rows + (size_t) thread * job->scratch->row_floats;

	for (uint64_t piece = begin; piece < end; piece++)
	{
		double loss = 0;
		double penalty = 0;

		for (uint32_t i = side->piece_start[piece]; i < side->piece_start[piece + 1]; i++)
		{
			double row_loss_value;
			double row_penalty;

			if (!solve_row(job, i, scratch, &row_loss_value, &row_penalty))
				atomic_store_explicit(&job->diverged, true, memory_order_relaxed);
			loss += row_loss_value;
			penalty += row_penalty;
		}
		side->piece_loss[2 * piece] = loss;
		side->piece_loss[2 * piece + 1] = penalty;
	}
}

RsStatus
rs_als_solve(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side, const RsAlsSide *other,
			 RsAlsScratch *scratch, double *loss, double *penalty)
{
	SolveJob job = {.settings = settings, .side = side, .other = other, .scratch = scratch};
	RsStatus status = rs_parallel_for(ctx, side->pieces, 1, solve_pieces, &job);

	if (status != RS_OK)
		return status;
	*loss = 0;
	*penalty = 0;
	for (uint64_t piece = 0; piece < side->pieces; piece++)
	{
		*loss += side->piece_loss[2 * piece];
		*penalty += side->piece_loss[2 * piece + 1];
	}
	return job.diverged ? RS_ERR_DIVERGED : RS_OK;
}
