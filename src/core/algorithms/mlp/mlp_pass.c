/*
 * mlp_pass.c
 *		A batch goes through the network and its gradient comes back.
 */
#include "core/algorithms/mlp/mlp_pass.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/math/vec.h"

#define ITEMS_PER_POLL 8192 /* a multiple of RS_MLP_PAD */
#define LARGEST_SHARD 64

/* an odd number of cache lines more, or the columns of a batch share few sets */
#define SCORE_STEP(columns) ((columns) + 16)

RsStatus
rs_mlp_pass_create(RsContext *ctx, uint32_t batch, bool measuring, RsMlpPass *pass)
{
	const RsMlpNet *net = pass->net;
	const RsMlpLayer *output = &net->layer[net->layers - 1];
	RsMlpValues *scores = &pass->at[net->layers];
	size_t rows = pass->rows = rs_mlp_round_up(batch, RS_MLP_SHARD);

	for (int l = 0; l < net->layers; l++)
	{
		RsMlpValues *at = &pass->at[l];

		at->step = net->layer[l].in_p;
		if ((at->value = rs_calloc(ctx, rows * at->step, sizeof(float))) == NULL)
			return ctx->status;
		if ((l > 0 || net->shape.history > 0) &&
			(at->delta = rs_calloc(ctx, rows * at->step, sizeof(float))) == NULL)
			return ctx->status;
	}
	scores->step = SCORE_STEP(pass->sample != NULL ? pass->sample->n_p : output->out_p);
	pass->score_floats = rows * scores->step;
	if (measuring && pass->score_floats < RS_MLP_SHARD * SCORE_STEP(output->out_p))
		pass->score_floats = RS_MLP_SHARD * SCORE_STEP(output->out_p);
	if ((scores->delta = rs_calloc(ctx, pass->score_floats, sizeof(float))) == NULL ||
		(pass->loss = rs_calloc(ctx, rows, sizeof(double))) == NULL ||
		(pass->rank = rs_calloc(ctx, rows, sizeof(uint32_t))) == NULL)
		return ctx->status;
	if (net->shape.history > 0 &&
		((pass->seen = rs_calloc(ctx, rows * pass->history_length, sizeof(uint32_t))) == NULL ||
		 (pass->n_seen = rs_calloc(ctx, rows, sizeof(uint32_t))) == NULL))
		return ctx->status;
	return RS_OK;
}

void
rs_mlp_pass_free(RsContext *ctx, RsMlpPass *pass)
{
	for (int l = 0; l <= RS_MLP_LAYERS; l++)
	{
		rs_free(ctx, pass->at[l].value);
		rs_free(ctx, pass->at[l].delta);
	}
	rs_free(ctx, pass->seen);
	rs_free(ctx, pass->n_seen);
	rs_free(ctx, pass->loss);
	rs_free(ctx, pass->rank);
}

uint32_t
rs_mlp_pass_room(const RsMlpPass *pass)
{
	size_t room = pass->score_floats / SCORE_STEP(pass->net->layer[pass->net->layers - 1].out_p);

	return (uint32_t) (room < pass->rows ? room : pass->rows) / RS_MLP_SHARD * RS_MLP_SHARD;
}

/* --- input --- */

/* The j-th of the other events of the example; at most history_length of them
 * are taken, one from each of as many equal parts of the history. */
static uint32_t
other_event(const RsMlpPass *pass, const RsMlpExample *example, uint32_t others, uint32_t taken,
			uint32_t j)
{
	uint32_t at = j;

	if (taken < others)
	{
		uint64_t begin = (uint64_t) j * others / taken;
		uint64_t end = ((uint64_t) j + 1) * others / taken;

		at = (uint32_t) (begin + rs_random(pass->salt, example->key, j) % (end - begin));
	}
	return at < example->left_out ? at : at + 1;
}

/* Mean of the embeddings of what else the user did. */
static void
read_history(RsMlpPass *pass, const RsMlpExample *example, uint32_t row, float *out)
{
	size_t width = pass->net->shape.history;
	uint32_t *seen = pass->seen + (size_t) row * pass->history_length;
	uint32_t others = example->n_history - (example->left_out < example->n_history ? 1 : 0);
	uint32_t taken = others < pass->history_length ? others : pass->history_length;
	uint32_t n = 0;
	float scale;

	for (uint32_t j = 0; j < taken; j++)
	{
		uint32_t at = other_event(pass, example, others, taken, j);

		if (example->weights[at] > 0)
			seen[n++] = example->history[at];
	}
	pass->n_seen[row] = n;
	scale = n > 0 ? 1.0f / (float) n : 0.0f;
	for (uint32_t j = 0; j < n; j++)
		rs_axpy(scale, pass->net->embedding + seen[j] * width, out, width);
}

static void
read_inputs(RsMlpPass *pass, uint32_t begin, uint32_t end)
{
	const RsMlpShape *shape = &pass->net->shape;
	size_t step = pass->at[0].step;
	float *x = pass->at[0].value + begin * step;

	memset(x, 0, rs_mlp_rows(end - begin) * step * sizeof(float));
	for (uint32_t row = begin; row < end; row++, x += step)
	{
		const RsMlpExample *example = &pass->example[row];

		if (example->features != NULL)
			memcpy(x, example->features, shape->features * sizeof(float));
		if (shape->history > 0)
			read_history(pass, example, row, x + shape->features);
	}
}

/* --- hidden layers --- */

/* Multiply a row of values or gradients by the dropout of its example. */
static void
drop_units(const RsMlpPass *pass, const RsMlpExample *example, int l, float *row)
{
	uint32_t limit = (uint32_t) (pass->dropout * 65536);
	float scale = (float) (1 / (1 - pass->dropout));
	uint32_t n = pass->net->layer[l].out;

	for (uint32_t j = 0; j < n; j += 4)
	{
		uint64_t bits = rs_random(pass->salt ^ 0x5bd1e995u, example->key, (uint64_t) l << 32 | j);

		for (uint32_t i = j; i < n && i < j + 4; i++, bits >>= 16)
			row[i] *= (bits & 0xffff) < limit ? 0.0f : scale;
	}
}

static void
hidden_forward(RsMlpPass *pass, int l, uint32_t begin, uint32_t end)
{
	const RsMlpLayer *layer = &pass->net->layer[l];
	const RsMlpValues *from = &pass->at[l];
	const RsMlpValues *to = &pass->at[l + 1];
	float *y = to->value + begin * to->step;
	size_t rows = rs_mlp_rows(end - begin);

	rs_mlp_dense(from->value + begin * from->step, from->step, layer->in_p, layer->panels,
				 layer->bias, y, to->step, rows, layer->out_p);
	rs_mlp_activate(pass->net->shape.activation, y, rows * to->step);
	for (uint32_t row = begin; row < end; row++, y += to->step)
	{
		memset(y + layer->out, 0, (layer->out_p - layer->out) * sizeof(float));
		if (pass->learning && pass->dropout > 0)
			drop_units(pass, &pass->example[row], l, y);
	}
}

/* Gradient before the activation of layer l from what its output got. */
static void
hidden_backward(RsMlpPass *pass, int l, uint32_t begin, uint32_t end)
{
	const RsMlpValues *at = &pass->at[l + 1];
	RsActivation activation = pass->net->shape.activation;
	uint32_t n = pass->net->layer[l].out;
	float keep = (float) (1 - pass->dropout);

	for (uint32_t row = begin; row < end; row++)
	{
		float *y = at->value + row * at->step;
		float *delta = at->delta + row * at->step;

		if (pass->dropout > 0)
		{
			drop_units(pass, &pass->example[row], l, delta);
			if (activation != RS_RELU)
				rs_mlp_scale(y, n, keep); /* the value before dropout, where kept */
		}
		rs_mlp_derive(activation, y, delta, at->step);
		if (pass->dropout > 0 && activation != RS_RELU)
			rs_mlp_scale(y, n, 1 / keep);
	}
}

/* What layer l passes back to its input: delta W. */
static void
pass_back(RsMlpPass *pass, int l, uint32_t begin, uint32_t end)
{
	const RsMlpLayer *layer = &pass->net->layer[l];
	const RsMlpSample *sample = l == pass->net->layers - 1 ? pass->sample : NULL;
	const RsMlpValues *from = &pass->at[l + 1];
	const RsMlpValues *to = &pass->at[l];
	RsProduct job = {.a = from->delta + begin * from->step,
					 .row_step = from->step,
					 .k_step = 1,
					 .b = sample != NULL ? sample->rows : layer->weight,
					 .b_step = layer->in_p,
					 .k = sample != NULL ? sample->n_p : layer->out_p};

	rs_mlp_product(&job, to->delta + begin * to->step, to->step, rs_mlp_rows(end - begin),
				   layer->in_p);
	for (uint32_t row = begin; sample != NULL && row < end; row++)
		rs_axpy(sample->target_delta[row], layer->weight + pass->example[row].target * layer->in_p,
				to->delta + row * to->step, layer->in_p);
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

/* Loss of a row of scores of all items, which become their gradient if learning. */
static void
exact_loss(RsMlpPass *pass, const RsMlpLayer *layer, uint32_t row, float *score)
{
	const RsMlpExample *example = &pass->example[row];
	uint32_t n = layer->out;
	float own = score[example->target];
	float max = rs_mlp_max(score, n);
	float sum;

	if (!pass->learning)
		pass->rank[row] = count_above(score, n, example->target);
	sum = rs_mlp_exp_sum(score, n, max);
	pass->loss[row] = example->weight * (log((double) sum) + ((double) max - own));
	if (!pass->learning)
		return;
	rs_mlp_scale(score, n, example->weight / ((float) pass->n * sum));
	score[example->target] -= example->weight / (float) pass->n;
	memset(score + n, 0, (layer->out_p - n) * sizeof(float));
}

/* Scores of all items, or of the candidates, for examples [begin, end), then their
 * gradient.  False: canceled. */
static bool
output_scores(RsMlpPass *pass, uint32_t begin, uint32_t end, int thread)
{
	const RsMlpLayer *layer = &pass->net->layer[pass->net->layers - 1];
	const RsMlpValues *at = &pass->at[pass->net->layers - 1];
	RsMlpSample *sample = pass->learning ? pass->sample : NULL;
	const float *panels = sample != NULL ? sample->panels : layer->panels;
	const float *bias = sample != NULL ? sample->bias : layer->bias;
	size_t columns = sample != NULL ? sample->n_p : layer->out_p;
	size_t step = SCORE_STEP(columns);
	size_t rows = rs_mlp_rows(end - begin);
	const float *x = at->value + begin * at->step;
	float *score = pass->at[pass->net->layers].delta + begin * step;

	for (size_t from = 0; from < columns; from += ITEMS_PER_POLL)
	{
		size_t items = columns - from < ITEMS_PER_POLL ? columns - from : ITEMS_PER_POLL;

		if (rs_team_canceled(pass->team, thread))
			return false;
		rs_mlp_dense(x, at->step, layer->in_p, panels + from * layer->in_p, bias + from,
					 score + from, step, rows, items);
	}
	for (uint32_t row = begin; row < end; row++, score += step, x += at->step)
	{
		if (sample != NULL)
			pass->loss[row] =
				rs_mlp_sample_loss(sample, &pass->example[row], row, pass->n, x, score);
		else
			exact_loss(pass, layer, row, score);
	}
	/* rows that only fill up the last piece */
	if (pass->learning)
		memset(score, 0, (rows - (end - begin)) * step * sizeof(float));
	return true;
}

/* --- a batch --- */

/* Examples of a piece: as many as leave each thread two, for every piece reads all
 * the weights.  What comes out does not depend on it. */
static uint32_t
shard_size(const RsMlpPass *pass)
{
	uint32_t pieces = 2 * (uint32_t) pass->threads;
	uint32_t size = (pass->n / pieces) / RS_MLP_SHARD * RS_MLP_SHARD;

	return size < RS_MLP_SHARD ? RS_MLP_SHARD : size > LARGEST_SHARD ? LARGEST_SHARD : size;
}

static void
pass_shard(void *arg, uint64_t shard, uint64_t next, int thread)
{
	RsMlpPass *pass = arg;
	int last = pass->net->layers - 1;
	uint32_t size = shard_size(pass);
	uint32_t begin = (uint32_t) shard * size;
	uint32_t end = pass->n - begin < size ? pass->n : begin + size;

	(void) next;
	read_inputs(pass, begin, end);
	for (int l = 0; l < last; l++)
	{
		if (rs_team_canceled(pass->team, thread))
			return;
		hidden_forward(pass, l, begin, end);
	}
	if (!output_scores(pass, begin, end, thread) || !pass->learning)
		return;
	for (int l = last; l > 0; l--)
	{
		if (rs_team_canceled(pass->team, thread))
			return;
		pass_back(pass, l, begin, end);
		hidden_backward(pass, l - 1, begin, end);
	}
	if (pass->net->shape.history > 0)
		pass_back(pass, 0, begin, end);
}

RsStatus
rs_mlp_pass_run(RsContext *ctx, RsMlpPass *pass)
{
	uint32_t size = shard_size(pass);

	return rs_team_run(ctx, pass->team, (pass->n + size - 1) / size, pass_shard, pass);
}
