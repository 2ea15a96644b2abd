/*
 * mlp_net.c
 *		The network's memory: made, filled with random weights, handed to a model.
 */
#include "core/algorithms/mlp/mlp.h"

#include "core/base/random.h"
#include "core/base/sort.h"

#include <math.h>
#include <string.h>

#define ROWS_PER_POLL 256 /* a multiple of RS_MLP_PAD */

static const char *const weight_names[] = {"layers.0.weight", "layers.1.weight", "layers.2.weight",
										   "layers.3.weight", "layers.4.weight", "layers.5.weight",
										   "layers.6.weight", "layers.7.weight"};
static const char *const bias_names[] = {"layers.0.bias", "layers.1.bias", "layers.2.bias",
										 "layers.3.bias", "layers.4.bias", "layers.5.bias",
										 "layers.6.bias", "layers.7.bias"};

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Zeroed floats, unless something failed before. */
static float *
floats(RsContext *ctx, RsStatus *status, size_t rows, size_t columns)
{
	float *p;

	if (*status != RS_OK)
		return NULL;
	if (columns != 0 && rows > SIZE_MAX / sizeof(float) / columns)
	{
		*status = rs_fail(ctx, RS_ERR_LIMIT, "training needs more memory than it may use");
		return NULL;
	}
	/* zeroing these is most of the time before the first epoch */
	*status = rs_check_interrupt(ctx);
	if (*status != RS_OK)
		return NULL;
	p = rs_calloc(ctx, rows * columns, sizeof(float));
	if (p == NULL)
		*status = ctx->status;
	return p;
}

static uint32_t *
numbers(RsContext *ctx, RsStatus *status, size_t n)
{
	uint32_t *p;

	if (*status != RS_OK)
		return NULL;
	p = rs_calloc(ctx, n, sizeof(uint32_t));
	if (p == NULL)
		*status = ctx->status;
	return p;
}

static RsStatus
create_layer(RsContext *ctx, RsMlp *net, int l)
{
	RsMlpLayer *layer = &net->layer[l];
	bool output = l == net->layers - 1;
	bool sampled = output && net->set.samples > 0;
	RsStatus status = RS_OK;

	layer->in = l > 0 ? net->set.width[l - 1] : net->set.features + net->set.history;
	layer->out = output ? net->set.items : net->set.width[l];
	layer->in_p = round_up(layer->in, RS_MLP_PAD);
	layer->out_p = round_up(layer->out, RS_MLP_PAD);
	layer->weight = floats(ctx, &status, layer->out_p, layer->in_p);
	layer->weight_m = floats(ctx, &status, layer->out_p, layer->in_p);
	layer->weight_v = floats(ctx, &status, layer->out_p, layer->in_p);
	layer->bias = floats(ctx, &status, layer->out_p, 1);
	layer->bias_m = floats(ctx, &status, layer->out_p, 1);
	layer->bias_v = floats(ctx, &status, layer->out_p, 1);
	if (!sampled || net->set.validation > 0)
		layer->panels = floats(ctx, &status, layer->out_p, layer->in_p);
	if (!output)
	{
		layer->y_step = layer->out_p;
		layer->y = floats(ctx, &status, net->batch_p, layer->y_step);
		layer->delta = floats(ctx, &status, net->batch_p, layer->y_step);
		return status;
	}
	/* an odd number of cache lines, or the columns of a batch share few sets */
	layer->y_step = (sampled ? net->sample.n_p : layer->out_p) + 16;
	net->y_floats = net->batch_p * layer->y_step;
	if (sampled && net->set.validation > 0 && net->y_floats < RS_MLP_SHARD * (layer->out_p + 16))
		net->y_floats = RS_MLP_SHARD * (layer->out_p + 16);
	layer->y = floats(ctx, &status, net->y_floats, 1);
	return status;
}

static RsStatus
create_history(RsContext *ctx, RsMlp *net)
{
	const RsMlpSettings *set = &net->set;
	RsStatus status = RS_OK;

	if (set->history == 0)
		return RS_OK;
	net->embedding = floats(ctx, &status, set->items, set->history);
	net->embedding_m = floats(ctx, &status, set->items, set->history);
	net->embedding_v = floats(ctx, &status, set->items, set->history);
	net->embedding_gradient = floats(ctx, &status, set->items, set->history);
	net->x_delta = floats(ctx, &status, net->batch_p, net->layer[0].in_p);
	net->seen = numbers(ctx, &status, net->batch_p * set->history_length);
	net->n_seen = numbers(ctx, &status, net->batch_p);
	if (status != RS_OK)
		return status;
	net->touched = rs_calloc(ctx, set->items, 1);
	return net->touched == NULL ? ctx->status : RS_OK;
}

static RsStatus
create_sample(RsContext *ctx, RsMlp *net, const float *popularity)
{
	RsMlpSample *sample = &net->sample;
	uint32_t n = net->set.items;
	size_t slots = (size_t) sample->wanted + net->batch_p;
	size_t in_p = net->layer[net->layers - 1].in_p;
	RsStatus status = RS_OK;

	if (sample->wanted == 0)
		return RS_OK;
	sample->by_rank = numbers(ctx, &status, n);
	sample->rank = numbers(ctx, &status, n);
	sample->slot = numbers(ctx, &status, n);
	sample->candidate = numbers(ctx, &status, slots);
	sample->first = numbers(ctx, &status, slots);
	sample->next = numbers(ctx, &status, net->batch_p);
	sample->target_delta = floats(ctx, &status, net->batch_p, 1);
	sample->rows = floats(ctx, &status, sample->n_p, in_p);
	sample->panels = floats(ctx, &status, sample->n_p, in_p);
	sample->bias = floats(ctx, &status, sample->n_p, 1);
	if (status != RS_OK)
		return status;
	status = rs_order_descending(ctx, popularity, n, sample->by_rank);
	for (uint32_t i = 0; i < n && status == RS_OK; i++)
		sample->rank[sample->by_rank[i]] = i;
	memset(sample->slot, 0xff, (size_t) n * sizeof(uint32_t));
	return status;
}

RsStatus
rs_mlp_create(RsContext *ctx, const RsMlpSettings *settings, const float *popularity, RsMlp *net)
{
	size_t widest = 0;
	RsStatus status = RS_OK;

	memset(net, 0, sizeof(*net));
	net->set = *settings;
	net->layers = settings->hidden + 1;
	net->threads = rs_parallel_threads(ctx);
	net->batch_p = round_up(settings->batch, RS_MLP_SHARD);
	/* with half the items or more, all of them cost no more */
	if (settings->samples > settings->items / 2)
		net->set.samples = 0;
	net->sample.wanted = net->set.samples;
	net->sample.n_p = (uint32_t) round_up(net->set.samples, RS_MLP_PAD);
	for (int l = 0; l < net->layers && status == RS_OK; l++)
	{
		status = create_layer(ctx, net, l);
		widest = net->layer[l].in_p > widest ? net->layer[l].in_p : widest;
	}
	if (status == RS_OK)
		status = create_history(ctx, net);
	if (status == RS_OK)
		status = create_sample(ctx, net, popularity);
	net->gradient_step = RS_MLP_SHARD * (widest + 1 + net->batch_p);
	net->x = floats(ctx, &status, net->batch_p, net->layer[0].in_p);
	net->gradient = floats(ctx, &status, (size_t) rs_parallel_threads(ctx), net->gradient_step);
	if (status == RS_OK && (net->loss = rs_calloc(ctx, net->batch_p, sizeof(double))) == NULL)
		status = ctx->status;
	net->rank = numbers(ctx, &status, net->batch_p);
	if (status == RS_OK && (net->team = rs_team_start(ctx)) == NULL)
		status = ctx->status;
	return status;
}

/* Free a pointer and forget it. */
static void
drop(RsContext *ctx, void *pointer)
{
	void **at = pointer;

	rs_free(ctx, *at);
	*at = NULL;
}

static void
free_working(RsContext *ctx, RsMlp *net)
{
	void *all[] = {&net->x,
				   &net->x_delta,
				   &net->embedding_m,
				   &net->embedding_v,
				   &net->embedding_gradient,
				   &net->seen,
				   &net->n_seen,
				   &net->touched,
				   &net->gradient,
				   &net->loss,
				   &net->rank,
				   &net->sample.by_rank,
				   &net->sample.rank,
				   &net->sample.slot,
				   &net->sample.candidate,
				   &net->sample.first,
				   &net->sample.next,
				   &net->sample.target_delta,
				   &net->sample.rows,
				   &net->sample.panels,
				   &net->sample.bias};

	rs_team_stop(ctx, net->team);
	net->team = NULL;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		drop(ctx, all[i]);
	for (int l = 0; l < net->layers; l++)
	{
		drop(ctx, &net->layer[l].weight_m);
		drop(ctx, &net->layer[l].weight_v);
		drop(ctx, &net->layer[l].bias_m);
		drop(ctx, &net->layer[l].bias_v);
		drop(ctx, &net->layer[l].panels);
		drop(ctx, &net->layer[l].y);
		drop(ctx, &net->layer[l].delta);
	}
}

void
rs_mlp_free(RsContext *ctx, RsMlp *net)
{
	free_working(ctx, net);
	for (int l = 0; l < net->layers; l++)
	{
		drop(ctx, &net->layer[l].weight);
		drop(ctx, &net->layer[l].bias);
	}
	drop(ctx, &net->embedding);
}

/* Uniform between -limit and limit. */
static float
uniform(uint64_t seed, uint64_t stream, uint64_t at, double limit)
{
	double u = rs_random_uniform(seed, stream, at);

	return (float) ((2 * u - 1) * limit);
}

RsStatus
rs_mlp_init(RsContext *ctx, RsMlp *net)
{
	for (int l = 0; l < net->layers; l++)
	{
		RsMlpLayer *layer = &net->layer[l];
		double limit = sqrt(6.0 / ((double) layer->in + layer->out));

		for (size_t i = 0; i < layer->out; i++)
		{
			if (i % ROWS_PER_POLL == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			for (size_t j = 0; j < layer->in; j++)
				layer->weight[i * layer->in_p + j] =
					uniform(net->set.seed, (uint64_t) l, i * layer->in + j, limit);
		}
	}
	for (size_t i = 0; i < (size_t) net->set.items * net->set.history; i++)
	{
		if (i % (ROWS_PER_POLL * 1024) == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		net->embedding[i] = uniform(net->set.seed, RS_MLP_LAYERS, i, 0.05);
	}
	return rs_mlp_pack_all(ctx, net);
}

RsStatus
rs_mlp_pack_all(RsContext *ctx, RsMlp *net)
{
	for (int l = 0; l < net->layers; l++)
	{
		RsMlpLayer *layer = &net->layer[l];

		for (size_t i = 0; layer->panels != NULL && i < layer->out_p; i += ROWS_PER_POLL)
		{
			size_t end = i + ROWS_PER_POLL < layer->out_p ? i + ROWS_PER_POLL : layer->out_p;

			if (rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			rs_mlp_pack(layer->weight, layer->in_p, i, end, layer->panels);
		}
	}
	return RS_OK;
}

/* Close the gaps between rows; the model takes the memory over. */
static RsStatus
export_rows(RsContext *ctx, RsModel *model, const char *name, float **rows, size_t n, size_t width,
			size_t step)
{
	RsStatus status;

	for (size_t i = 1; i < n; i++)
		memmove(*rows + i * width, *rows + i * step, width * sizeof(float));
	status = rs_model_add(ctx, model, name, RS_F32, 2, n, width, *rows, true);
	if (status == RS_OK)
		*rows = NULL;
	return status;
}

RsStatus
rs_mlp_export(RsContext *ctx, RsMlp *net, RsModel *model)
{
	RsStatus status = RS_OK;

	free_working(ctx, net);
	for (int l = 0; l < net->layers && status == RS_OK; l++)
	{
		RsMlpLayer *layer = &net->layer[l];
		bool output = l == net->layers - 1;

		status = export_rows(ctx, model, output ? "output.weight" : weight_names[l], &layer->weight,
							 layer->out, layer->in, layer->in_p);
		if (status == RS_OK)
			status = rs_model_add(ctx, model, output ? "output.bias" : bias_names[l], RS_F32, 1,
								  layer->out, 1, layer->bias, true);
		if (status == RS_OK)
			layer->bias = NULL;
	}
	if (status == RS_OK && net->set.history > 0)
		status = export_rows(ctx, model, "history.weight", &net->embedding, net->set.items,
							 net->set.history, net->set.history);
	return status;
}
