/*
 * test_topk.c
 *		The exact top k against brute force, over thousands of random cases.
 */
#include "unit.h"

#include "hits.h"

#include <float.h>

#include "core/math/vec.h"

#define MAX_ITEMS 700
#define MAX_DIM 40

typedef struct Case
{
	uint32_t n;
	uint32_t dim;
	uint32_t k;
	float rows[MAX_ITEMS * MAX_DIM];
	float query[MAX_DIM];
	uint64_t exclude[MAX_ITEMS / 64 + 1];
	uint64_t include[MAX_ITEMS / 64 + 1];
	RsMask mask;
} Case;

static uint64_t seed = 1;

static uint32_t
below(uint32_t n)
{
	return (uint32_t) (unit_random(&seed) % n);
}

/* A model of nothing but the factors rows[n][dim], by item. */
static RsStatus
make_factors(RsContext *ctx, const float *rows, uint32_t n, uint32_t dim, RsModel *model)
{
	size_t size = (size_t) n * dim * sizeof(float);
	float *own = rs_alloc(ctx, size);
	RsStatus status;

	memset(model, 0, sizeof(*model));
	model->ids.n = n;
	if (own == NULL)
		return ctx->status;
	memcpy(own, rows, size);
	status = rs_factors_add(ctx, model, own, dim);
	if (status != RS_OK)
		rs_free(ctx, own);
	return status;
}

/* Norms as another CPU may have rounded them, or as strangers may claim. */
static void
disturb_norms(RsFactors *factors)
{
	float *norm = (float *) factors->norm;
	float before = INFINITY;

	for (uint32_t i = 0; i < factors->n; i++)
	{
		float off = norm[i] * (float) RS_NORM_TOLERANCE;

		norm[i] = below(2) ? norm[i] + off : norm[i] - off;
		norm[i] = norm[i] > before ? before : norm[i];
		before = norm[i];
	}
}

static void
random_mask(Case *c)
{
	uint32_t rate = 1 + below(100);

	for (uint32_t w = 0; w < MAX_ITEMS / 64 + 1; w++)
	{
		c->exclude[w] = below(2) ? unit_random(&seed) & unit_random(&seed) : 0;
		c->include[w] = 0;
		for (int b = 0; b < 64; b++)
			c->include[w] |= (uint64_t) (below(100) < rate) << b;
	}
	c->mask.exclude = below(2) ? c->exclude : NULL;
	c->mask.include = below(2) ? c->include : NULL;
}

/* Few distinct values make equal scores and duplicates; sometimes odd ones. */
static void
random_case(Case *c)
{
	static const float odd[] = {NAN, INFINITY, -INFINITY, FLT_MAX, FLT_MIN, 1e-45f, -0.0f, 1e18f};
	bool coarse = below(2) == 0;
	bool strange = below(8) == 0;
	float scale = below(4) == 0 ? 1e-30f : 1;

	c->n = 1 + below(below(3) == 0 ? MAX_ITEMS : 80);
	c->dim = 1 + below(MAX_DIM);
	c->k = below(5) == 0 ? c->n + below(20) : below(15);
	for (uint32_t i = 0; i < c->n; i++)
	{
		float norm = scale * (float) exp(0.6 * unit_normal(&seed));

		for (uint32_t d = 0; d < c->dim; d++)
		{
			float *x = &c->rows[i * c->dim + d];

			*x = coarse ? scale * ((float) below(3) - 1) : norm * (float) unit_normal(&seed);
			if (strange && below(50) == 0)
				*x = odd[4 + below(4)]; /* a model's vectors are finite */
		}
		if (below(20) == 0)
			memset(&c->rows[i * c->dim], 0, c->dim * sizeof(float));
		if (i > 0 && below(10) == 0)
			memcpy(&c->rows[i * c->dim], &c->rows[below(i) * c->dim], c->dim * sizeof(float));
	}
	for (uint32_t d = 0; d < c->dim; d++)
	{
		c->query[d] = coarse ? (float) below(3) - 1 : (float) unit_normal(&seed);
		if (strange && below(40) == 0)
			c->query[d] = odd[below(8)];
	}
	random_mask(c);
}

static uint32_t
brute(const Case *c, const float *score, bool skip_zero, RsHit *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n; i++)
	{
		bool in = c->mask.include == NULL || (c->include[i / 64] >> (i % 64) & 1);
		bool ex = c->mask.exclude != NULL && (c->exclude[i / 64] >> (i % 64) & 1);

		if (!in || ex || !isfinite(score[i]) || (skip_zero && score[i] == 0))
			continue;
		out[n].item = i;
		out[n++].score = score[i];
	}
	qsort(out, n, sizeof(RsHit), compare_hits);
	return n < c->k ? n : c->k;
}

static bool
same(const RsHit *a, uint32_t an, const RsHit *b, uint32_t bn)
{
	return an == bn && (an == 0 || memcmp(a, b, an * sizeof(RsHit)) == 0);
}

/* What is never canceled: how many hits. */
static uint32_t
topk_factors(const RsFactors *factors, const float *query, const RsMask *mask, uint32_t k,
			 RsHit *hits)
{
	RsContext ctx = rs_context_malloc();
	RsTop top = {.mask = mask, .k = k, .hits = hits};

	CHECK(rs_topk_factors(&ctx, factors, query, &top) == RS_OK);
	return top.n;
}

static uint32_t
topk_cosine(const RsFactors *factors, const float *query, const RsMask *mask, uint32_t k,
			RsHit *hits)
{
	RsContext ctx = rs_context_malloc();
	RsTop top = {.mask = mask, .k = k, .hits = hits};

	CHECK(rs_topk_cosine(&ctx, factors, query, &top) == RS_OK);
	return top.n;
}

static uint32_t
topk_scores(const float *scores, uint32_t n, const RsMask *mask, bool skip_zero, uint32_t k,
			RsHit *hits)
{
	RsContext ctx = rs_context_malloc();
	RsTop top = {.mask = mask, .k = k, .hits = hits};
	RsScores all = {.n = n, .copied = scores};

	CHECK(rs_topk_scores(&ctx, &all, skip_zero, &top) == RS_OK);
	return top.n;
}

TEST(equals_brute_force)
{
	static Case c;
	static float dot[MAX_ITEMS], cosine[MAX_ITEMS];
	static RsHit expected[MAX_ITEMS + 20], got[MAX_ITEMS + 20];

	for (int round = 0; round < 4000; round++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		RsModel model;
		RsFactors factors;
		uint32_t n;

		random_case(&c);
		for (uint32_t i = 0; i < c.n; i++)
		{
			const float *row = &c.rows[i * c.dim];
			float norm = (float) rs_norm(row, c.dim);

			dot[i] = rs_dot(c.query, row, c.dim);
			cosine[i] = norm > 0 ? dot[i] / norm : NAN;
			if (!isfinite(rs_norm(c.query, c.dim)))
				dot[i] = cosine[i] = NAN;
		}
		CHECK(make_factors(ctx, c.rows, c.n, c.dim, &model) == RS_OK);
		factors = rs_model_factors(&model);
		n = topk_cosine(&factors, c.query, &c.mask, c.k, got);
		CHECK(same(got, n, expected, brute(&c, cosine, false, expected)));
		if (below(2))
			disturb_norms(&factors);
		n = topk_factors(&factors, c.query, &c.mask, c.k, got);
		CHECK(same(got, n, expected, brute(&c, dot, false, expected)));
		n = topk_scores(dot, c.n, &c.mask, false, c.k, got);
		CHECK(same(got, n, expected, brute(&c, dot, false, expected)));
		n = topk_scores(dot, c.n, &c.mask, true, c.k, got);
		CHECK(same(got, n, expected, brute(&c, dot, true, expected)));
		rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
		if (unit_failed_checks > 20)
			return;
	}
}

TEST(no_mask_at_all)
{
	RsContext ctx = rs_context_malloc();
	float rows[] = {1, 2, 2, 3};
	float query[] = {2};
	RsHit hits[10];
	RsModel model;
	RsFactors factors;

	CHECK(make_factors(&ctx, rows, 4, 1, &model) == RS_OK);
	factors = rs_model_factors(&model);
	CHECK(topk_factors(&factors, query, NULL, 10, hits) == 4);
	CHECK(hits[0].item == 3 && hits[0].score == 6);
	CHECK(hits[1].item == 1 && hits[2].item == 2 && hits[3].item == 0);
	CHECK(topk_factors(&factors, query, NULL, 0, hits) == 0);
	CHECK(topk_scores(rows, 4, NULL, false, 0, hits) == 0);
	CHECK(topk_scores(rows, 0, NULL, false, 3, hits) == 0);
	rs_model_free(&ctx, &model);
}

/* Many rows of one direction: scores an ulp apart around the k-th. */
TEST(near_ties)
{
	enum
	{
		N = 3000,
		DIM = 16
	};
	static float rows[N * DIM];
	static RsHit all[N];
	RsContext ctx = rs_context_malloc();
	RsModel model;
	RsFactors factors;
	float query[DIM];

	for (int d = 0; d < DIM; d++)
		query[d] = (float) unit_normal(&seed);
	for (int i = 0; i < N; i++)
		for (int d = 0; d < DIM; d++)
		{
			float x = query[d];

			for (uint32_t step = below(3); step > 0; step--)
				x = nextafterf(x, 10);
			rows[i * DIM + d] = x;
		}
	for (int i = 0; i < N; i++)
	{
		all[i].item = (uint32_t) i;
		all[i].score = rs_dot(query, rows + i * DIM, DIM);
	}
	qsort(all, N, sizeof(RsHit), compare_hits);
	CHECK(make_factors(&ctx, rows, N, DIM, &model) == RS_OK);
	factors = rs_model_factors(&model);
	for (uint32_t k = 1; k < 2 * N; k += 97)
	{
		static RsHit hits[2 * N];
		uint32_t n = topk_factors(&factors, query, NULL, k, hits);

		CHECK(same(hits, n, all, k < N ? k : N));
	}
	rs_model_free(&ctx, &model);
}

/*
 * Many rows of 64 numbers and more, of which a mask lets one in 32 to one in 1000
 * through: about n / 64 decides between looking up what is included and a scan.
 */
TEST(wide_rows_and_sparse_masks)
{
	enum
	{
		N = 40000,
		WORDS = N / 64 + 1,
		DIM = 65
	};
	static const uint32_t one_in[] = {32, 63, 64, 65, 100, 1000};
	static float rows[N * DIM], query[DIM], score[N];
	static uint64_t include[WORDS], exclude[WORDS];
	static RsHit all[N], got[N];
	RsContext ctx = rs_context_malloc();

	for (uint32_t round = 0; round < 24; round++)
	{
		uint32_t n = N - below(N / 2);
		uint32_t dim = 62 + below(4);
		uint32_t rate = one_in[round % 6];
		RsMask mask = {.include = include, .exclude = below(2) ? exclude : NULL};
		uint32_t k = below(4) == 0 ? n : 1 + below(20);
		uint32_t allowed = 0;
		RsModel model;
		RsFactors factors;

		for (uint32_t d = 0; d < dim; d++)
			query[d] = (float) unit_normal(&seed);
		for (uint32_t i = 0; i < n; i++)
		{
			float stretch = (float) exp(0.6 * unit_normal(&seed));
			bool aligned = below(100) == 0; /* its product is all that its norm allows */

			for (uint32_t d = 0; d < dim; d++)
			{
				float random = (float) ((int64_t) unit_random(&seed)) * 0x1p-63f;

				rows[i * dim + d] = stretch * (aligned ? query[d] / 2 : random);
			}
		}
		memset(include, 0, sizeof(include));
		memset(exclude, 0, sizeof(exclude));
		for (uint32_t i = 0; i < n; i++)
		{
			include[i / 64] |= (uint64_t) (below(rate) == 0) << (i % 64);
			exclude[i / 64] |= (uint64_t) (below(10) == 0) << (i % 64);
		}
		CHECK(make_factors(&ctx, rows, n, dim, &model) == RS_OK);
		factors = rs_model_factors(&model);
		for (int cosine = 0; cosine <= 1; cosine++)
		{
			uint32_t n_got;

			allowed = 0;
			for (uint32_t i = 0; i < n; i++)
			{
				const float *row = rows + (size_t) i * dim;

				score[i] = rs_dot(query, row, dim);
				if (cosine)
					score[i] /= (float) rs_norm(row, dim);
				if (rs_mask_allows(&mask, i))
					all[allowed++] = (RsHit){i, score[i]};
			}
			qsort(all, allowed, sizeof(RsHit), compare_hits);
			n_got = cosine ? topk_cosine(&factors, query, &mask, k, got)
						   : topk_factors(&factors, query, &mask, k, got);
			CHECK(same(got, n_got, all, allowed < k ? allowed : k));
		}
		CHECK(allowed > n / rate / 2 && allowed < n * 3 / rate / 2 + 30);
		rs_model_free(&ctx, &model);
	}
}

TEST(out_of_memory)
{
	float rows[] = {1, 2, 3, 4};

	for (long at = 1;; at++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, at, 0);
		RsModel model;
		RsStatus status = make_factors(ctx, rows, 2, 2, &model);

		CHECK(status == (heap.failed ? RS_ERR_NOMEM : RS_OK));
		rs_model_free(ctx, &model);
		CHECK(heap.live == 0);
		if (!heap.failed)
			break;
	}
}

/* Many items are not looked at, nor sorted, without a look for cancel. */
TEST(cancel)
{
	const uint32_t n = 600000;
	float *scores = malloc(n * sizeof(float));
	RsHit *hits = malloc(n * sizeof(RsHit));
	RsTop top = {.k = n, .hits = hits};
	RsScores all = {.n = n, .copied = scores};
	UnitHeap heap;
	long polls = 1;

	for (uint32_t i = 0; i < n; i++)
		scores[i] = (float) (i % 1000);
	while (rs_topk_scores(unit_heap(&heap, 0, polls), &all, false, &top) != RS_OK)
	{
		CHECK(heap.canceled);
		polls++;
	}
	CHECK(top.n == n && polls > 8);
	free(scores);
	free(hits);
}

UNIT_MAIN(cancel, equals_brute_force, no_mask_at_all, near_ties, wide_rows_and_sparse_masks,
		  out_of_memory)
