/*
 * items.h
 *		Problems for the tests of item-item algorithms: random events, shuffled or
 *		not, and comparing models bit for bit.
 */
#ifndef ITEMS_H
#define ITEMS_H

#include "unit.h"

#include "core/algorithms/algorithms.h"
#include "core/model/derived.h"
#include "core/model/modelbytes.h"
#include "core/model/modelread.h"

#define MOST_EVENTS 8192

typedef struct Case
{
	uint32_t n_users;
	uint32_t n_items;
	uint32_t n;
	bool timed;
	uint32_t user[MOST_EVENTS];
	uint32_t item[MOST_EVENTS];
	float weight[MOST_EVENTS];
	int64_t time[MOST_EVENTS];
} Case;

/* n random events; with duplicates, negative and zero weights where asked. */
static UNIT_UNUSED void
case_random(Case *c, uint32_t n_users, uint32_t n_items, uint32_t n, bool timed, bool signs,
			uint64_t seed)
{
	uint32_t i;

	memset(c, 0, sizeof *c);
	c->n_users = n_users;
	c->n_items = n_items;
	c->n = n;
	c->timed = timed;
	for (i = 0; i < n; i++)
	{
		c->user[i] = (uint32_t) (unit_random(&seed) % n_users);
		c->item[i] = (uint32_t) (unit_uniform(&seed) * unit_uniform(&seed) * n_items);
		c->weight[i] = signs ? (float) ((int) (unit_random(&seed) % 9) - 3) : 1;
		c->time[i] = (int64_t) (unit_random(&seed) % 50);
	}
}

/* Swap the events about. */
static UNIT_UNUSED void
case_shuffle(Case *c, uint64_t seed)
{
	uint32_t i;

	for (i = c->n; i > 1; i--)
	{
		uint32_t j = (uint32_t) (unit_random(&seed) % i);
		uint32_t user = c->user[j], item = c->item[j];
		float weight = c->weight[j];
		int64_t time = c->time[j];

		c->user[j] = c->user[i - 1];
		c->item[j] = c->item[i - 1];
		c->weight[j] = c->weight[i - 1];
		c->time[j] = c->time[i - 1];
		c->user[i - 1] = user;
		c->item[i - 1] = item;
		c->weight[i - 1] = weight;
		c->time[i - 1] = time;
	}
}

/* Build the problem, in both forms where events have a time; shift renumbers the codes, with ranks that undo it. */
static UNIT_UNUSED RsStatus
case_build(RsContext *ctx, const Case *c, uint32_t shift, RsProblem *problem)
{
	RsEvents *events = rs_events_create(ctx, c->timed);
	uint32_t *user_rank = malloc(c->n_users * sizeof(uint32_t));
	uint32_t *item_rank = malloc(c->n_items * sizeof(uint32_t));
	RsStatus status = events == NULL ? ctx->status : RS_OK;
	uint32_t i;

	memset(problem, 0, sizeof *problem);
	for (i = 0; i < c->n_users; i++)
		user_rank[(i + shift) % c->n_users] = i;
	for (i = 0; i < c->n_items; i++)
		item_rank[(i + shift) % c->n_items] = i;
	for (i = 0; i < c->n && status == RS_OK; i++)
		status = rs_events_append(ctx, events, (c->user[i] + shift) % c->n_users,
								  (c->item[i] + shift) % c->n_items, c->weight[i], c->time[i]);
	if (status == RS_OK)
		status = rs_problem_build(ctx, events, c->timed ? RS_SEQUENCES | RS_CELLS : RS_CELLS,
								  user_rank, c->n_users, item_rank, c->n_items, problem);
	else
		rs_events_free(ctx, events);
	free(user_rank);
	free(item_rank);
	return status;
}

static UNIT_UNUSED void
set_option(RsOptions *options, const char *name, double value)
{
	RsContext ctx = rs_context_malloc();

	if (rs_options_set(&ctx, options, name, RS_OPTION_REAL, value, NULL) != RS_OK)
	{
		printf("%s\n", ctx.message);
		abort();
	}
}

static int64_t case_ids[MOST_EVENTS];

/* Build and train; frees the problem.  On failure the model is freed. */
static UNIT_UNUSED RsStatus
case_train(RsContext *ctx, const Case *c, uint32_t shift, const RsAlgorithm *algorithm,
		   const RsOptions *options, RsModel *model)
{
	RsIds ids = {.type = RS_ID_BIGINT, .n = c->n_items, .bigints = case_ids};
	RsProblem problem;
	RsStatus status = case_build(ctx, c, shift, &problem);
	uint32_t i;

	for (i = 0; i < c->n_items; i++)
		case_ids[i] = i;
	if (status != RS_OK)
		return status;
	status = rs_train(ctx, algorithm, options, &problem, &ids, model);
	rs_problem_free(ctx, &problem);
	return status;
}

static UNIT_UNUSED size_t
tensor_size(const RsTensor *tensor)
{
	size_t size = tensor->dtype == RS_U8 ? 1 : tensor->dtype == RS_I64 ? 8 : 4;

	return size * tensor->shape[0] * (tensor->dims == 2 ? tensor->shape[1] : 1);
}

static UNIT_UNUSED bool
same_models(const RsModel *a, const RsModel *b)
{
	int i;

	if (a->n_tensors != b->n_tensors)
		return false;
	for (i = 0; i < a->n_tensors; i++)
	{
		const RsTensor *x = &a->tensors[i];
		const RsTensor *y = rs_model_tensor(b, x->name);

		if (y == NULL || tensor_size(x) != tensor_size(y) ||
			memcmp(x->data, y->data, tensor_size(x)) != 0)
			return false;
	}
	return true;
}

/* Weight of source for target: the score of target for a history of source. */
static UNIT_UNUSED void
weights_of(const RsModel *model, uint32_t source, float weight, float *out)
{
	RsContext ctx = rs_context_malloc();
	RsHistory history = {.n = 1, .item = &source, .weight = &weight};

	if (rs_score_all(&ctx, model, &history, out) != RS_OK)
		abort();
}

/* (sum |w|)^2 / sum w^2 of n numbers, step apart; 0 where all are. */
static UNIT_UNUSED double
effective(const double *w, uint32_t n, uint32_t step)
{
	double sum = 0;
	double squares = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		sum += fabs(w[i * step]);
		squares += w[i * step] * w[i * step];
	}
	return squares > 0 ? sum * sum / squares : 0;
}

/* Dense matrix of summed weights [n_users][n_items]; calloc'ed. */
static UNIT_UNUSED double *
case_dense(const Case *c)
{
	double *x = calloc((size_t) c->n_users * c->n_items, sizeof(double));
	uint32_t i;

	for (i = 0; i < c->n; i++)
		x[c->user[i] * c->n_items + c->item[i]] += c->weight[i];
	return x;
}

typedef struct Bytes
{
	size_t n;
	char *data; /* NULL: count only */
} Bytes;

static UNIT_UNUSED bool
keep_bytes(void *opaque, const void *bytes, size_t length)
{
	Bytes *kept = opaque;

	if (kept->data != NULL)
		memcpy(kept->data + kept->n, bytes, length);
	kept->n += length;
	return true;
}

/* A model written and read again is the same, and answers. */
static UNIT_UNUSED void
check_round_trip(const RsModel *model)
{
	RsContext ctx = rs_context_malloc();
	Bytes kept = {0, malloc(rs_model_size(model))};
	RsModel read;

	CHECK(rs_model_write(&ctx, model, keep_bytes, &kept) == RS_OK);
	CHECK(kept.n == rs_model_size(model));
	CHECK(rs_model_read(&ctx, rs_algorithms(), kept.data, kept.n, &read) == RS_OK);
	CHECK(read.algorithm == model->algorithm);
	CHECK(same_models(model, &read));
	rs_model_free(&ctx, &read);
	free(kept.data);
	CHECK(ctx.memory_used == 0);
}

/* The same bits whatever the order, the codes and the number of threads, for fewer
 * and for more users than items; loops over 64 at a time have several pieces. */
static UNIT_UNUSED void
check_determinism_of(const RsAlgorithm *algorithm, const RsOptions *options, bool timed,
					 uint32_t n_users)
{
	static Case c;
	RsContext one = rs_context_malloc();
	RsContext two = rs_context_malloc();
	RsModel a, b;

	two.threads = 2;
	case_random(&c, n_users, 150, 40 * n_users, timed, true, 5);
	CHECK(case_train(&one, &c, 0, algorithm, options, &a) == RS_OK);
	case_shuffle(&c, 6);
	CHECK(case_train(&two, &c, 17, algorithm, options, &b) == RS_OK);
	CHECK(same_models(&a, &b));
	CHECK(rs_model_check(&one, &a) == RS_OK);
	check_round_trip(&a);
	rs_model_free(&one, &a);
	rs_model_free(&two, &b);
	CHECK(one.memory_used == 0 && two.memory_used == 0);
}

static UNIT_UNUSED void
check_determinism(const RsAlgorithm *algorithm, const RsOptions *options, bool timed)
{
	check_determinism_of(algorithm, options, timed, 40);
	check_determinism_of(algorithm, options, timed, 100);
	check_determinism_of(algorithm, options, timed, 200);
}

/* Every allocation may fail, every poll may stop: a clean error, nothing left. */
static UNIT_UNUSED void
check_failures(const RsAlgorithm *algorithm, const RsOptions *options, bool timed)
{
	static Case c;
	UnitHeap heap;
	RsModel model;
	long n;

	case_random(&c, 12, 15, 150, timed, true, 7);
	for (n = 1; n < 1000; n++)
	{
		RsContext *ctx = unit_heap(&heap, n, 0);
		RsStatus status = case_train(ctx, &c, 0, algorithm, options, &model);

		if (status == RS_OK)
			rs_model_free(ctx, &model);
		CHECK(heap.live == 0 && ctx->memory_used == 0);
		if (!heap.failed)
			break;
		CHECK(status == RS_ERR_NOMEM);
	}
	CHECK(n > 3 && n < 1000);
	for (n = 1; n < 1000; n++)
	{
		RsContext *ctx = unit_heap(&heap, 0, n);
		RsStatus status = case_train(ctx, &c, 0, algorithm, options, &model);

		if (status == RS_OK)
			rs_model_free(ctx, &model);
		CHECK(heap.live == 0 && ctx->memory_used == 0);
		if (!heap.canceled)
			break;
		CHECK(status == RS_ERR_CANCELED);
	}
	CHECK(n > 2 && n < 1000);
}

/* A history longer than any step between two polls is read to its end: what comes last
 * counts alone where all before it has no weight. */
static UNIT_UNUSED void
check_long_history(const RsAlgorithm *algorithm, const RsOptions *options, bool timed)
{
	static Case c;
	static uint32_t item[1000];
	static float weight[1000], long_out[8], short_out[8];
	RsContext ctx = rs_context_malloc();
	RsHistory history = {.n = 1000, .item = item, .weight = weight};
	RsModel model;
	bool any = false;

	case_random(&c, 30, 8, 100, timed, false, 5);
	CHECK(case_train(&ctx, &c, 0, algorithm, options, &model) == RS_OK);
	for (uint32_t i = 0; i < 1000; i++)
		item[i] = (i + 1) % 8; /* the last is 0, which has neighbours */
	weight[999] = 1;
	CHECK(rs_score_all(&ctx, &model, &history, long_out) == RS_OK);
	weights_of(&model, item[999], 1, short_out);
	for (uint32_t i = 0; i < 8; i++)
	{
		CHECK_NEAR(long_out[i], short_out[i], 1e-6);
		any = any || short_out[i] != 0;
	}
	CHECK(any);
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
}

/* One user, one item, all the same, huge weights: valid and finite, or an error. */
static UNIT_UNUSED void
check_degenerate(const RsAlgorithm *algorithm, const RsOptions *options, bool timed)
{
	static Case c;
	static float out[64];
	int kind;

	for (kind = 0; kind < 6; kind++)
	{
		RsContext ctx = rs_context_malloc();
		RsModel model;
		RsStatus status;
		uint32_t i;

		case_random(&c, kind == 0 || kind == 1 ? 1 : 9, kind == 0 || kind == 2 ? 1 : 8, 60, timed,
					false, 3);
		if (kind == 3) /* everybody has everything */
			for (i = 0; i < 72; i++, c.n = 72)
			{
				c.user[i] = i / 8;
				c.item[i] = i % 8;
				c.weight[i] = 1;
			}
		for (i = 0; kind >= 4 && i < c.n; i++)
			c.weight[i] = kind == 4 ? 3e38f : -1;
		status = case_train(&ctx, &c, 0, algorithm, options, &model);
		CHECK(status == RS_OK || (kind == 4 && status == RS_ERR_DIVERGED));
		if (status == RS_OK)
		{
			CHECK(rs_model_check(&ctx, &model) == RS_OK);
			weights_of(&model, 0, 1, out);
			for (i = 0; i < c.n_items; i++)
				CHECK(isfinite(out[i]));
			rs_model_free(&ctx, &model);
		}
		CHECK(ctx.memory_used == 0);
	}
	{
		RsContext ctx = rs_context_malloc();
		RsModel model;

		case_random(&c, 3, 4, 10, timed, false, 3);
		memset(c.weight, 0, sizeof c.weight);
		CHECK(case_train(&ctx, &c, 0, algorithm, options, &model) == RS_ERR_EMPTY);
		c.n = 0;
		CHECK(case_train(&ctx, &c, 0, algorithm, options, &model) == RS_ERR_EMPTY);
		CHECK(ctx.memory_used == 0);
	}
}

#endif
