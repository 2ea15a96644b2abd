/*
 * test_sieve.c
 *		The top k with coarse copies of the rows, against brute force: rows that are
 *		hard to copy, equal scores, thin masks, with every kernel of this CPU; and
 *		copies that lie.
 */
#include "unit.h"

#include "hits.h"

#include <float.h>

#include "core/math/vec.c" /* for the kernels that are not the chosen ones */

#include "core/algorithms/algorithms.h"
#include "core/model/algorithm.h"
#include "core/model/modelbytes.h"
#include "core/model/modelread.h"
#include "core/serving/topk.h"

#define N 2000
#define DIM 200

static uint64_t seed = 7;
static float rows[N * DIM], query[DIM], score[N];
static uint64_t exclude[N / 64 + 1], include[N / 64 + 1];
static RsHit expected[N], got[N];

static uint32_t
below(uint32_t n)
{
	return (uint32_t) (unit_random(&seed) % n);
}

static float
one_of(int kind)
{
	switch (kind)
	{
		case 0:
			return (float) unit_normal(&seed);
		case 1: /* few values: equal scores */
			return (float) below(3) - 1;
		case 2: /* denormals and the smallest of all */
			return (float) below(5) * 1e-45f;
		case 3: /* of all sizes */
			return (float) (unit_normal(&seed) * exp2((double) below(60) - 30));
		case 4: /* products beyond the floats */
			return (float) unit_normal(&seed) * 1e19f;
		default: /* in the middle between two steps */
			return ((float) below(127) + 0.5f) / 127;
	}
}

static void
draw(uint32_t n, uint32_t dim)
{
	int kind = (int) below(6);
	bool dominated = below(3) == 0;
	bool along = below(4) == 0; /* rows an ulp or two around the query */

	for (uint32_t d = 0; d < dim; d++)
		query[d] = one_of(below(4) != 0 ? kind : (int) below(6));
	if (dominated)
		query[below(dim)] *= 1000;
	for (uint32_t i = 0; i < n; i++)
	{
		float *row = rows + (size_t) i * dim;
		int own = below(50) == 0 ? (int) below(6) : kind;

		for (uint32_t d = 0; d < dim; d++)
			row[d] = along ? nextafterf(query[d], below(2) ? FLT_MAX : -FLT_MAX) : one_of(own);
		if (dominated)
			row[below(3) % dim] *= 300;
		if (below(30) == 0)
			memset(row, 0, dim * sizeof(float));
		if (i > 0 && below(10) == 0)
			memcpy(row, rows + (size_t) below(i) * dim, dim * sizeof(float));
	}
	for (uint32_t w = 0; w < N / 64 + 1; w++)
	{
		exclude[w] = unit_random(&seed) & unit_random(&seed);
		include[w] = (uint64_t) 1 << below(64);
		if (below(2))
			include[w] |= unit_random(&seed);
	}
}

/* A model of nothing but the factors, with coarse copies. */
static void
make(RsContext *ctx, uint32_t n, uint32_t dim, RsModel *model)
{
	size_t size = (size_t) n * dim * sizeof(float);
	float *own = rs_alloc(ctx, size);

	memset(model, 0, sizeof(*model));
	model->ids.n = n;
	memcpy(own, rows, size);
	CHECK(rs_factors_add(ctx, model, own, dim) == RS_OK);
	if (rs_model_coarse(model).bytes == NULL)
		CHECK(rs_coarse_add(ctx, model, own, dim) == RS_OK);
}

static uint32_t
brute(const RsFactors *factors, bool cosine, const RsMask *mask, uint32_t k)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < factors->n; i++)
	{
		float norm = factors->norm[factors->row_of[i]];

		score[i] = rs_dot(query, rows + (size_t) i * factors->dim, factors->dim);
		if (cosine)
			score[i] = norm > 0 ? score[i] / norm : NAN;
		if (isfinite(score[i]) && rs_mask_allows(mask, i))
			expected[n++] = (RsHit){i, score[i]};
	}
	qsort(expected, n, sizeof(RsHit), compare_hits);
	return n < k ? n : k;
}

TEST(equals_brute_force)
{
	const Kernels *const all[] = {kernels, &plain};
	RsContext ctx = rs_context_malloc();

	for (int round = 0; round < 500 && unit_failed_checks == 0; round++)
	{
		uint32_t n = 1 + below(round % 4 == 0 ? N : 300);
		uint32_t dim = 1 + below(round % 3 == 0 ? DIM : 20);
		RsMask mask = {below(2) ? exclude : NULL, below(2) ? include : NULL};
		RsModel model;
		RsFactors factors;

		draw(n, dim);
		make(&ctx, n, dim, &model);
		factors = rs_model_factors(&model);
		CHECK(factors.coarse.bytes != NULL && rs_factors_check(&ctx, &model) == RS_OK);
		for (int c = 0; c < 4; c++)
		{
			uint32_t k = below(4) == 0 ? 1 + below(n) : 1 + below(12);
			RsTop top = {.mask = &mask, .k = k, .hits = got};
			uint32_t wanted;

			kernels = all[c / 2];
			wanted = brute(&factors, c % 2, &mask, k);
			CHECK((c % 2 ? rs_topk_cosine : rs_topk_factors)(&ctx, &factors, query, &top) == RS_OK);
			CHECK(top.n == wanted && memcmp(got, expected, wanted * sizeof(RsHit)) == 0);
		}
		kernels = all[0];
		rs_model_free(&ctx, &model);
	}
}

/*
 * Errors that use all of the bound: those of a row are along the query, or those of
 * the query along the row, half a step in each number and all to one side.  The best
 * row stands in the second block, just above the best of the first, and is copied
 * as far below that as can be.
 */
TEST(errors_that_add_up)
{
	RsContext ctx = rs_context_malloc();

	for (int round = 0; round < 200 && unit_failed_checks == 0; round++)
	{
		const uint32_t n = 64, dim = 16 + below(100);
		bool of_row = round % 2 == 0;
		uint32_t best = 32 + below(32);
		RsModel model;
		RsFactors factors;
		RsTop top = {.k = 1, .hits = got};

		memset(rows, 0, n * dim * sizeof(float));
		query[0] = of_row ? 0 : 64; /* the step of the query is 1 */
		query[1] = 0;
		for (uint32_t i = 0; i < n; i++)
		{
			rows[i * dim] = of_row ? 127 : 0; /* that of the row is 1 */
			rows[i * dim + 1] = i < 32 ? 3000 : 0;
		}
		for (uint32_t d = 2; d < dim; d++)
		{
			float sign = below(2) ? 1 : -1;

			query[d] = sign * (of_row ? 64 : 1.499f);
			rows[best * dim + d] = sign * (of_row ? 1.499f : 127);
			rows[below(32) * dim + d] = sign;
			rows[7 * dim + d] = sign * (of_row ? 1.498f : 126.9f);
		}
		make(&ctx, n, dim, &model);
		factors = rs_model_factors(&model);
		for (int cosine = 0; cosine < 2; cosine++)
		{
			CHECK(brute(&factors, cosine, NULL, 1) == 1 && expected[0].item == best);
			CHECK((cosine ? rs_topk_cosine : rs_topk_factors)(&ctx, &factors, query, &top) ==
				  RS_OK);
			CHECK(top.n == 1 && memcmp(got, expected, sizeof(RsHit)) == 0);
		}
		rs_model_free(&ctx, &model);
	}
}

/* Copies that are further off than they say prove nothing. */
TEST(lies)
{
	RsContext ctx = rs_context_malloc();
	RsModel model;
	RsFactors factors;
	float *step;
	uint8_t *byte;

	seed = 11;
	for (uint32_t i = 0; i < 100 * 18; i++)
		rows[i] = (float) unit_normal(&seed);
	make(&ctx, 100, 18, &model);
	factors = rs_model_factors(&model);
	step = (float *) factors.coarse.steps;
	byte = (uint8_t *) factors.coarse.bytes;
	CHECK(rs_factors_check(&ctx, &model) == RS_OK);
	for (int at = 0; at < 4; at++)
	{
		const float lie[] = {0, step[2 * at] * 1.01f, -step[2 * at], step[2 * at] * 0.99f};
		float kept = step[2 * at];

		for (int l = 0; l < 4; l++)
		{
			step[2 * at] = lie[l];
			CHECK(rs_factors_check(&ctx, &model) == RS_ERR_BYTES);
		}
		step[2 * at] = kept;
		kept = step[2 * at + 1];
		step[2 * at + 1] = kept * (1 - 0x1p-18f);
		CHECK(rs_factors_check(&ctx, &model) == RS_ERR_BYTES);
		step[2 * at + 1] = -kept;
		CHECK(rs_factors_check(&ctx, &model) == RS_ERR_BYTES);
		step[2 * at + 1] = kept;
	}
	for (uint32_t b = 0; b < 3 * 20 * 32; b += 131)
	{
		uint8_t kept = byte[b];
		bool padding = b % (20 * 32) >= 16 * 32 && b % 4 >= 2;

		byte[b] ^= 0x80;
		CHECK((rs_factors_check(&ctx, &model) == RS_OK) == padding);
		byte[b] = kept;
	}
	CHECK(rs_factors_check(&ctx, &model) == RS_OK);
	rs_model_free(&ctx, &model);
}

static bool
keep_bytes(void *opaque, const void *bytes, size_t length)
{
	char **at = opaque;

	memcpy(*at, bytes, length);
	*at += length;
	return true;
}

/* A file with them, without them, with one of the two, and of a wrong shape. */
TEST(bytes_of_a_model)
{
	enum
	{
		ITEMS = 5000,
		WIDTH = 16
	};
	RsContext ctx = rs_context_malloc();
	static int64_t ids[ITEMS];
	static float factors[ITEMS * WIDTH];

	for (uint32_t i = 0; i < ITEMS; i++)
		ids[i] = i;
	for (uint32_t i = 0; i < ITEMS * WIDTH; i++)
		factors[i] = (float) unit_normal(&seed);
	for (int without = 0; without < 5; without++)
	{
		RsModel model = {.algorithm = &rs_als, .loss = NAN};
		RsModel read;
		float *own = rs_alloc(&ctx, sizeof(factors));
		char *bytes, *at;
		size_t length;
		int n;

		memcpy(own, factors, sizeof(factors));
		rs_options_default(&model.options, rs_als.options);
		CHECK(rs_options_set(&ctx, &model.options, "factors", RS_OPTION_INT, WIDTH, NULL) == RS_OK);
		model.ids = (RsIds){.type = RS_ID_BIGINT, .n = ITEMS, .bigints = ids};
		CHECK(rs_popularity_add(&ctx, &model, rs_calloc(&ctx, ITEMS, sizeof(float))) == RS_OK);
		CHECK(rs_factors_add(&ctx, &model, own, WIDTH) == RS_OK);
		CHECK(rs_model_add(&ctx, &model, "gram", RS_F32, 2, WIDTH, WIDTH,
						   rs_calloc(&ctx, WIDTH * WIDTH, sizeof(float)), true) == RS_OK);
		n = model.n_tensors;
		for (int i = n; i-- > 0;)
		{
			const char *name = model.tensors[i].name;

			if (without < 3 && (((without & 1) && strcmp(name, RS_FACTOR_BYTES) == 0) ||
								((without & 2) && strcmp(name, RS_FACTOR_STEPS) == 0)))
				model.tensors[i] = model.tensors[--model.n_tensors];
			else if (without == 3 &&
					 (strcmp(name, RS_FACTOR_BYTES) == 0 || strcmp(name, RS_FACTOR_STEPS) == 0))
				model.tensors[i] = model.tensors[--model.n_tensors];
			else if (without == 4 && strcmp(name, RS_FACTOR_BYTES) == 0)
				model.tensors[i].shape[1] -= 32;
		}
		length = (size_t) rs_model_size(&model);
		at = bytes = malloc(length);
		CHECK(rs_model_write(&ctx, &model, keep_bytes, &at) == RS_OK);
		CHECK((rs_model_read(&ctx, rs_algorithms(), bytes, length, &read) == RS_OK) ==
			  (without == 0 || without == 3));
		if (without == 0 || without == 3)
		{
			CHECK((rs_model_coarse(&read).bytes != NULL) == (without == 0));
			rs_model_free(&ctx, &read);
		}
		rs_model_free(&ctx, &model);
		free(bytes);
	}
}

UNIT_MAIN(equals_brute_force, errors_that_add_up, lies, bytes_of_a_model)
