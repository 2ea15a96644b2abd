/*
 * mlp_sample.c
 *		Sampled softmax: a batch's targets against some of the items.
 */
#include "core/algorithms/mlp/mlp_sample.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/base/sort.h"
#include "core/math/vec.h"

#define NO_SLOT UINT32_MAX
#define TRIES_PER_POLL 65536
#define ITEMS_PER_POLL 1048576

RsStatus
rs_mlp_sample_create(RsContext *ctx, const float *popularity, uint32_t batch, RsMlpSample *sample)
{
	uint32_t n = sample->output->out;
	size_t in_p = sample->output->in_p;
	size_t slots = (size_t) sample->wanted + batch;

	sample->n_p = (uint32_t) rs_mlp_round_up(sample->wanted, RS_MLP_PAD);
	if ((sample->by_rank = rs_alloc(ctx, (size_t) n * sizeof(uint32_t))) == NULL ||
		(sample->rank = rs_alloc(ctx, (size_t) n * sizeof(uint32_t))) == NULL ||
		(sample->slot = rs_alloc(ctx, (size_t) n * sizeof(uint32_t))) == NULL ||
		(sample->candidate = rs_alloc(ctx, slots * sizeof(uint32_t))) == NULL ||
		(sample->first = rs_calloc(ctx, batch, sizeof(uint32_t))) == NULL ||
		(sample->next = rs_calloc(ctx, batch, sizeof(uint32_t))) == NULL ||
		(sample->target_delta = rs_calloc(ctx, batch, sizeof(float))) == NULL ||
		(sample->rows = rs_calloc(ctx, sample->n_p * in_p, sizeof(float))) == NULL ||
		(sample->panels = rs_calloc(ctx, sample->n_p * in_p, sizeof(float))) == NULL ||
		(sample->bias = rs_calloc(ctx, sample->n_p, sizeof(float))) == NULL)
		return ctx->status;
	if (rs_order_descending(ctx, popularity, n, sample->by_rank) != RS_OK)
		return ctx->status;
	for (uint32_t i = 0; i < n; i++)
	{
		if (i % ITEMS_PER_POLL == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		sample->rank[sample->by_rank[i]] = i;
		sample->slot[i] = NO_SLOT;
	}
	return RS_OK;
}

void
rs_mlp_sample_free(RsContext *ctx, RsMlpSample *sample)
{
	rs_free(ctx, sample->by_rank);
	rs_free(ctx, sample->rank);
	rs_free(ctx, sample->slot);
	rs_free(ctx, sample->candidate);
	rs_free(ctx, sample->first);
	rs_free(ctx, sample->next);
	rs_free(ctx, sample->target_delta);
	rs_free(ctx, sample->rows);
	rs_free(ctx, sample->panels);
	rs_free(ctx, sample->bias);
}

/* The chance of an item in one draw. */
static double
chance(const RsMlpSample *sample, uint32_t item)
{
	double n = sample->output->out;

	if (sample->sampler == RS_SAMPLER_UNIFORM)
		return 1 / n;
	return log1p(1 / ((double) sample->rank[item] + 1)) / log1p(n);
}

/* Log of how often it is expected among the candidates. */
static float
log_expected(const RsMlpSample *sample, uint32_t item)
{
	return (float) log(-expm1(sample->tries * log1p(-chance(sample, item))));
}

static uint32_t
draw_one(const RsMlpSample *sample, uint64_t step, uint64_t at)
{
	uint32_t n = sample->output->out;
	double u = rs_random_uniform(sample->seed ^ 0x2545f491u, step, at);
	double place = sample->sampler == RS_SAMPLER_UNIFORM ? u * n : exp(u * log1p(n)) - 1;

	return sample->by_rank[place < n ? (uint32_t) place : n - 1];
}

RsStatus
rs_mlp_sample_draw(RsContext *ctx, RsMlpSample *sample, uint64_t step)
{
	uint32_t n = 0;
	uint64_t tries = 0;

	sample->extra = 0;
	while (n < sample->wanted)
	{
		uint32_t item = draw_one(sample, step, tries++);

		if (tries % TRIES_PER_POLL == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (sample->slot[item] != NO_SLOT)
			continue;
		sample->slot[item] = n;
		sample->candidate[n++] = item;
	}
	sample->tries = (double) tries;
	return RS_OK;
}

void
rs_mlp_sample_return(RsMlpSample *sample)
{
	for (uint32_t i = 0; i < sample->wanted + sample->extra; i++)
		sample->slot[sample->candidate[i]] = NO_SLOT;
}

void
rs_mlp_sample_targets(RsMlpSample *sample, const RsMlpExample *example, uint32_t n)
{
	sample->extra = 0;
	for (uint32_t row = n; row-- > 0;)
	{
		uint32_t item = example[row].target;
		uint32_t extra;

		if (sample->slot[item] < sample->wanted)
			continue;
		if (sample->slot[item] == NO_SLOT)
		{
			sample->slot[item] = sample->wanted + sample->extra;
			sample->candidate[sample->wanted + sample->extra] = item;
			sample->first[sample->extra++] = UINT32_MAX;
		}
		extra = sample->slot[item] - sample->wanted;
		sample->next[row] = sample->first[extra];
		sample->first[extra] = row;
	}
}

void
rs_mlp_sample_gather(RsMlpSample *sample, size_t begin)
{
	const RsMlpLayer *layer = sample->output;

	for (size_t i = begin; i < begin + RS_MLP_SHARD && i < sample->wanted; i++)
	{
		uint32_t item = sample->candidate[i];

		memcpy(sample->rows + i * layer->in_p, layer->weight + item * layer->in_p,
			   layer->in_p * sizeof(float));
		sample->bias[i] = layer->bias[item] - log_expected(sample, item);
	}
	rs_mlp_pack(sample->rows, layer->in_p, begin, begin + RS_MLP_SHARD, sample->panels);
}

/* Softmax of one example's scores of candidates and its own; then the gradient. */
double
rs_mlp_sample_loss(RsMlpSample *sample, const RsMlpExample *example, uint32_t row, uint32_t n,
				   const float *query, float *score)
{
	const RsMlpLayer *layer = sample->output;
	uint32_t target = example->target;
	uint32_t slot = sample->slot[target];
	bool drawn = slot < sample->wanted;
	float scale = example->weight / (float) n;
	float max = rs_mlp_max(score, sample->wanted);
	float own = drawn ? score[slot]
					  : rs_dot(query, layer->weight + target * layer->in_p, layer->in_p) +
							layer->bias[target] - log_expected(sample, target);
	float sum;
	float share = 0;

	max = own > max ? own : max;
	sum = rs_mlp_exp_sum(score, sample->wanted, max);
	if (!drawn)
	{
		share = expf(own - max);
		sum += share;
	}
	rs_mlp_scale(score, sample->wanted, scale / sum);
	memset(score + sample->wanted, 0, (sample->n_p - sample->wanted) * sizeof(float));
	sample->target_delta[row] = drawn ? 0 : scale * (share / sum - 1);
	if (drawn)
		score[slot] -= scale;
	return example->weight * (log((double) sum) + ((double) max - own));
}
