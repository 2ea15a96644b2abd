/*
 * mlp_sample.c
 *		Sampled softmax: a batch's targets against some of the items.
 *
 * Jean, Cho, Memisevic, Bengio, On Using Very Large Target Vocabulary for Neural
 * Machine Translation, ACL 2015, as in TensorFlow's sampled_softmax_loss: the
 * candidates are drawn without repetition, once for the whole batch, uniformly or
 * log-uniformly by the rank of popularity; the log of how often an item is
 * expected to be drawn is taken from its score; a candidate that is an example's
 * own target is no wrong answer for it.
 */
#include "core/algorithms/mlp/mlp.h"

#include "core/base/random.h"
#include "core/math/vec.h"

#include <math.h>
#include <string.h>

#define NO_SLOT UINT32_MAX
#define TRIES_PER_POLL 65536

/* The chance of an item in one draw. */
static double
chance(const RsMlp *net, uint32_t item)
{
	double n = net->set.items;

	if (net->set.sampler == RS_SAMPLER_UNIFORM)
		return 1 / n;
	return log1p(1 / ((double) net->sample.rank[item] + 1)) / log1p(n);
}

/* Log of how often it is expected among the candidates. */
static float
log_expected(const RsMlp *net, uint32_t item)
{
	return (float) log(-expm1(net->sample.tries * log1p(-chance(net, item))));
}

static uint32_t
draw_one(const RsMlp *net, uint64_t at)
{
	uint32_t n = net->set.items;
	double u = rs_random_uniform(net->set.seed ^ 0x2545f491u, net->step, at);
	double place = net->set.sampler == RS_SAMPLER_UNIFORM ? u * n : exp(u * log1p(n)) - 1;

	return net->sample.by_rank[place < n ? (uint32_t) place : n - 1];
}

/* Candidates for this batch, then its other targets. */
RsStatus
rs_mlp_draw(RsContext *ctx, RsMlp *net)
{
	RsMlpSample *sample = &net->sample;
	uint32_t n = 0;
	uint64_t tries = 0;

	sample->extra = 0;
	while (n < sample->wanted)
	{
		uint32_t item = draw_one(net, tries++);

		if (tries % TRIES_PER_POLL == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (sample->slot[item] != NO_SLOT)
			continue;
		sample->slot[item] = n;
		sample->candidate[n++] = item;
	}
	sample->tries = (double) tries;
	rs_mlp_list_targets(net);
	return RS_OK;
}

/* The targets that are no candidates, each with its examples in order. */
void
rs_mlp_list_targets(RsMlp *net)
{
	RsMlpSample *sample = &net->sample;

	sample->extra = 0;
	for (uint32_t row = net->n; row-- > 0;)
	{
		uint32_t item = net->example[row].target;
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
rs_mlp_undraw(RsMlp *net)
{
	RsMlpSample *sample = &net->sample;

	for (uint32_t i = 0; i < sample->wanted + sample->extra; i++)
		sample->slot[sample->candidate[i]] = NO_SLOT;
}

/* Bring the weights of RS_MLP_SHARD candidates together. */
void
rs_mlp_gather(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsMlp *net = arg;
	RsMlpSample *sample = &net->sample;
	const RsMlpLayer *layer = &net->layer[net->layers - 1];
	size_t first = (size_t) begin * RS_MLP_SHARD;

	(void) end;
	(void) thread;
	for (size_t i = first; i < first + RS_MLP_SHARD && i < sample->wanted; i++)
	{
		uint32_t item = sample->candidate[i];

		memcpy(sample->rows + i * layer->in_p, layer->weight + item * layer->in_p,
			   layer->in_p * sizeof(float));
		sample->bias[i] = layer->bias[item] - log_expected(net, item);
	}
	rs_mlp_pack(sample->rows, layer->in_p, first, first + RS_MLP_SHARD, sample->panels);
}

/* Softmax of one example's scores of candidates and its own; then the gradient. */
static void
sampled_row(RsMlp *net, uint32_t row, float *score, const float *query)
{
	RsMlpSample *sample = &net->sample;
	const RsMlpLayer *layer = &net->layer[net->layers - 1];
	const RsMlpExample *example = &net->example[row];
	uint32_t slot = sample->slot[example->target];
	bool drawn = slot < sample->wanted;
	float scale = example->weight / (float) net->n;
	float max = rs_mlp_max(score, sample->wanted);
	float own = drawn ? score[slot]
					  : rs_dot(query, layer->weight + example->target * layer->in_p, layer->in_p) +
							layer->bias[example->target] - log_expected(net, example->target);
	float sum;
	float share = 0;

	max = own > max ? own : max;
	sum = rs_mlp_exp_sum(score, sample->wanted, max);
	if (!drawn)
	{
		share = expf(own - max);
		sum += share;
	}
	net->loss[row] = example->weight * (log((double) sum) + ((double) max - own));
	rs_mlp_scale(score, sample->wanted, scale / sum);
	memset(score + sample->wanted, 0, (sample->n_p - sample->wanted) * sizeof(float));
	sample->target_delta[row] = drawn ? 0 : scale * (share / sum - 1);
	if (drawn)
		score[slot] -= scale;
}

void
rs_mlp_sampled_scores(RsMlp *net, uint32_t begin, uint32_t end)
{
	const RsMlpLayer *layer = &net->layer[net->layers - 1];
	const float *x = net->layers > 1 ? net->layer[net->layers - 2].y : net->x;
	uint32_t rows = (end - begin + RS_MLP_ROWS - 1) / RS_MLP_ROWS * RS_MLP_ROWS;
	float *score = layer->y + begin * layer->y_step;

	rs_mlp_dense(x + begin * layer->in_p, layer->in_p, layer->in_p, net->sample.panels,
				 net->sample.bias, score, layer->y_step, rows, net->sample.n_p);
	for (uint32_t row = begin; row < end; row++, score += layer->y_step)
		sampled_row(net, row, score, x + row * layer->in_p);
	memset(score, 0, (rows - (end - begin)) * layer->y_step * sizeof(float));
}
