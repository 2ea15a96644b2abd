/*
 * mlp_step.c
 *		One step of training: from a batch to new weights.
 *
 * A piece is RS_MLP_SHARD rows of a layer's weights: their gradient over the
 * whole batch, one product, goes straight into Adam while it is in the cache.
 *
 * Rows that a batch does not touch, of the embeddings and of the output layer
 * under sampled softmax, are left alone with their moments, as PyTorch's
 * SparseAdam and TensorFlow Addons' LazyAdam do: t counts batches, and weight
 * decay too waits until a row is touched.
 */
#include "core/algorithms/mlp/mlp_step.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"

#define HITS_AT 10
#define HISTORY_PIECES 8 /* item numbers modulo it */

static RsStatus
create_moments(RsContext *ctx, RsMlpStep *step)
{
	for (int i = 0; i <= 2 * step->net->layers; i++)
	{
		RsMlpMoments *moments = &step->moments[i];
		size_t n;

		(void) rs_mlp_net_array(step->net, i, &n);
		if ((moments->first = rs_calloc(ctx, n, sizeof(float))) == NULL ||
			(moments->second = rs_calloc(ctx, n, sizeof(float))) == NULL)
			return ctx->status;
	}
	return RS_OK;
}

/* Floats of the gradient of RS_MLP_SHARD rows of a layer's weights and their biases. */
static size_t
gradient_size(const RsMlpLayer *layer)
{
	return RS_MLP_SHARD * (layer->in_p + 1);
}

/* Examples over which a layer's gradient is summed between two looks for cancel. */
static size_t
summed_at_once(const RsMlpStep *step, const RsMlpLayer *layer)
{
	size_t part = rs_mlp_part(RS_MLP_SHARD * layer->in_p, RS_MLP_DEPTH);

	return part < step->pass.rows ? part : step->pass.rows;
}

static RsStatus
create_scratch(RsContext *ctx, RsMlpStep *step)
{
	const RsMlpNet *net = step->net;
	const RsMlpLayer *output = &net->layer[net->layers - 1];
	size_t rows = step->pass.sample != NULL ? step->sample.n_p : output->out_p;

	for (int l = 0; l < net->layers; l++)
	{
		const RsMlpLayer *layer = &net->layer[l];
		size_t n = gradient_size(layer) + RS_MLP_SHARD * summed_at_once(step, layer);

		step->scratch_step = n > step->scratch_step ? n : step->scratch_step;
	}
	step->scratch =
		rs_alloc(ctx, (size_t) rs_parallel_threads(ctx) * step->scratch_step * sizeof(float));
	if (step->scratch == NULL)
		return ctx->status;
	if (step->pass.rows > step->pass.scored &&
		(step->sums = rs_alloc(ctx, rows / RS_MLP_SHARD * gradient_size(output) * sizeof(float))) ==
			NULL)
		return ctx->status;
	if (net->shape.history > 0)
	{
		size_t n = (size_t) net->shape.items * net->shape.history;

		if ((step->embedding_gradient = rs_alloc(ctx, n * sizeof(float))) == NULL ||
			(step->touched = rs_calloc(ctx, net->shape.items, 1)) == NULL)
			return ctx->status;
	}
	return RS_OK;
}

RsStatus
rs_mlp_step_create(RsContext *ctx, const RsMlpLearning *settings, const float *popularity,
				   RsMlpNet *net, RsMlpStep *step)
{
	memset(step, 0, sizeof(*step));
	step->set = *settings;
	step->net = net;
	if (settings->samples > 0)
	{
		step->sample.output = &net->layer[net->layers - 1];
		step->sample.sampler = settings->sampler;
		step->sample.seed = settings->seed;
		step->sample.wanted = settings->samples;
		if (rs_mlp_sample_create(ctx, popularity, settings->batch, &step->sample) != RS_OK)
			return ctx->status;
		step->pass.sample = &step->sample;
	}
	step->pass.net = net;
	step->pass.threads = rs_parallel_threads(ctx);
	step->pass.history_length = settings->history_length;
	step->pass.dropout = settings->dropout;
	if (rs_mlp_pass_create(ctx, settings->batch, settings->measuring, &step->pass) != RS_OK ||
		create_moments(ctx, step) != RS_OK || create_scratch(ctx, step) != RS_OK)
		return ctx->status;
	step->team = step->pass.team = rs_team_start(ctx);
	return step->team != NULL ? RS_OK : ctx->status;
}

void
rs_mlp_step_free(RsContext *ctx, RsMlpStep *step)
{
	rs_team_stop(ctx, step->team);
	rs_mlp_sample_free(ctx, &step->sample);
	rs_mlp_pass_free(ctx, &step->pass);
	for (int i = 0; i < RS_MLP_ARRAYS; i++)
	{
		rs_free(ctx, step->moments[i].first);
		rs_free(ctx, step->moments[i].second);
	}
	rs_free(ctx, step->scratch);
	rs_free(ctx, step->sums);
	rs_free(ctx, step->embedding_gradient);
	rs_free(ctx, step->touched);
}

/* --- pieces of weights --- */

/* Adam's step for n weights of an array, from element at. */
static void
move_weights(RsMlpStep *step, int array, size_t at, const float *gradient, size_t n)
{
	const RsMlpMoments *moments = &step->moments[array];
	bool bias = array < 2 * step->net->layers && array % 2 == 1;
	size_t all;

	rs_mlp_adam(&step->adam, bias ? 0 : step->decay, rs_mlp_net_array(step->net, array, &all) + at,
				moments->first + at, moments->second + at, gradient, n);
}

static float *
scratch_of(const RsMlpStep *step, int thread)
{
	return step->scratch + (size_t) thread * step->scratch_step;
}

/* Bring RS_MLP_SHARD columns of the gradients of a layer's outputs together: read
 * where they stand, each would be on a page of its own. */
static void
gather_columns(const float *from, size_t from_step, size_t rows, float *out)
{
	for (size_t i = 0; i < rows; i++)
		memcpy(out + i * RS_MLP_SHARD, from + i * from_step, RS_MLP_SHARD * sizeof(float));
}

/*
 * Gradient of weight rows [row, row + RS_MLP_SHARD), and of their biases, whose
 * place is behind it, over examples [begin, end) of the batch, whose deltas begin
 * at delta; added to what is there unless they are the first.  False: canceled.
 */
static bool
sum_gradient(const RsMlpStep *step, int l, size_t row, const float *delta, uint32_t begin,
			 uint32_t end, float *gradient, int thread)
{
	const RsMlpPass *pass = &step->pass;
	const RsMlpLayer *layer = &step->net->layer[l];
	size_t in_p = layer->in_p;
	size_t part = summed_at_once(step, layer);
	float *columns = scratch_of(step, thread) + gradient_size(layer);
	float *bias = gradient + RS_MLP_SHARD * in_p;

	if (begin == 0)
		memset(bias, 0, RS_MLP_SHARD * sizeof(float));
	for (size_t at = begin; at < end; at += part)
	{
		size_t n = end - at < part ? end - at : part;
		size_t step_size = pass->at[l + 1].step;
		RsProduct job = {.a = columns,
						 .row_step = 1,
						 .k_step = RS_MLP_SHARD,
						 .b = pass->at[l].value + at * in_p,
						 .b_step = in_p,
						 .k = rs_mlp_rows(n),
						 .add = at > 0};

		if (rs_team_canceled(step->team, thread))
			return false;
		gather_columns(delta + (at - begin) * step_size + row, step_size, job.k, columns);
		rs_mlp_product(&job, gradient, in_p, RS_MLP_SHARD, in_p);
		for (size_t i = 0; i < n; i++)
			for (int j = 0; j < RS_MLP_SHARD; j++)
				bias[j] += columns[i * RS_MLP_SHARD + j];
	}
	return true;
}

/* Add the examples that are on their way to the gradient of the output layer. */
static void
sum_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsMlpStep *step = arg;
	const RsMlpPass *pass = &step->pass;
	int l = step->net->layers - 1;

	(void) end;
	(void) sum_gradient(step, l, (size_t) begin * RS_MLP_SHARD, pass->at[l + 1].delta, pass->first,
						pass->end, step->sums + begin * gradient_size(&step->net->layer[l]),
						thread);
}

/* The whole gradient of these rows; NULL: canceled. */
static float *
gradient_of(RsMlpStep *step, int l, size_t row, int thread)
{
	float *gradient = scratch_of(step, thread);

	if (l == step->net->layers - 1 && step->pass.first > 0)
		return step->sums + row / RS_MLP_SHARD * gradient_size(&step->net->layer[l]);
	return sum_gradient(step, l, row, step->pass.at[l + 1].delta, 0, step->pass.n, gradient, thread)
			   ? gradient
			   : NULL;
}

static void
update_rows(RsMlpStep *step, int l, size_t row, int thread)
{
	const RsMlpLayer *layer = &step->net->layer[l];
	size_t n = RS_MLP_SHARD * layer->in_p;
	float *gradient = gradient_of(step, l, row, thread);

	if (gradient == NULL)
		return;
	move_weights(step, 2 * l, row * layer->in_p, gradient, n);
	move_weights(step, 2 * l + 1, row, gradient + n, RS_MLP_SHARD);
	rs_mlp_pack(layer->weight, layer->in_p, row, row + RS_MLP_SHARD, layer->panels);
}

/* One row of the output layer, wherever it stands. */
static void
update_item(RsMlpStep *step, uint32_t item, const float *gradient, const float *bias)
{
	int l = step->net->layers - 1;
	size_t in_p = step->net->layer[l].in_p;

	move_weights(step, 2 * l, item * in_p, gradient, in_p);
	move_weights(step, 2 * l + 1, item, bias, 1);
}

static void
update_candidates(RsMlpStep *step, size_t row, int thread)
{
	int l = step->net->layers - 1;
	size_t in_p = step->net->layer[l].in_p;
	const float *gradient = gradient_of(step, l, row, thread);

	for (size_t i = 0; gradient != NULL && i < RS_MLP_SHARD && row + i < step->sample.wanted; i++)
		update_item(step, step->sample.candidate[row + i], gradient + i * in_p,
					gradient + RS_MLP_SHARD * in_p + i);
}

/* Targets that are no candidates: the sum over their examples, in order. */
static void
update_extra(RsMlpStep *step, size_t first, int thread)
{
	const RsMlpSample *sample = &step->sample;
	const RsMlpValues *query = &step->pass.at[step->net->layers - 1];
	float *gradient = scratch_of(step, thread);

	for (size_t i = first; i < first + RS_MLP_SHARD && i < sample->extra; i++)
	{
		float bias = 0;

		memset(gradient, 0, query->step * sizeof(float));
		for (uint32_t row = sample->first[i]; row != UINT32_MAX; row = sample->next[row])
		{
			if (rs_team_canceled(step->team, thread))
				return;
			rs_axpy(sample->target_delta[row], query->value + row * query->step, gradient,
					query->step);
			bias += sample->target_delta[row];
		}
		update_item(step, sample->candidate[sample->wanted + i], gradient, &bias);
	}
}

/* Embeddings of the items whose number is piece modulo HISTORY_PIECES. */
static void
update_history(RsMlpStep *step, uint32_t piece, int thread)
{
	const RsMlpPass *pass = &step->pass;
	size_t width = step->net->shape.history;

	for (int turn = 0; turn < 2; turn++)
		for (uint32_t row = 0; row < pass->n; row++)
		{
			const uint32_t *seen = pass->seen + (size_t) row * pass->history_length;
			const float *delta =
				pass->at[0].delta + row * pass->at[0].step + step->net->shape.features;
			uint32_t n = pass->n_seen[row];
			float scale = n > 0 ? 1.0f / (float) n : 0.0f;

			if (rs_team_canceled(step->team, thread))
				return;
			for (uint32_t j = 0; j < n; j++)
			{
				float *gradient = step->embedding_gradient + seen[j] * width;

				if (seen[j] % HISTORY_PIECES != piece)
					continue;
				if (turn == 0)
				{
					if (!step->touched[seen[j]])
						memset(gradient, 0, width * sizeof(float));
					step->touched[seen[j]] = 1;
					rs_axpy(scale, delta, gradient, width);
				}
				else if (step->touched[seen[j]])
				{
					move_weights(step, 2 * step->net->layers, seen[j] * width, gradient, width);
					step->touched[seen[j]] = 0;
				}
			}
		}
}

/* Pieces of the output layer whose gradient is a product. */
static uint32_t
scored_pieces(const RsMlpStep *step)
{
	const RsMlpLayer *output = &step->net->layer[step->net->layers - 1];

	return (uint32_t) ((step->pass.sample != NULL ? step->sample.n_p : output->out_p) /
					   RS_MLP_SHARD);
}

/* Pieces of layer l, and of the embeddings for l = layers. */
static uint32_t
pieces_of(const RsMlpStep *step, int l)
{
	const RsMlpNet *net = step->net;

	if (l == net->layers)
		return net->shape.history > 0 ? HISTORY_PIECES : 0;
	if (l < net->layers - 1)
		return (uint32_t) (net->layer[l].out_p / RS_MLP_SHARD);
	return scored_pieces(step) +
		   (step->pass.sample == NULL ? 0 : (step->sample.extra + RS_MLP_SHARD - 1) / RS_MLP_SHARD);
}

/* A piece, counted from the output layer on, which has the most. */
static void
update_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsMlpStep *step = arg;
	int last = step->net->layers - 1;
	int l = last;
	uint32_t piece = (uint32_t) begin;
	size_t row;

	(void) end;
	for (int turn = 0; piece >= pieces_of(step, l); turn++)
	{
		piece -= pieces_of(step, l);
		l = turn < last ? turn : last + 1;
	}
	row = (size_t) piece * RS_MLP_SHARD;
	if (l > last)
		update_history(step, piece, thread);
	else if (l < last || step->pass.sample == NULL)
		update_rows(step, l, row, thread);
	else if (row < step->sample.n_p)
		update_candidates(step, row, thread);
	else
		update_extra(step, row - step->sample.n_p, thread);
}

/* --- a batch --- */

static void
begin_batch(RsMlpPass *pass, const RsMlpExample *example, uint32_t n, bool learning)
{
	pass->example = example;
	pass->n = n;
	pass->learning = learning;
	pass->first = pass->end = 0;
}

/* Some examples of it go through, and their loss is added. */
static RsStatus
next_examples(RsContext *ctx, RsMlpPass *pass, double *loss)
{
	RsStatus status = rs_mlp_pass_next(ctx, pass);

	for (uint32_t i = pass->first; status == RS_OK && i < pass->end; i++)
		*loss += pass->loss[i];
	return status;
}

static void
begin_adam(RsMlpStep *step)
{
	const double first = 0.9; /* the paper's betas, as everywhere */
	const double second = 0.999;
	double t = (double) step->number;

	step->adam.first = (float) (1 - first);
	step->adam.second = (float) (1 - second);
	step->adam.rate =
		(float) (step->set.learning_rate * sqrt(1 - pow(second, t)) / (1 - pow(first, t)));
	step->adam.epsilon = 1e-8f;
	step->decay = (float) (step->set.learning_rate * step->set.weight_decay);
}

static void
gather_piece(void *arg, uint64_t begin, uint64_t end, int thread)
{
	(void) end;
	(void) thread;
	rs_mlp_sample_gather(arg, (size_t) begin * RS_MLP_SHARD);
}

RsStatus
rs_mlp_learn_drawn(RsContext *ctx, RsMlpStep *step, const RsMlpExample *example, uint32_t n,
				   double *loss)
{
	RsMlpPass *pass = &step->pass;
	uint32_t pieces = 0;

	begin_batch(pass, example, n, true);
	step->number++;
	begin_adam(step);
	if (pass->sample != NULL)
	{
		rs_mlp_sample_targets(&step->sample, example, n);
		if (rs_team_run(ctx, step->team, step->sample.n_p / RS_MLP_SHARD, gather_piece,
						&step->sample) != RS_OK)
			return ctx->status;
	}
	*loss = 0;
	while (pass->end < n)
	{
		if (next_examples(ctx, pass, loss) != RS_OK)
			return ctx->status;
		if (pass->end - pass->first < n &&
			rs_team_run(ctx, step->team, scored_pieces(step), sum_piece, step) != RS_OK)
			return ctx->status;
	}
	for (int l = 0; l <= step->net->layers; l++)
		pieces += pieces_of(step, l);
	return rs_team_run(ctx, step->team, pieces, update_piece, step);
}

RsStatus
rs_mlp_learn(RsContext *ctx, RsMlpStep *step, const RsMlpExample *example, uint32_t n, double *loss)
{
	/* after a failure nothing of the network is used any more */
	if (step->pass.sample != NULL &&
		rs_mlp_sample_draw(ctx, &step->sample, step->number + 1) != RS_OK)
		return ctx->status;
	if (rs_mlp_learn_drawn(ctx, step, example, n, loss) != RS_OK)
		return ctx->status;
	if (step->pass.sample != NULL)
		rs_mlp_sample_return(&step->sample);
	return RS_OK;
}

RsStatus
rs_mlp_measure(RsContext *ctx, RsMlpStep *step, const RsMlpExample *example, uint32_t n,
			   double *loss, uint32_t *hits)
{
	RsMlpPass *pass = &step->pass;

	begin_batch(pass, example, n, false);
	*loss = 0;
	*hits = 0;
	while (pass->end < n)
		if (next_examples(ctx, pass, loss) != RS_OK)
			return ctx->status;
	for (uint32_t i = 0; i < n; i++)
		*hits += pass->rank[i] < HITS_AT;
	return RS_OK;
}
