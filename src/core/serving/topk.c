/*
 * topk.c
 *		The k best items, exactly.
 *
 * The rows are kept by descending norm, in blocks of 32.  By Cauchy–Schwarz no
 * row of a block scores above |q| times the norm of its first row, so once that
 * bound is below the k-th best score the rest need not be read (LEMP: Teflioudi,
 * Gemulla and Mykytiuk 2015).
 *
 * The choice equals brute force bit for bit: whatever may appear is scored with
 * rs_dot, and a bound of the real product is widened by what float rounding can
 * add: |rs_dot - q·r| <= g |q| |r| with g = n u / (1 - n u), u = 2^-24, in any
 * order of summation (Higham 2002, §3.1), plus n times the smallest subnormal.
 * A row is ruled out only by a bound strictly below the k-th score, since an
 * equal score may win by its number.
 * The norms that a model brings along may be off by RS_NORM_TOLERANCE.
 */
#include "core/serving/topk.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"

#define BLOCK 32
#define POLL_FLOATS ((uint64_t) 1 << 22) /* read between two questions for cancel */
#define POLL_ITEMS 131072                /* sorted, or looked at */

/* --- the k best so far: a heap with the worst at the root --- */

typedef struct Best
{
	RsHit *hits;
	uint32_t k;
	uint32_t n;
} Best;

/* Does a come after b in the order of results? */
static inline bool
worse(RsHit a, RsHit b)
{
	return a.score < b.score || (a.score == b.score && a.item > b.item);
}

/* Let hit sink from position i of a heap of n. */
static void
sift_down(RsHit *hits, uint32_t n, uint32_t i, RsHit hit)
{
	for (;;)
	{
		uint64_t child = 2 * (uint64_t) i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && worse(hits[child + 1], hits[child]))
			child++;
		if (!worse(hits[child], hit))
			break;
		hits[i] = hits[child];
		i = (uint32_t) child;
	}
	hits[i] = hit;
}

/* Put a finite score in if it is among the k best. */
static void
best_add(Best *best, uint32_t item, float score)
{
	RsHit hit = {item, score};
	uint32_t i;

	if (best->n == best->k)
	{
		if (worse(best->hits[0], hit))
			sift_down(best->hits, best->n, 0, hit);
		return;
	}
	for (i = best->n++; i > 0 && worse(hit, best->hits[(i - 1) / 2]); i = (i - 1) / 2)
		best->hits[i] = best->hits[(i - 1) / 2];
	best->hits[i] = hit;
}

/* What a score must reach to be looked at; -inf while there is room. */
static inline float
best_threshold(const Best *best)
{
	return best->n == best->k ? best->hits[0].score : -INFINITY;
}

/* Sort the heap into the order of results. */
static RsStatus
best_finish(RsContext *ctx, Best *best, uint32_t *n_hits)
{
	for (uint32_t n = best->n; n > 1; n--)
	{
		RsHit last = best->hits[n - 1];

		if (n % POLL_ITEMS == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;

		best->hits[n - 1] = best->hits[0];
		sift_down(best->hits, n - 1, 0, last);
	}
	*n_hits = best->n;
	return RS_OK;
}

/* --- masks --- */

/* Word w of the items that may appear; bits beyond n are 0. */
static uint64_t
allowed_word(const RsMask *mask, uint32_t n, uint32_t w)
{
	uint64_t word = mask->include[w];

	if (mask->exclude != NULL)
		word &= ~mask->exclude[w];
	if (n / 64 == w)
		word &= ((uint64_t) 1 << (n % 64)) - 1;
	return word;
}

/* Is the include set so small that its rows are best looked up one by one? */
static bool
few_included(const RsMask *mask, uint32_t n)
{
	uint32_t most = n / 64 > 256 ? n / 64 : 256;
	uint32_t count = 0;

	if (mask == NULL || mask->include == NULL)
		return false;
	for (uint32_t w = 0; w < n / 64 + (n % 64 != 0) && count <= most; w++)
		count += (uint32_t) __builtin_popcountll(allowed_word(mask, n, w));
	return count <= most;
}

/* --- queries --- */

typedef struct Query
{
	RsContext *ctx;
	const RsFactors *factors;
	const float *vector;
	const RsMask *mask;
	bool cosine;
} Query;

/* Score of a row from its product; not finite where it must not appear. */
static inline float
row_score(const Query *query, uint32_t row, float product)
{
	if (!query->cosine)
		return product;
	return query->factors->norm[row] > 0 ? product / query->factors->norm[row] : NAN;
}

static RsStatus
scan_included(const Query *query, Best *best)
{
	const RsFactors *factors = query->factors;
	uint32_t n = factors->n;
	uint64_t read = 0;

	for (uint32_t w = 0; w < n / 64 + (n % 64 != 0); w++)
	{
		uint64_t word = allowed_word(query->mask, n, w);

		if ((read += (uint64_t) __builtin_popcountll(word) * factors->dim) >= POLL_FLOATS)
		{
			read = 0;
			if (rs_check_interrupt(query->ctx) != RS_OK)
				return query->ctx->status;
		}
		for (; word != 0; word &= word - 1)
		{
			uint32_t item = w * 64 + (uint32_t) __builtin_ctzll(word);
			uint32_t row = factors->row_of[item];
			float product =
				rs_dot(query->vector, factors->rows + (size_t) row * factors->dim, factors->dim);
			float score = row_score(query, row, product);

			if (isfinite(score))
				best_add(best, item, score);
		}
	}
	return RS_OK;
}

static void
scan_block(const Query *query, uint32_t begin, uint32_t end, Best *best)
{
	const RsFactors *factors = query->factors;
	const float *rows = factors->rows + (size_t) begin * factors->dim;
	float product[BLOCK];

	rs_dot_rows(query->vector, rows, end - begin, factors->dim, product);
	for (uint32_t row = begin; row < end; row++)
	{
		float score = row_score(query, row, product[row - begin]);

		if (score >= best_threshold(best) && isfinite(score) &&
			rs_mask_allows(query->mask, factors->item[row]))
			best_add(best, factors->item[row], score);
	}
}

/* Rows in order of norm, until no row that is left can be among the best. */
static RsStatus
scan_all(const Query *query, double query_norm, Best *best)
{
	const RsFactors *factors = query->factors;
	/* g, RS_NORM_TOLERANCE and the rounding of this product, generously */
	double widen = 1 + ((double) factors->dim + 16) * 0x1p-23;
	double slack = ((double) factors->dim + 16) * 0x1p-148;
	uint64_t read = 0;

	for (uint32_t begin = 0; begin < factors->n; begin += BLOCK)
	{
		uint32_t end = factors->n - begin < BLOCK ? factors->n : begin + BLOCK;

		if (!query->cosine &&
			query_norm * (factors->norm[begin] + 0x1p-147) * widen + slack < best_threshold(best))
			break;
		if ((read += (uint64_t) BLOCK * factors->dim) >= POLL_FLOATS)
		{
			read = 0;
			if (rs_check_interrupt(query->ctx) != RS_OK)
				return query->ctx->status;
		}
		scan_block(query, begin, end, best);
	}
	return RS_OK;
}

static RsStatus
run(const Query *query, uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	Best best = {hits, k, 0};
	double query_norm = rs_norm(query->vector, query->factors->dim);
	RsStatus status;

	*n_hits = 0;
	if (k == 0 || !isfinite(query_norm))
		return RS_OK;
	if (few_included(query->mask, query->factors->n))
		status = scan_included(query, &best);
	else
		status = scan_all(query, query_norm, &best);
	return status == RS_OK ? best_finish(query->ctx, &best, n_hits) : status;
}

RsStatus
rs_topk_factors(RsContext *ctx, const RsFactors *factors, const float *query, const RsMask *mask,
				uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	Query q = {ctx, factors, query, mask, false};

	return run(&q, k, hits, n_hits);
}

RsStatus
rs_topk_cosine(RsContext *ctx, const RsFactors *factors, const float *query, const RsMask *mask,
			   uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	Query q = {ctx, factors, query, mask, true};

	return run(&q, k, hits, n_hits);
}

RsStatus
rs_topk_scores(RsContext *ctx, const float *scores, uint32_t n, const RsMask *mask, bool skip_zero,
			   uint32_t k, RsHit *hits, uint32_t *n_hits)
{
	Best best = {hits, k, 0};

	*n_hits = 0;
	for (uint32_t i = 0; i < n && k > 0; i++)
	{
		float score = scores[i];

		if (i % POLL_ITEMS == POLL_ITEMS - 1 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (score >= best_threshold(&best) && isfinite(score) && !(skip_zero && score == 0) &&
			rs_mask_allows(mask, i))
			best_add(&best, i, score);
	}
	return best_finish(ctx, &best, n_hits);
}
