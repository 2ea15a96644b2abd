/*
 * mlp_update.c
 *		From the gradients of a batch's outputs to new weights.
 *
 * A piece is RS_MLP_SHARD rows of a layer's weights: their gradient over the
 * whole batch, one product, goes straight into Adam while it is in the cache.
 *
 * Rows that a batch does not touch, of the embeddings and of the output layer
 * under sampled softmax, are left alone with their moments, as PyTorch's
 * SparseAdam and TensorFlow Addons' LazyAdam do: t counts batches, and weight
 * decay too waits until a row is touched.
 */
#include "core/algorithms/mlp/mlp.h"

#include "core/math/vec.h"

#include <string.h>

#define HISTORY_PIECES 8 /* item numbers modulo it */

static const float *
input_of(const RsMlp *net, int l)
{
	return l > 0 ? net->layer[l - 1].y : net->x;
}

static const float *
delta_of(const RsMlp *net, int l)
{
	return l == net->layers - 1 ? net->layer[l].y : net->layer[l].delta;
}

/* Bring RS_MLP_SHARD columns of the gradients of a layer's outputs together: read
 * where they stand, each would be on a page of its own. */
static const float *
gather_columns(const RsMlp *net, int l, size_t column, size_t rows, float *out)
{
	size_t step = net->layer[l].y_step;
	const float *from = delta_of(net, l) + column;

	for (size_t i = 0; i < rows; i++)
		memcpy(out + i * RS_MLP_SHARD, from + i * step, RS_MLP_SHARD * sizeof(float));
	return out;
}

/* Gradient of weight rows [row, row + RS_MLP_SHARD), and of their biases, whose
 * place is behind it. */
static float *
sum_gradient(RsMlp *net, int l, size_t row, int thread)
{
	RsMlpLayer *layer = &net->layer[l];
	size_t rows = (net->n + RS_MLP_ROWS - 1) / RS_MLP_ROWS * RS_MLP_ROWS;
	float *gradient = net->gradient + (size_t) thread * net->gradient_step;
	float *bias = gradient + RS_MLP_SHARD * layer->in_p;
	const float *delta = gather_columns(
		net, l, row, rows, gradient + net->gradient_step - net->batch_p * RS_MLP_SHARD);
	RsProduct job = {.a = delta,
					 .row_step = 1,
					 .k_step = RS_MLP_SHARD,
					 .b = input_of(net, l),
					 .b_step = layer->in_p,
					 .k = rows};

	rs_mlp_product(&job, gradient, layer->in_p, RS_MLP_SHARD, layer->in_p);
	memset(bias, 0, RS_MLP_SHARD * sizeof(float));
	for (uint32_t i = 0; i < net->n; i++)
		for (int j = 0; j < RS_MLP_SHARD; j++)
			bias[j] += delta[i * RS_MLP_SHARD + j];
	return gradient;
}

static void
update_rows(RsMlp *net, int l, size_t row, int thread)
{
	RsMlpLayer *layer = &net->layer[l];
	float *gradient = sum_gradient(net, l, row, thread);
	size_t at = row * layer->in_p;
	size_t n = RS_MLP_SHARD * layer->in_p;

	rs_mlp_adam(&net->adam, net->decay, layer->weight + at, layer->weight_m + at,
				layer->weight_v + at, gradient, n);
	rs_mlp_adam(&net->adam, 0, layer->bias + row, layer->bias_m + row, layer->bias_v + row,
				gradient + n, RS_MLP_SHARD);
	rs_mlp_pack(layer->weight, layer->in_p, row, row + RS_MLP_SHARD, layer->panels);
}

/* One row of the output layer, wherever it stands. */
static void
update_item(RsMlp *net, uint32_t item, const float *gradient, const float *bias)
{
	RsMlpLayer *layer = &net->layer[net->layers - 1];
	size_t at = (size_t) item * layer->in_p;

	rs_mlp_adam(&net->adam, net->decay, layer->weight + at, layer->weight_m + at,
				layer->weight_v + at, gradient, layer->in_p);
	rs_mlp_adam(&net->adam, 0, layer->bias + item, layer->bias_m + item, layer->bias_v + item, bias,
				1);
}

static void
update_candidates(RsMlp *net, size_t row, int thread)
{
	size_t in_p = net->layer[net->layers - 1].in_p;
	const float *gradient = sum_gradient(net, net->layers - 1, row, thread);

	for (size_t i = 0; i < RS_MLP_SHARD && row + i < net->sample.wanted; i++)
		update_item(net, net->sample.candidate[row + i], gradient + i * in_p,
					gradient + RS_MLP_SHARD * in_p + i);
}

/* Targets that are no candidates: the sum over their examples, in order. */
static void
update_extra(RsMlp *net, size_t first, int thread)
{
	RsMlpSample *sample = &net->sample;
	int l = net->layers - 1;
	size_t in_p = net->layer[l].in_p;
	float *gradient = net->gradient + (size_t) thread * net->gradient_step;

	for (size_t i = first; i < first + RS_MLP_SHARD && i < sample->extra; i++)
	{
		float bias = 0;

		memset(gradient, 0, in_p * sizeof(float));
		for (uint32_t row = sample->first[i]; row != UINT32_MAX; row = sample->next[row])
		{
			rs_axpy(sample->target_delta[row], input_of(net, l) + row * in_p, gradient, in_p);
			bias += sample->target_delta[row];
		}
		update_item(net, sample->candidate[sample->wanted + i], gradient, &bias);
	}
}

/* Embeddings of the items whose number is piece modulo HISTORY_PIECES. */
static void
update_history(RsMlp *net, uint32_t piece)
{
	size_t width = net->set.history;

	for (int pass = 0; pass < 2; pass++)
		for (uint32_t row = 0; row < net->n; row++)
		{
			const uint32_t *seen = net->seen + (size_t) row * net->set.history_length;
			const float *delta = net->x_delta + row * net->layer[0].in_p + net->set.features;
			uint32_t n = net->n_seen[row];
			float scale = n > 0 ? 1.0f / (float) n : 0.0f;

			for (uint32_t j = 0; j < n; j++)
			{
				size_t at = seen[j] * width;
				float *gradient = net->embedding_gradient + at;

				if (seen[j] % HISTORY_PIECES != piece)
					continue;
				if (pass == 0)
				{
					if (!net->touched[seen[j]])
						memset(gradient, 0, width * sizeof(float));
					net->touched[seen[j]] = 1;
					rs_axpy(scale, delta, gradient, width);
				}
				else if (net->touched[seen[j]])
				{
					rs_mlp_adam(&net->adam, net->decay, net->embedding + at, net->embedding_m + at,
								net->embedding_v + at, gradient, width);
					net->touched[seen[j]] = 0;
				}
			}
		}
}

/* Pieces of the output layer, the first of all. */
static uint32_t
output_pieces(const RsMlp *net)
{
	if (net->sample.wanted == 0)
		return (uint32_t) (net->layer[net->layers - 1].out_p / RS_MLP_SHARD);
	return (net->sample.n_p + net->sample.extra + RS_MLP_SHARD - 1) / RS_MLP_SHARD;
}

uint32_t
rs_mlp_update_pieces(const RsMlp *net)
{
	uint32_t n = output_pieces(net);

	for (int l = 0; l < net->layers - 1; l++)
		n += (uint32_t) (net->layer[l].out_p / RS_MLP_SHARD);
	return n + (net->set.history > 0 ? HISTORY_PIECES : 0);
}

void
rs_mlp_update(void *arg, uint64_t begin, uint64_t end, int thread)
{
	RsMlp *net = arg;
	uint32_t piece = (uint32_t) begin;
	uint32_t n = output_pieces(net);

	(void) end;
	if (piece < n && net->sample.wanted == 0)
		update_rows(net, net->layers - 1, (size_t) piece * RS_MLP_SHARD, thread);
	else if (piece < n && piece < net->sample.n_p / RS_MLP_SHARD)
		update_candidates(net, (size_t) piece * RS_MLP_SHARD, thread);
	else if (piece < n)
		update_extra(net, (size_t) (piece - net->sample.n_p / RS_MLP_SHARD) * RS_MLP_SHARD, thread);
	else
	{
		piece -= n;
		for (int l = 0; l < net->layers - 1; l++)
		{
			n = (uint32_t) (net->layer[l].out_p / RS_MLP_SHARD);
			if (piece < n)
			{
				update_rows(net, l, (size_t) piece * RS_MLP_SHARD, thread);
				return;
			}
			piece -= n;
		}
		update_history(net, piece);
	}
}
