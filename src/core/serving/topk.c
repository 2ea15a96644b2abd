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
 *
 * Of many rows there are coarse copies too, which are looked at first (sieve.c): where
 * norms are flat, and by cosine, that is most of the work.
 */
#include "core/serving/topk.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"
#include "core/serving/best.h"
#include "core/serving/sieve.h"

#define BLOCK RS_COARSE_ROWS
#define SCATTERED 8                      /* so many rows of a block are read one by one */
#define POLL_FLOATS ((uint64_t) 1 << 22) /* read between two questions for cancel */
#define POLL_ITEMS 131072                /* looked at */

/* --- masks --- */

/* Word w of the items that may appear; bits beyond n are 0. */
static uint64_t
allowed_word(const RsMask *mask, uint32_t n, uint32_t w)
{
	uint64_t word = UINT64_MAX;

	if (mask != NULL && mask->include != NULL)
		word &= mask->include[w];
	if (mask != NULL && mask->exclude != NULL)
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
	bool cosine;
	uint64_t unpolled; /* floats read since the last question for cancel */
} Query;

/* Ask for cancel once in a while, before so many rows are read. */
static RsStatus
poll(Query *query, uint32_t rows)
{
	query->unpolled += (uint64_t) rows * query->factors->dim;
	if (query->unpolled < POLL_FLOATS)
		return RS_OK;
	query->unpolled = 0;
	return rs_check_interrupt(query->ctx);
}

/* Score of a row from its product; not finite where it must not appear. */
static inline float
row_score(const Query *query, uint32_t row, float product)
{
	if (!query->cosine)
		return product;
	return query->factors->norm[row] > 0 ? product / query->factors->norm[row] : NAN;
}

static float
item_score(const Query *query, uint32_t item)
{
	const RsFactors *factors = query->factors;

	return row_score(query, factors->row_of[item],
					 rs_dot(query->vector, rs_factors_row(factors, item), factors->dim));
}

static RsStatus
scan_included(Query *query, RsTop *top)
{
	uint32_t n = query->factors->n;

	for (uint32_t w = 0; w < n / 64 + (n % 64 != 0); w++)
	{
		uint64_t word = allowed_word(top->mask, n, w);
		uint32_t count = (uint32_t) __builtin_popcountll(word);

		top->read += count;
		if (poll(query, count) != RS_OK)
			return query->ctx->status;
		for (; word != 0; word &= word - 1)
		{
			uint32_t item = w * 64 + (uint32_t) __builtin_ctzll(word);

			if (top->without == NULL || item != *top->without)
				rs_best_add(top, item, item_score(query, item));
		}
	}
	return RS_OK;
}

static void
scan_block(const Query *query, uint32_t begin, uint32_t end, RsTop *top)
{
	const RsFactors *factors = query->factors;
	const float *rows = factors->rows + (size_t) begin * factors->dim;
	float product[BLOCK];

	rs_dot_rows(query->vector, rows, end - begin, factors->dim, product);
	for (uint32_t row = begin; row < end; row++)
	{
		float score = row_score(query, row, product[row - begin]);

		if (score >= rs_best_threshold(top) && rs_best_allows(top, factors->item[row]))
			rs_best_add(top, factors->item[row], score);
	}
}

/* Read the rows of a block that the sieve has left. */
static void
scan_left(const Query *query, uint32_t begin, uint32_t end, uint32_t left, RsTop *top)
{
	const RsFactors *factors = query->factors;

	if (end - begin < BLOCK)
		left &= ((uint32_t) 1 << (end - begin)) - 1;
	if (__builtin_popcount(left) > SCATTERED)
	{
		scan_block(query, begin, end, top);
		return;
	}
	for (; left != 0; left &= left - 1)
	{
		uint32_t item = factors->item[begin + (uint32_t) __builtin_ctz(left)];

		if (rs_best_allows(top, item))
			rs_best_add(top, item, item_score(query, item));
	}
}

/* Rows in order of norm, until no row that is left can be among the best. */
static RsStatus
scan_all(Query *query, double query_norm, RsTop *top)
{
	const RsFactors *factors = query->factors;
	double widen = rs_best_widen(factors->dim);
	double slack = rs_best_slack(factors->dim);
	RsSieve sieve;
	bool coarse = rs_sieve_open(&sieve, factors, query->vector, query_norm, query->cosine);

	for (uint32_t begin = 0; begin < factors->n; begin += BLOCK)
	{
		uint32_t end = factors->n - begin < BLOCK ? factors->n : begin + BLOCK;

		if (!query->cosine &&
			query_norm * (factors->norm[begin] + 0x1p-147) * widen + slack < rs_best_threshold(top))
			break;
		if (poll(query, BLOCK) != RS_OK)
			return query->ctx->status;
		if (coarse)
			scan_left(query, begin, end, rs_sieve_block(&sieve, begin, rs_best_threshold(top)),
					  top);
		else
			scan_block(query, begin, end, top);
		top->read = end;
	}
	return RS_OK;
}

static RsStatus
run(Query *query, RsTop *top)
{
	double query_norm = rs_norm(query->vector, query->factors->dim);
	RsStatus status;

	top->n = 0;
	top->read = 0;
	if (top->k == 0 || !isfinite(query_norm))
		return RS_OK;
	if (few_included(top->mask, query->factors->n))
		status = scan_included(query, top);
	else
		status = scan_all(query, query_norm, top);
	return status == RS_OK ? rs_best_finish(query->ctx, top) : status;
}

RsStatus
rs_topk_factors(RsContext *ctx, const RsFactors *factors, const float *query, RsTop *top)
{
	Query q = {ctx, factors, query, false, 0};

	return run(&q, top);
}

RsStatus
rs_topk_cosine(RsContext *ctx, const RsFactors *factors, const float *query, RsTop *top)
{
	Query q = {ctx, factors, query, true, 0};

	return run(&q, top);
}

RsStatus
rs_topk_scores(RsContext *ctx, const RsScores *scores, bool skip_zero, RsTop *top)
{
	const float *score = rs_scores_read(scores);
	bool sparse = !scores->all && scores->copied == NULL && skip_zero;
	uint32_t n_words = sparse ? scores->n_words : rs_scores_words(scores->n);

	top->n = 0;
	top->read = 0;
	for (uint32_t at = 0; at < n_words && top->k > 0; at++)
	{
		uint32_t w = sparse ? scores->words[at] : at;
		uint64_t word = allowed_word(top->mask, scores->n, w);

		if (sparse)
			word &= scores->touched[w];
		if (at % (POLL_ITEMS / 64) == POLL_ITEMS / 64 - 1 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		top->read += (uint32_t) __builtin_popcountll(word);
		for (; word != 0; word &= word - 1)
		{
			uint32_t i = w * 64 + (uint32_t) __builtin_ctzll(word);

			if (score[i] >= rs_best_threshold(top) && !(skip_zero && score[i] == 0) &&
				(top->without == NULL || i != *top->without))
				rs_best_add(top, i, score[i]);
		}
	}
	return rs_best_finish(ctx, top);
}

/* --- scores of given items --- */

float
rs_topk_score(const RsFactors *factors, const float *query, bool cosine, uint32_t item)
{
	Query q = {NULL, factors, query, cosine, 0};
	float score = item_score(&q, item);

	return isfinite(score) ? score : NAN;
}

RsStatus
rs_topk_score_all(RsContext *ctx, const RsFactors *factors, const float *query, bool cosine,
				  float *out)
{
	Query q = {ctx, factors, query, cosine, 0};
	float product[BLOCK];

	for (uint32_t begin = 0; begin < factors->n; begin += BLOCK)
	{
		uint32_t n = factors->n - begin < BLOCK ? factors->n - begin : BLOCK;

		if (poll(&q, BLOCK) != RS_OK)
			return ctx->status;
		rs_dot_rows(query, factors->rows + (size_t) begin * factors->dim, n, factors->dim, product);
		for (uint32_t i = 0; i < n; i++)
		{
			float score = row_score(&q, begin + i, product[i]);

			out[factors->item[begin + i]] = isfinite(score) ? score : NAN;
		}
	}
	return RS_OK;
}
