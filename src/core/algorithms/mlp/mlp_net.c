/*
 * mlp_net.c
 *		The network's weights: made, filled at random, handed to a model.
 */
#include "core/algorithms/mlp/mlp_net.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"
#include "core/model/derived.h"

#define RANDOM_PRICE 8 /* multiplications that a random number costs, about */
#define MOVE_PRICE 4   /* and a float that is moved from one place to another */

const char *const rs_mlp_weight_names[RS_MAX_LIST] = {
	"layers.0.weight", "layers.1.weight", "layers.2.weight", "layers.3.weight",
	"layers.4.weight", "layers.5.weight", "layers.6.weight", "layers.7.weight"};
const char *const rs_mlp_bias_names[RS_MAX_LIST] = {
	"layers.0.bias", "layers.1.bias", "layers.2.bias", "layers.3.bias",
	"layers.4.bias", "layers.5.bias", "layers.6.bias", "layers.7.bias"};

static RsStatus
create_layer(RsContext *ctx, RsMlpLayer *layer, uint32_t in, uint32_t out, bool panels)
{
	layer->in = in;
	layer->out = out;
	layer->in_p = rs_mlp_round_up(in, RS_MLP_PAD);
	layer->out_p = rs_mlp_round_up(out, RS_MLP_PAD);
	if ((layer->weight = rs_calloc(ctx, layer->out_p * layer->in_p, sizeof(float))) == NULL ||
		(layer->bias = rs_calloc(ctx, layer->out_p, sizeof(float))) == NULL)
		return ctx->status;
	if (panels &&
		(layer->panels = rs_alloc(ctx, layer->out_p * layer->in_p * sizeof(float))) == NULL)
		return ctx->status;
	return RS_OK;
}

RsStatus
rs_mlp_net_create(RsContext *ctx, const RsMlpShape *shape, bool output_panels, RsMlpNet *net)
{
	uint32_t in = shape->features + shape->history;

	memset(net, 0, sizeof(*net));
	net->shape = *shape;
	net->layers = shape->hidden + 1;
	for (int l = 0; l < net->layers; l++)
	{
		bool output = l == shape->hidden;
		uint32_t out = output ? shape->items : shape->width[l];

		if (create_layer(ctx, &net->layer[l], in, out, !output || output_panels) != RS_OK)
			return ctx->status;
		in = out;
	}
	if (shape->history > 0)
	{
		net->embedding = rs_calloc(ctx, (size_t) shape->items * shape->history, sizeof(float));
		if (net->embedding == NULL)
			return ctx->status;
	}
	return RS_OK;
}

static void
free_panels(RsContext *ctx, RsMlpNet *net)
{
	for (int l = 0; l < net->layers; l++)
	{
		rs_free(ctx, net->layer[l].panels);
		net->layer[l].panels = NULL;
	}
}

void
rs_mlp_net_free(RsContext *ctx, RsMlpNet *net)
{
	free_panels(ctx, net);
	for (int l = 0; l < net->layers; l++)
	{
		rs_free(ctx, net->layer[l].weight);
		rs_free(ctx, net->layer[l].bias);
	}
	rs_free(ctx, net->embedding);
}

/* Uniform between -limit and limit. */
static float
uniform(uint64_t seed, uint64_t stream, uint64_t at, double limit)
{
	return (float) ((2 * rs_random_uniform(seed, stream, at) - 1) * limit);
}

RsStatus
rs_mlp_net_init(RsContext *ctx, RsMlpNet *net, uint64_t seed)
{
	for (int l = 0; l < net->layers; l++)
	{
		RsMlpLayer *layer = &net->layer[l];
		double limit = sqrt(6.0 / ((double) layer->in + layer->out));
		size_t part = rs_mlp_part(RANDOM_PRICE * layer->in, 1);

		for (size_t i = 0; i < layer->out; i++)
		{
			if (i % part == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			for (size_t j = 0; j < layer->in; j++)
				layer->weight[i * layer->in_p + j] =
					uniform(seed, (uint64_t) l, i * layer->in + j, limit);
		}
	}
	for (size_t i = 0; i < (size_t) net->shape.items * net->shape.history; i++)
	{
		if (i % rs_mlp_part(RANDOM_PRICE, 1) == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		net->embedding[i] = uniform(seed, RS_MLP_LAYERS, i, 0.05);
	}
	return rs_mlp_net_pack(ctx, net);
}

RsStatus
rs_mlp_net_pack(RsContext *ctx, RsMlpNet *net)
{
	for (int l = 0; l < net->layers; l++)
	{
		RsMlpLayer *layer = &net->layer[l];
		size_t part = rs_mlp_part(MOVE_PRICE * layer->in_p, RS_MLP_PAD);

		for (size_t i = 0; layer->panels != NULL && i < layer->out_p; i += part)
		{
			size_t end = i + part < layer->out_p ? i + part : layer->out_p;

			if (rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			rs_mlp_pack(layer->weight, layer->in_p, i, end, layer->panels);
		}
	}
	return RS_OK;
}

float *
rs_mlp_net_array(const RsMlpNet *net, int i, size_t *n)
{
	const RsMlpLayer *layer = &net->layer[i / 2];

	if (i == 2 * net->layers)
	{
		*n = (size_t) net->shape.items * net->shape.history;
		return net->embedding;
	}
	*n = i % 2 == 0 ? layer->out_p * layer->in_p : layer->out_p;
	return i % 2 == 0 ? layer->weight : layer->bias;
}

/* Close the gaps between rows; the model takes the memory over. */
static RsStatus
export_rows(RsContext *ctx, RsModel *model, const char *name, float **rows, size_t n, size_t width,
			size_t step)
{
	RsStatus status;

	for (size_t i = 1; i < n && step > width; i++)
	{
		if (i % rs_mlp_part(MOVE_PRICE * step, 1) == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		memmove(*rows + i * width, *rows + i * step, width * sizeof(float));
	}
	status = rs_model_add(ctx, model, name, RS_F32, 2, n, width, *rows, true);
	if (status == RS_OK)
		*rows = NULL;
	return status;
}

/* Weights with the biases as last column, in the layer's own memory where the
 * rounding of its rows left room; the model takes it over. */
static RsStatus
export_output(RsContext *ctx, RsModel *model, RsMlpLayer *layer)
{
	size_t width = (size_t) layer->in + 1;
	float *rows = layer->weight;
	RsStatus status = RS_OK;

	if (width > layer->in_p)
	{
		rows = rs_alloc(ctx, layer->out * width * sizeof(float));
		if (rows == NULL)
			return ctx->status;
	}
	for (size_t i = 0; i < layer->out && status == RS_OK; i++)
	{
		if (i % rs_mlp_part(MOVE_PRICE * width, 1) == 0)
			status = rs_check_interrupt(ctx);
		memmove(rows + i * width, layer->weight + i * layer->in_p, layer->in * sizeof(float));
		rows[i * width + layer->in] = layer->bias[i];
	}
	if (status == RS_OK)
		status = rs_factors_add(ctx, model, rows, (uint32_t) width);
	if (status != RS_OK && rows != layer->weight)
		rs_free(ctx, rows);
	else if (status == RS_OK && rows == layer->weight)
		layer->weight = NULL;
	return status;
}

RsStatus
rs_mlp_net_export(RsContext *ctx, RsMlpNet *net, RsModel *model)
{
	RsStatus status = RS_OK;

	free_panels(ctx, net);
	for (int l = 0; l < net->layers - 1 && status == RS_OK; l++)
	{
		RsMlpLayer *layer = &net->layer[l];

		status = export_rows(ctx, model, rs_mlp_weight_names[l], &layer->weight, layer->out,
							 layer->in, layer->in_p);
		if (status == RS_OK)
			status = rs_model_add(ctx, model, rs_mlp_bias_names[l], RS_F32, 1, layer->out, 1,
								  layer->bias, true);
		if (status == RS_OK)
			layer->bias = NULL;
	}
	if (status == RS_OK)
		status = export_output(ctx, model, &net->layer[net->layers - 1]);
	if (status == RS_OK && net->shape.history > 0)
		status = export_rows(ctx, model, "history.weight", &net->embedding, net->shape.items,
							 net->shape.history, net->shape.history);
	return status;
}
