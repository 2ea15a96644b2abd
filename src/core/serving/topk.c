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
 *
 * Rows with a NaN or an infinity are left out: no product with them is finite.
 */
#include "core/serving/topk.h"

#include <math.h>
#include <string.h>

#include "core/base/sort.h"
#include "core/math/vec.h"

#define BLOCK 32

struct RsFactorIndex
{
	uint32_t n;      /* items */
	uint32_t n_rows; /* of them finite */
	uint32_t dim;
	size_t bytes;
	float *rows;      /* [n_rows][dim], norm descending */
	float *norm;      /* [n_rows], nearest float */
	uint32_t *item;   /* [n_rows] number of the row's item */
	uint32_t *row_of; /* [n] and back; n where left out */
};

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

/* Sort the heap into the order of results; how many. */
static uint32_t
best_finish(Best *best)
{
	for (uint32_t n = best->n; n > 1; n--)
	{
		RsHit last = best->hits[n - 1];

		best->hits[n - 1] = best->hits[0];
		sift_down(best->hits, n - 1, 0, last);
	}
	return best->n;
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

/* --- the index --- */

/* Norms of all rows; those not finite get 0 and their number in *left_out. */
static void
fill_norms(const float *factors, uint32_t n, uint32_t dim, float *norm, uint32_t *row_of,
		   uint32_t *left_out)
{
	*left_out = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		double value = rs_norm(factors + (size_t) i * dim, dim);
		bool finite = isfinite(value);

		/* A sum of squares in double cannot overflow, so this is about the row. */
		norm[i] = finite ? (float) value : 0;
		row_of[i] = finite ? 0 : n;
		*left_out += finite ? 0 : 1;
	}
}

/* Copy the rows that are kept in the order given; norm is used up. */
static void
fill_rows(RsFactorIndex *index, const float *factors, const float *norm, const uint32_t *order)
{
	size_t dim = index->dim;
	uint32_t row = 0;

	for (uint32_t i = 0; i < index->n; i++)
	{
		uint32_t item = order[i];

		if (index->row_of[item] == index->n)
			continue;
		memcpy(index->rows + row * dim, factors + item * dim, dim * sizeof(float));
		index->norm[row] = norm[item];
		index->item[row] = item;
		index->row_of[item] = row++;
	}
}

RsFactorIndex *
rs_factor_index_create(RsContext *ctx, const float *factors, uint32_t n, uint32_t dim)
{
	RsFactorIndex *index = rs_calloc(ctx, 1, sizeof(RsFactorIndex));
	float *norm = rs_calloc(ctx, n, sizeof(float));
	uint32_t *order = rs_calloc(ctx, n, sizeof(uint32_t));
	uint32_t left_out;

	if (index == NULL || norm == NULL || order == NULL)
		goto failed;
	index->n = n;
	index->dim = dim;
	index->row_of = rs_calloc(ctx, n, sizeof(uint32_t));
	if (index->row_of == NULL)
		goto failed;
	fill_norms(factors, n, dim, norm, index->row_of, &left_out);
	if (rs_order_descending(ctx, norm, n, order) != RS_OK)
		goto failed;
	index->n_rows = n - left_out;
	index->rows = rs_alloc(ctx, (size_t) index->n_rows * dim * sizeof(float));
	index->norm = rs_alloc(ctx, (size_t) index->n_rows * sizeof(float));
	index->item = rs_alloc(ctx, (size_t) index->n_rows * sizeof(uint32_t));
	if (index->rows == NULL || index->norm == NULL || index->item == NULL)
		goto failed;
	fill_rows(index, factors, norm, order);
	index->bytes =
		sizeof(*index) + (size_t) n * sizeof(uint32_t) +
		(size_t) index->n_rows * (dim * sizeof(float) + sizeof(float) + sizeof(uint32_t));
	rs_free(ctx, norm);
	rs_free(ctx, order);
	return index;

failed:
	rs_free(ctx, norm);
	rs_free(ctx, order);
	rs_factor_index_free(ctx, index);
	return NULL;
}

void
rs_factor_index_free(RsContext *ctx, RsFactorIndex *index)
{
	if (index == NULL)
		return;
	rs_free(ctx, index->rows);
	rs_free(ctx, index->norm);
	rs_free(ctx, index->item);
	rs_free(ctx, index->row_of);
	rs_free(ctx, index);
}

size_t
rs_factor_index_bytes(const RsFactorIndex *index)
{
	return index->bytes;
}

/* --- queries --- */

typedef struct Query
{
	const RsFactorIndex *index;
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
	return query->index->norm[row] > 0 ? product / query->index->norm[row] : NAN;
}

static void
scan_included(const Query *query, Best *best)
{
	const RsFactorIndex *index = query->index;
	uint32_t n = index->n;

	for (uint32_t w = 0; w < n / 64 + (n % 64 != 0); w++)
	{
		uint64_t word = allowed_word(query->mask, n, w);

		for (; word != 0; word &= word - 1)
		{
			uint32_t item = w * 64 + (uint32_t) __builtin_ctzll(word);
			uint32_t row = index->row_of[item];
			float score;

			if (row == n)
				continue;
			score = row_score(
				query, row,
				rs_dot(query->vector, index->rows + (size_t) row * index->dim, index->dim));
			if (isfinite(score))
				best_add(best, item, score);
		}
	}
}

static void
scan_block(const Query *query, uint32_t begin, uint32_t end, Best *best)
{
	const RsFactorIndex *index = query->index;
	const float *rows = index->rows + (size_t) begin * index->dim;
	float product[BLOCK];

	rs_dot_rows(query->vector, rows, end - begin, index->dim, product);
	for (uint32_t row = begin; row < end; row++)
	{
		float score = row_score(query, row, product[row - begin]);

		if (score >= best_threshold(best) && isfinite(score) &&
			rs_mask_allows(query->mask, index->item[row]))
			best_add(best, index->item[row], score);
	}
}

/* Rows in order of norm, until no row that is left can be among the best. */
static void
scan_all(const Query *query, double query_norm, Best *best)
{
	const RsFactorIndex *index = query->index;
	/* g, and the rounding of both norms and of this product, generously */
	double widen = 1 + ((double) index->dim + 16) * 0x1p-23;
	double slack = ((double) index->dim + 16) * 0x1p-148;

	for (uint32_t begin = 0; begin < index->n_rows; begin += BLOCK)
	{
		uint32_t end = index->n_rows - begin < BLOCK ? index->n_rows : begin + BLOCK;

		if (!query->cosine &&
			query_norm * (index->norm[begin] + 0x1p-149) * widen + slack < best_threshold(best))
			break;
		scan_block(query, begin, end, best);
	}
}

static uint32_t
run(const Query *query, uint32_t k, RsHit *hits)
{
	Best best = {hits, k, 0};
	double query_norm = rs_norm(query->vector, query->index->dim);

	if (k == 0 || !isfinite(query_norm))
		return 0;
	if (few_included(query->mask, query->index->n))
		scan_included(query, &best);
	else
		scan_all(query, query_norm, &best);
	return best_finish(&best);
}

uint32_t
rs_topk_factors(const RsFactorIndex *index, const float *query, const RsMask *mask, uint32_t k,
				RsHit *hits)
{
	Query q = {index, query, mask, false};

	return run(&q, k, hits);
}

uint32_t
rs_topk_cosine(const RsFactorIndex *index, const float *query, const RsMask *mask, uint32_t k,
			   RsHit *hits)
{
	Query q = {index, query, mask, true};

	return run(&q, k, hits);
}

uint32_t
rs_topk_scores(const float *scores, uint32_t n, const RsMask *mask, bool skip_zero, uint32_t k,
			   RsHit *hits)
{
	Best best = {hits, k, 0};

	for (uint32_t i = 0; i < n && k > 0; i++)
	{
		float score = scores[i];

		if (score >= best_threshold(&best) && isfinite(score) && !(skip_zero && score == 0) &&
			rs_mask_allows(mask, i))
			best_add(&best, i, score);
	}
	return best_finish(&best);
}
