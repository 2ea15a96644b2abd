/*
 * mlp_pass.c
 *		A batch goes through the network and its gradient comes back.
 */
#include "core/algorithms/mlp/mlp_pass.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/math/vec.h"

#define LARGEST_SHARD 64

/* Examples that have scores at a time: with more of them the scores of a large batch
 * over many items would take more memory than all else.  A multiple of RS_MLP_DEPTH
 * and of LARGEST_SHARD. */
#define SCORED_AT_ONCE 1024

/* an odd number of cache lines more, or the columns of a batch share few sets */
#define SCORE_STEP(columns) ((columns) + 16)

/* Room for scores, of a size that their number decides. */
static RsStatus
create_scores(RsContext *ctx, bool measuring, RsMlpPass *pass)
{
	const RsMlpLayer *output = &pass->net->layer[pass->net->layers - 1];
	RsMlpValues *scores = &pass->at[pass->net->layers];
	/* the more floats a query has, the more the gradient takes that is kept meanwhile */
	uint32_t most = (uint32_t) rs_mlp_round_up(output->in_p, SCORED_AT_ONCE);
	size_t all = SCORE_STEP(output->out_p);
	size_t floats;

	scores->step = pass->sample != NULL ? SCORE_STEP(pass->sample->n_p) : all;
	pass->scored = pass->rows < most ? pass->rows : most;
	floats = pass->scored * scores->step;
	if (measuring)
	{
		floats = floats < RS_MLP_SHARD * all ? RS_MLP_SHARD * all : floats;
		pass->measured = (uint32_t) (floats / all / RS_MLP_SHARD * RS_MLP_SHARD);
	}
	scores->delta = rs_alloc(ctx, floats * sizeof(float));
	return scores->delta != NULL ? RS_OK : ctx->status;
}

RsStatus
rs_mlp_pass_create(RsContext *ctx, uint32_t batch, bool measuring, RsMlpPass *pass)
{
	const RsMlpNet *net = pass->net;
	bool history = net->shape.history > 0;
	size_t rows = pass->rows = (uint32_t) rs_mlp_round_up(batch, RS_MLP_SHARD);

	for (int l = 0; l < net->layers; l++)
	{
		RsMlpValues *at = &pass->at[l];
		size_t bytes;

		at->step = net->layer[l].in_p;
		bytes = rows * at->step * sizeof(float);
		if ((at->value = rs_alloc(ctx, bytes)) == NULL ||
			((l > 0 || history) && (at->delta = rs_alloc(ctx, bytes)) == NULL))
			return ctx->status;
	}
	if ((pass->loss = rs_alloc(ctx, rows * sizeof(double))) == NULL ||
		(pass->rank = rs_alloc(ctx, rows * sizeof(uint32_t))) == NULL)
		return ctx->status;
	if (history &&
		((pass->seen = rs_alloc(ctx, rows * pass->history_length * sizeof(uint32_t))) == NULL ||
		 (pass->n_seen = rs_alloc(ctx, rows * sizeof(uint32_t))) == NULL))
		return ctx->status;
	return create_scores(ctx, measuring, pass);
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

static bool
read_inputs(RsMlpPass *pass, uint32_t begin, uint32_t end, int thread)
{
	const RsMlpShape *shape = &pass->net->shape;
	size_t step = pass->at[0].step;
	float *x = pass->at[0].value + begin * step;

	memset(x, 0, rs_mlp_rows(end - begin) * step * sizeof(float));
	for (uint32_t row = begin; row < end; row++, x += step)
	{
		const RsMlpExample *example = &pass->example[row];

		if (rs_team_canceled(pass->team, thread))
			return false;
		if (example->features != NULL)
			memcpy(x, example->features, shape->features * sizeof(float));
		if (shape->history > 0)
			read_history(pass, example, row, x + shape->features);
	}
	return true;
}

/* --- products, in parts between which cancel is looked for; false: canceled --- */

/* What layer l makes of examples [begin, begin + rows), by these panels and biases,
 * or those of its weights. */
static bool
dense(const RsMlpPass *pass, int l, uint32_t begin, size_t rows, const float *panels,
	  const float *bias, size_t columns, float *y, size_t y_step, int thread)
{
	const RsMlpValues *x = &pass->at[l];
	size_t k = pass->net->layer[l].in_p;
	size_t part = rs_mlp_part(rows * k, RS_MLP_PAD);

	for (size_t j = 0; j < columns; j += part)
	{
		if (rs_team_canceled(pass->team, thread))
			return false;
		rs_mlp_dense(x->value + begin * x->step, x->step, k, panels + j * k, bias + j, y + j,
					 y_step, rows, columns - j < part ? columns - j : part);
	}
	return true;
}

/* What layer l passes back to its input: delta W. */
static bool
pass_back(RsMlpPass *pass, int l, uint32_t begin, uint32_t end, int thread)
{
	const RsMlpLayer *layer = &pass->net->layer[l];
	bool output = l == pass->net->layers - 1;
	const RsMlpSample *sample = output ? pass->sample : NULL;
	const RsMlpValues *from = &pass->at[l + 1];
	const RsMlpValues *to = &pass->at[l];
	const float *delta = from->delta + (output ? begin - pass->first : begin) * from->step;
	const float *weight = sample != NULL ? sample->rows : layer->weight;
	size_t n = sample != NULL ? sample->n_p : layer->out_p;
	size_t rows = rs_mlp_rows(end - begin);
	/* of the input only the history has weights of its own */
	size_t column = l == 0 ? pass->net->shape.features / RS_MLP_PAD * RS_MLP_PAD : 0;
	size_t columns = layer->in_p - column;
	size_t part = rs_mlp_part(rows * columns, RS_MLP_DEPTH);

	for (size_t k = 0; k < n; k += part)
	{
		RsProduct job = {.a = delta + k,
						 .row_step = from->step,
						 .k_step = 1,
						 .b = weight + k * layer->in_p + column,
						 .b_step = layer->in_p,
						 .k = n - k < part ? n - k : part,
						 .add = k > 0};

		if (rs_team_canceled(pass->team, thread))
			return false;
		rs_mlp_product(&job, to->delta + begin * to->step + column, to->step, rows, columns);
	}
	for (uint32_t row = begin; sample != NULL && row < end; row++)
		rs_axpy(sample->target_delta[row],
				layer->weight + pass->example[row].target * layer->in_p + column,
				to->delta + row * to->step + column, columns);
	return true;
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

static bool
hidden_forward(RsMlpPass *pass, int l, uint32_t begin, uint32_t end, int thread)
{
	const RsMlpLayer *layer = &pass->net->layer[l];
	size_t step = pass->at[l + 1].step;
	float *y = pass->at[l + 1].value + begin * step;
	size_t rows = rs_mlp_rows(end - begin);

	if (!dense(pass, l, begin, rows, layer->panels, layer->bias, layer->out_p, y, step, thread))
		return false;
	rs_mlp_activate(pass->net->shape.activation, y, rows * step);
	for (uint32_t row = begin; row < end; row++, y += step)
	{
		memset(y + layer->out, 0, (layer->out_p - layer->out) * sizeof(float));
		if (pass->learning && pass->dropout > 0)
			drop_units(pass, &pass->example[row], l, y);
	}
	return true;
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
	int l = pass->net->layers - 1;
	const RsMlpLayer *layer = &pass->net->layer[l];
	RsMlpSample *sample = pass->learning ? pass->sample : NULL;
	size_t columns = sample != NULL ? sample->n_p : layer->out_p;
	size_t step = SCORE_STEP(columns);
	size_t rows = rs_mlp_rows(end - begin);
	const RsMlpValues *query = &pass->at[l];
	float *score = pass->at[l + 1].delta + (begin - pass->first) * step;

	if (!dense(pass, l, begin, rows, sample != NULL ? sample->panels : layer->panels,
			   sample != NULL ? sample->bias : layer->bias, columns, score, step, thread))
		return false;
	for (uint32_t row = begin; row < end; row++, score += step)
	{
		if (rs_team_canceled(pass->team, thread))
			return false;
		if (sample != NULL)
			pass->loss[row] = rs_mlp_sample_loss(sample, &pass->example[row], row, pass->n,
												 query->value + row * query->step, score);
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
	uint32_t size = ((pass->end - pass->first) / pieces) / RS_MLP_SHARD * RS_MLP_SHARD;

	return size < RS_MLP_SHARD ? RS_MLP_SHARD : size > LARGEST_SHARD ? LARGEST_SHARD : size;
}

static void
pass_shard(void *arg, uint64_t shard, uint64_t next, int thread)
{
	RsMlpPass *pass = arg;
	int last = pass->net->layers - 1;
	uint32_t size = shard_size(pass);
	uint32_t begin = pass->first + (uint32_t) shard * size;
	uint32_t end = pass->end - begin < size ? pass->end : begin + size;

	(void) next;
	if (!read_inputs(pass, begin, end, thread))
		return;
	for (int l = 0; l < last; l++)
		if (!hidden_forward(pass, l, begin, end, thread))
			return;
	if (!output_scores(pass, begin, end, thread) || !pass->learning)
		return;
	for (int l = last; l > 0; l--)
	{
		if (!pass_back(pass, l, begin, end, thread))
			return;
		hidden_backward(pass, l - 1, begin, end);
	}
	if (pass->net->shape.history > 0)
		(void) pass_back(pass, 0, begin, end, thread);
}

RsStatus
rs_mlp_pass_next(RsContext *ctx, RsMlpPass *pass)
{
	uint32_t room = pass->learning ? pass->scored : pass->measured;
	uint32_t size;

	pass->first = pass->end;
	pass->end = pass->n - pass->first < room ? pass->n : pass->first + room;
	size = shard_size(pass);
	return rs_team_run(ctx, pass->team, (pass->end - pass->first + size - 1) / size, pass_shard,
					   pass);
}
