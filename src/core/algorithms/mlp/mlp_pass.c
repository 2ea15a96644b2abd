/*
 * mlp_pass.c
 *		A batch goes through the network and its gradient comes back.
 *
 * Pieces of some examples, each on its own from the input to the gradient
 * of the first hidden layer.  Scores of the output layer are replaced in place by
 * their gradient, (softmax - one hot) * weight / batch.
 */
#include "core/algorithms/mlp/mlp.h"

#include "core/base/random.h"
#include "core/math/vec.h"

#include <math.h>
#include <string.h>

#define HITS_AT 10
#define ITEMS_PER_POLL 8192 /* a multiple of RS_MLP_PAD */
#define LARGEST_SHARD 64

static uint32_t
rows_of(uint32_t begin, uint32_t end)
{
	return (end - begin + RS_MLP_ROWS - 1) / RS_MLP_ROWS * RS_MLP_ROWS;
}

/* --- input --- */

/* The j-th of the other events of the example; at most history_length of them
 * are taken, one from each of as many equal parts of the history. */
static uint32_t
other_event(const RsMlp *net, const RsMlpExample *example, uint32_t others, uint32_t taken,
			uint32_t j)
{
	uint32_t at = j;

	if (taken < others)
	{
		uint64_t begin = (uint64_t) j * others / taken;
		uint64_t end = ((uint64_t) j + 1) * others / taken;

		at = (uint32_t) (begin + rs_random(net->salt, example->key, j) % (end - begin));
	}
	return at < example->left_out ? at : at + 1;
}

/* Mean of the embeddings of what else the user did. */
static void
read_history(RsMlp *net, const RsMlpExample *example, uint32_t row, float *out)
{
	uint32_t *seen = net->seen + (size_t) row * net->set.history_length;
	uint32_t others = example->n_history - (example->left_out < example->n_history ? 1 : 0);
	uint32_t taken = others < net->set.history_length ? others : net->set.history_length;
	uint32_t n = 0;
	float scale;

	for (uint32_t j = 0; j < taken; j++)
	{
		uint32_t at = other_event(net, example, others, taken, j);

		if (example->weights[at] > 0)
			seen[n++] = example->history[at];
	}
	net->n_seen[row] = n;
	scale = n > 0 ? 1.0f / (float) n : 0.0f;
	for (uint32_t j = 0; j < n; j++)
		rs_axpy(scale, net->embedding + (size_t) seen[j] * net->set.history, out, net->set.history);
}

static void
read_inputs(RsMlp *net, uint32_t begin, uint32_t end)
{
	size_t step = net->layer[0].in_p;

	memset(net->x + begin * step, 0, rows_of(begin, end) * step * sizeof(float));
	for (uint32_t row = begin; row < end; row++)
	{
		const RsMlpExample *example = &net->example[row];

		if (example->features != NULL)
			memcpy(net->x + row * step, example->features, net->set.features * sizeof(float));
		if (net->set.history > 0)
			read_history(net, example, row, net->x + row * step + net->set.features);
	}
}

/* --- hidden layers --- */

/* Multiply a row of values or gradients by the dropout of its example. */
static void
drop_units(const RsMlp *net, const RsMlpExample *example, int l, float *row)
{
	uint32_t limit = (uint32_t) (net->set.dropout * 65536);
	float scale = (float) (1 / (1 - net->set.dropout));
	uint32_t n = net->layer[l].out;

	for (uint32_t j = 0; j < n; j += 4)
	{
		uint64_t bits = rs_random(net->salt ^ 0x5bd1e995u, example->key, (uint64_t) l << 32 | j);

		for (uint32_t i = j; i < n && i < j + 4; i++, bits >>= 16)
			row[i] *= (bits & 0xffff) < limit ? 0.0f : scale;
	}
}

static void
hidden_forward(RsMlp *net, int l, uint32_t begin, uint32_t end)
{
	RsMlpLayer *layer = &net->layer[l];
	const float *x = l > 0 ? net->layer[l - 1].y : net->x;
	float *y = layer->y + begin * layer->y_step;
	uint32_t rows = rows_of(begin, end);

	rs_mlp_dense(x + begin * layer->in_p, layer->in_p, layer->in_p, layer->panels, layer->bias, y,
				 layer->y_step, rows, layer->out_p);
	rs_mlp_activate(net->set.activation, y, rows * layer->y_step);
	for (uint32_t row = begin; row < end; row++, y += layer->y_step)
	{
		memset(y + layer->out, 0, (layer->out_p - layer->out) * sizeof(float));
		if (net->learning && net->set.dropout > 0)
			drop_units(net, &net->example[row], l, y);
	}
}

/* Gradient before the activation of layer l from what its output got. */
static void
hidden_backward(RsMlp *net, int l, uint32_t begin, uint32_t end)
{
	RsMlpLayer *layer = &net->layer[l];
	float keep = (float) (1 - net->set.dropout);

	for (uint32_t row = begin; row < end; row++)
	{
		float *y = layer->y + row * layer->y_step;
		float *delta = layer->delta + row * layer->y_step;

		if (net->set.dropout > 0)
		{
			drop_units(net, &net->example[row], l, delta);
			if (net->set.activation != RS_RELU)
				rs_mlp_scale(y, layer->out, keep); /* the value before dropout, where kept */
		}
		rs_mlp_derive(net->set.activation, y, delta, layer->y_step);
		if (net->set.dropout > 0 && net->set.activation != RS_RELU)
			rs_mlp_scale(y, layer->out, 1 / keep);
	}
}

/* What layer l passes back to its input: delta W. */
static void
pass_back(RsMlp *net, int l, uint32_t begin, uint32_t end)
{
	const RsMlpLayer *layer = &net->layer[l];
	bool output = l == net->layers - 1;
	bool sampled = output && net->sample.wanted > 0;
	const float *delta = output ? layer->y : layer->delta;
	float *to = l > 0 ? net->layer[l - 1].delta : net->x_delta;
	RsProduct job = {.a = delta + begin * layer->y_step,
					 .row_step = layer->y_step,
					 .k_step = 1,
					 .b = sampled ? net->sample.rows : layer->weight,
					 .b_step = layer->in_p,
					 .k = sampled ? net->sample.n_p : layer->out_p};

	rs_mlp_product(&job, to + begin * layer->in_p, layer->in_p, rows_of(begin, end), layer->in_p);
	for (uint32_t row = begin; sampled && row < end; row++)
		rs_axpy(net->sample.target_delta[row],
				layer->weight + net->example[row].target * layer->in_p, to + row * layer->in_p,
				layer->in_p);
}

/* --- output layer --- */

/* Items whose score is above the target's; of equal ones the lower number wins. */
static uint32_t
count_above(const float *score, uint32_t n, uint32_t target)
{
	float own = score[target];
	uint32_t above = 0;

	for (uint32_t i = 0; i < target; i++)
		above += score[i] >= own;
	for (uint32_t i = target + 1; i < n; i++)
		above += score[i] > own;
	return above;
}

/* Scores of all items for examples [begin, end), then their gradient. */
static void
exact_scores(RsMlp *net, uint32_t begin, uint32_t end, int thread)
{
	RsMlpLayer *layer = &net->layer[net->layers - 1];
	const float *x = net->layers > 1 ? net->layer[net->layers - 2].y : net->x;
	size_t step = net->learning ? layer->y_step : layer->out_p + 16;
	float *score = layer->y + begin * step;
	uint32_t n = layer->out;

	for (size_t from = 0; from < layer->out_p; from += ITEMS_PER_POLL)
	{
		size_t items = layer->out_p - from < ITEMS_PER_POLL ? layer->out_p - from : ITEMS_PER_POLL;

		if (rs_team_canceled(net->team, thread))
			return;
		rs_mlp_dense(x + begin * layer->in_p, layer->in_p, layer->in_p,
					 layer->panels + from * layer->in_p, layer->bias + from, score + from, step,
					 rows_of(begin, end), items);
	}
	for (uint32_t row = begin; row < end; row++, score += step)
	{
		const RsMlpExample *example = &net->example[row];
		float own = score[example->target];
		float max = rs_mlp_max(score, n);
		float sum;

		if (!net->learning)
			net->rank[row] = count_above(score, n, example->target);
		sum = rs_mlp_exp_sum(score, n, max);
		net->loss[row] = example->weight * (log((double) sum) + ((double) max - own));
		if (!net->learning)
			continue;
		rs_mlp_scale(score, n, example->weight / ((float) net->n * sum));
		score[example->target] -= example->weight / (float) net->n;
		memset(score + n, 0, (layer->out_p - n) * sizeof(float));
	}
	/* rows that only fill up the last piece */
	if (net->learning)
		memset(score, 0, (rows_of(begin, end) - (end - begin)) * step * sizeof(float));
}

/* Examples of a piece: as many as leave each thread two, for every piece reads all
 * the weights.  What comes out does not depend on it. */
static uint32_t
shard_size(const RsMlp *net)
{
	uint32_t pieces = 2 * (uint32_t) net->threads;
	uint32_t size = (net->n / pieces) / RS_MLP_SHARD * RS_MLP_SHARD;

	return size < RS_MLP_SHARD ? RS_MLP_SHARD : size > LARGEST_SHARD ? LARGEST_SHARD : size;
}

static void
pass_shard(void *arg, uint64_t shard, uint64_t next, int thread)
{
	RsMlp *net = arg;
	uint32_t size = shard_size(net);
	uint32_t begin = (uint32_t) shard * size;
	uint32_t end = net->n - begin < size ? net->n : begin + size;

	(void) next;
	read_inputs(net, begin, end);
	for (int l = 0; l < net->layers - 1; l++)
	{
		if (rs_team_canceled(net->team, thread))
			return;
		hidden_forward(net, l, begin, end);
	}
	if (net->learning && net->sample.wanted > 0)
		rs_mlp_sampled_scores(net, begin, end);
	else
		exact_scores(net, begin, end, thread);
	if (!net->learning)
		return;
	for (int l = net->layers - 1; l > 0; l--)
	{
		if (rs_team_canceled(net->team, thread))
			return;
		pass_back(net, l, begin, end);
		hidden_backward(net, l - 1, begin, end);
	}
	if (net->set.history > 0)
		pass_back(net, 0, begin, end);
}

/* --- a batch --- */

static uint32_t
shards(const RsMlp *net)
{
	return (net->n + shard_size(net) - 1) / shard_size(net);
}

static double
sum_of_losses(const RsMlp *net)
{
	double sum = 0;

	for (uint32_t i = 0; i < net->n; i++)
		sum += net->loss[i];
	return sum;
}

static void
next_step(RsMlp *net)
{
	const double first = 0.9; /* the paper's betas, as everywhere */
	const double second = 0.999;
	double t = (double) ++net->step;

	net->adam.first = (float) (1 - first);
	net->adam.second = (float) (1 - second);
	net->adam.rate =
		(float) (net->set.learning_rate * sqrt(1 - pow(second, t)) / (1 - pow(first, t)));
	net->adam.epsilon = 1e-8f;
	net->decay = (float) (net->set.learning_rate * net->set.weight_decay);
}

RsStatus
rs_mlp_learn(RsContext *ctx, RsMlp *net, const RsMlpExample *example, uint32_t n, double *loss)
{
	RsStatus status = RS_OK;

	net->example = example;
	net->n = n;
	net->learning = true;
	next_step(net);
	if (net->sample.wanted > 0)
	{
		if (rs_mlp_draw(ctx, net) != RS_OK)
			return ctx->status; /* nothing of the network is used any more */
		status = rs_team_run(ctx, net->team, net->sample.n_p / RS_MLP_SHARD, rs_mlp_gather, net);
	}
	if (status == RS_OK)
		status = rs_team_run(ctx, net->team, shards(net), pass_shard, net);
	if (status == RS_OK)
	{
		*loss = sum_of_losses(net);
		status = rs_team_run(ctx, net->team, rs_mlp_update_pieces(net), rs_mlp_update, net);
	}
	if (net->sample.wanted > 0)
		rs_mlp_undraw(net);
	return status;
}

RsStatus
rs_mlp_measure(RsContext *ctx, RsMlp *net, const RsMlpExample *example, uint32_t n, double *loss,
			   uint32_t *hits)
{
	size_t room = net->y_floats / (net->layer[net->layers - 1].out_p + 16);
	uint32_t most = (uint32_t) (room < net->batch_p ? room : net->batch_p) & ~31u;

	*loss = 0;
	*hits = 0;
	net->learning = false;
	for (uint32_t begin = 0; begin < n; begin += most)
	{
		net->example = example + begin;
		net->n = n - begin < most ? n - begin : most;
		if (rs_team_run(ctx, net->team, shards(net), pass_shard, net) != RS_OK)
			return ctx->status;
		*loss += sum_of_losses(net);
		for (uint32_t i = 0; i < net->n; i++)
			*hits += net->rank[i] < HITS_AT;
	}
	return RS_OK;
}
