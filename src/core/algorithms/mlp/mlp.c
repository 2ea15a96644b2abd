/*
 * mlp.c
 *		A multilayer perceptron: features and history in, a score for every item out.
 *
 *		x = [features, mean of history.weight over the items of the history]
 *		h = activation(layers.n.weight · … activation(layers.0.weight · x + layers.0.bias))
 *		score_i = item_factors_i · [h, 1]
 *
 * trained by softmax cross entropy and Adam (mlp_fit.c).  The output layer's
 * weights with its biases as last column are the items' factors, so the exact top
 * k answers as for every model of factors.
 *
 * Where events have a time, the network sees the last history_length of what was
 * before an event, and of a query's history the same, repeats and all.  Where they
 * have none it sees each item that the user has, in training but the event's own,
 * once; of a long history an example takes history_length items, drawn anew each
 * epoch, whose mean is about that of all.  What has no positive weight is left out
 * of the mean.
 */
#include <math.h>
#include <string.h>

#include "core/model/algorithm.h"
#include "core/algorithms/mlp/mlp_answer.h"
#include "core/algorithms/mlp/mlp_fit.h"
#include "core/base/cells.h"
#include "core/encoding/encoder.h"
#include "core/encoding/encoder_bytes.h"
#include "core/math/vec.h"
#include "core/model/derived.h"

enum
{
	OPTION_HIDDEN,
	OPTION_ACTIVATION,
	OPTION_EPOCHS,
	OPTION_BATCH_SIZE,
	OPTION_LEARNING_RATE,
	OPTION_DROPOUT,
	OPTION_WEIGHT_DECAY,
	OPTION_VALIDATION_FRACTION,
	OPTION_PATIENCE,
	OPTION_SAMPLES,
	OPTION_SAMPLER,
	OPTION_HISTORY,
	OPTION_HISTORY_LENGTH,
	OPTION_SEED
};

static const char *const activations[] = {"relu", "tanh", "sigmoid", NULL};
static const char *const samplers[] = {"log_uniform", "uniform", NULL};

static const RsOption options[] = {
	[OPTION_HIDDEN] = {"hidden", RS_OPTION_LIST, 128, 1, 4096, NULL,
					   "Widths of the hidden layers, [] for none."},
	[OPTION_ACTIVATION] = {"activation", RS_OPTION_ENUM, RS_RELU, 0, 2, activations,
						   "What a hidden layer does to its sums."},
	[OPTION_EPOCHS] = {"epochs", RS_OPTION_INT, 10, 1, 10000, NULL,
					   "Most passes over the examples."},
	[OPTION_BATCH_SIZE] = {"batch_size", RS_OPTION_INT, 256, 1, 65536, NULL,
						   "Examples of one step."},
	[OPTION_LEARNING_RATE] = {"learning_rate", RS_OPTION_REAL, 0.001, 1e-9, 1e6, NULL,
							  "Length of Adam's steps."},
	[OPTION_DROPOUT] = {"dropout", RS_OPTION_REAL, 0, 0, 0.99, NULL,
						"Share of hidden units that are left out for an example."},
	[OPTION_WEIGHT_DECAY] = {"weight_decay", RS_OPTION_REAL, 0, 0, 1e3, NULL,
							 "Decoupled weight decay (AdamW) of weights, not of biases."},
	[OPTION_VALIDATION_FRACTION] = {"validation_fraction", RS_OPTION_REAL, 0, 0, 0.9, NULL,
									"Share of the examples that is held out and measured."},
	[OPTION_PATIENCE] = {"patience", RS_OPTION_INT, 0, 0, 10000, NULL,
						 "Epochs without a lower validation loss before training ends with the "
						 "weights of the best one, 0 for never."},
	[OPTION_SAMPLES] = {"samples", RS_OPTION_INT, 0, 0, RS_MAX_ITEMS, NULL,
						"Items that a batch's targets are told from, 0 for all."},
	[OPTION_SAMPLER] = {"sampler", RS_OPTION_ENUM, RS_SAMPLER_LOG_UNIFORM, 0, 1, samplers,
						"How these items are drawn: by rank of popularity, or uniformly."},
	[OPTION_HISTORY] = {"history", RS_OPTION_INT, 0, 0, 1024, NULL,
						"Length of the embedding of an item of the history, 0 for no history."},
	[OPTION_HISTORY_LENGTH] =
		{"history_length", RS_OPTION_INT, 100, 1, 10000, NULL,
		 "Most events of a history that are seen, the last; without times, most "
		 "items that one example learns from, drawn anew each epoch."},
	[OPTION_SEED] = {"seed", RS_OPTION_INT, 0, 0, 9007199254740992.0, NULL,
					 "Start of the random numbers."},
	{.name = NULL}};

/* The three parts of the options. */
static void
read_options(const RsOptions *values, RsMlpShape *shape, RsMlpLearning *learning, RsMlpRun *run)
{
	const double *value = values->value;

	memset(shape, 0, sizeof(*shape));
	shape->history = (uint32_t) value[OPTION_HISTORY];
	shape->hidden = (int) value[OPTION_HIDDEN];
	for (int l = 0; l < shape->hidden; l++)
		shape->width[l] = (uint32_t) values->list[l];
	shape->activation = (RsActivation) value[OPTION_ACTIVATION];
	*learning = (RsMlpLearning){.batch = (uint32_t) value[OPTION_BATCH_SIZE],
								.learning_rate = value[OPTION_LEARNING_RATE],
								.dropout = value[OPTION_DROPOUT],
								.weight_decay = value[OPTION_WEIGHT_DECAY],
								.history_length = (uint32_t) value[OPTION_HISTORY_LENGTH],
								.samples = (uint32_t) value[OPTION_SAMPLES],
								.sampler = (RsSampler) value[OPTION_SAMPLER],
								.seed = (uint64_t) value[OPTION_SEED],
								.measuring = value[OPTION_VALIDATION_FRACTION] > 0};
	*run = (RsMlpRun){.epochs = (int) value[OPTION_EPOCHS],
					  .validation = value[OPTION_VALIDATION_FRACTION],
					  .patience = (int) value[OPTION_PATIENCE],
					  .seed = (uint64_t) value[OPTION_SEED]};
}

/* Events in order where they have a time; a history only with an embedding. */
static unsigned
flags_with(const RsOptions *values, bool timed)
{
	return (timed ? RS_SEQUENCES : RS_CELLS) | RS_FEATURES |
		   (values->value[OPTION_HISTORY] > 0 ? RS_HISTORY : 0);
}

/* No room for more than there is: a batch of all events, a history of the longest. */
static void
fit_to_events(const RsRows *users, RsMlpLearning *learning)
{
	uint64_t events = rs_rows_count(users);
	uint64_t longest = 1;

	for (uint32_t user = 0; user < users->n; user++)
		if (users->start[user + 1] - users->start[user] > longest)
			longest = users->start[user + 1] - users->start[user];
	if (learning->batch > events)
		learning->batch = (uint32_t) events;
	if (learning->history_length > longest)
		learning->history_length = (uint32_t) longest;
}

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	const RsTensor *popularity = rs_model_tensor(model, RS_POPULARITY);
	RsMlpShape shape;
	RsMlpLearning learning;
	RsMlpRun run;
	RsMlpNet net;
	RsMlpStep step = {0};
	RsStatus status;

	read_options(&model->options, &shape, &learning, &run);
	shape.items = problem->n_items;
	shape.features = problem->features != NULL ? rs_features_width(problem->features) : 0;
	if (shape.features + shape.history == 0)
	{
		rs_fail(ctx, RS_ERR_PARAM, "there is nothing to learn from: no features and no history");
		rs_hint(ctx, "Give features, or set option history to the length of an embedding.");
		return RS_ERR_PARAM;
	}
	if (run.patience > 0 && !(run.validation > 0))
	{
		rs_fail(ctx, RS_ERR_PARAM, "option \"patience\" needs \"validation_fraction\"");
		rs_hint(ctx, "Hold out some examples, for example {\"validation_fraction\": 0.1}.");
		return RS_ERR_PARAM;
	}
	fit_to_events(rs_problem_histories(problem), &learning);
	/* with half the items or more, all of them cost no more */
	if (learning.samples > shape.items / 2)
		learning.samples = 0;
	status = rs_mlp_net_create(ctx, &shape, learning.samples == 0 || learning.measuring, &net);
	if (status == RS_OK)
		status = rs_mlp_step_create(ctx, &learning, popularity->data, &net, &step);
	if (status == RS_OK)
		status = rs_mlp_net_init(ctx, &net, learning.seed);
	if (status == RS_OK)
		status = rs_mlp_fit(ctx, problem, &run, &net, &step, model);
	rs_mlp_step_free(ctx, &step);
	if (status == RS_OK)
		status = rs_mlp_net_export(ctx, &net, model);
	rs_mlp_net_free(ctx, &net);
	return status;
}

/* --- answering --- */

/* Floats of the input of the first layer, which may be the output's. */
static uint64_t
input_width(const RsModel *model)
{
	if (model->options.value[OPTION_HIDDEN] == 0)
		return rs_model_factors(model).dim - 1;
	return rs_model_tensor(model, rs_mlp_weight_names[0])->shape[1];
}

static uint32_t
n_features(const RsModel *model)
{
	return (uint32_t) (input_width(model) - (uint64_t) model->options.value[OPTION_HISTORY]);
}

/* Does the encoder of a model make the features that it takes? */
static RsStatus
check_encoder(RsContext *ctx, const RsModel *model, const RsTensor *tensor)
{
	RsEncoder *encoder;
	uint32_t width;

	if (rs_encoder_read(ctx, tensor->data, (size_t) tensor->shape[0], &encoder) != RS_OK)
		return ctx->status;
	width = rs_encoder_width(encoder);
	rs_encoder_free(ctx, encoder);
	if (width != n_features(model))
		return rs_invalid_bytes(ctx, "It takes %u features, its encoder makes %u.",
								n_features(model), width);
	return RS_OK;
}

static int
tensors(const RsModel *model, RsTensorSpec specs[RS_MAX_TENSORS])
{
	int hidden = (int) model->options.value[OPTION_HIDDEN];
	uint64_t history = (uint64_t) model->options.value[OPTION_HISTORY];
	uint64_t in = RS_ANY; /* features and history */
	int n = 0;

	for (int l = 0; l < hidden; l++)
	{
		uint64_t out = (uint64_t) model->options.list[l];

		specs[n++] = (RsTensorSpec){rs_mlp_weight_names[l], RS_F32, 2, {out, in}, false};
		specs[n++] = (RsTensorSpec){rs_mlp_bias_names[l], RS_F32, 1, {out}, false};
		in = out;
	}
	specs[n++] = (RsTensorSpec){
		RS_FACTORS, RS_F32, 2, {model->ids.n, in == RS_ANY ? RS_ANY : in + 1}, false};
	if (history > 0)
		specs[n++] = (RsTensorSpec){"history.weight", RS_F32, 2, {model->ids.n, history}, false};
	specs[n++] = (RsTensorSpec){"encoder", RS_U8, 1, {RS_ANY}, true};
	return n;
}

static RsStatus
check(RsContext *ctx, const RsModel *model)
{
	uint64_t history = (uint64_t) model->options.value[OPTION_HISTORY];
	uint64_t in = input_width(model);
	const RsTensor *encoder = rs_model_tensor(model, "encoder");

	if (in == 0 || in < history || in - history > RS_MAX_FEATURES)
		return rs_invalid_bytes(ctx, "The first layer has a wrong width.");
	return encoder != NULL ? check_encoder(ctx, model, encoder) : RS_OK;
}

/* --- a query --- */

/* Mean of the embeddings of these events, but for those of no positive weight; *seen:
 * of how many. */
static void
mean_events(const RsModel *model, const uint32_t *item, const float *weight, uint32_t n, float *out,
			uint32_t *seen)
{
	const RsTensor *embedding = rs_model_tensor(model, "history.weight");
	size_t width = embedding->shape[1];

	for (uint32_t i = 0; i < n; i++)
	{
		if (!(weight[i] > 0))
			continue;
		rs_axpy(1, (const float *) embedding->data + item[i] * width, out, width);
		++*seen;
	}
	for (size_t j = 0; j<width && * seen> 0; j++)
		out[j] /= (float) *seen;
}

/* What training showed the network of a history: the last of events in order, or the
 * mean of all items. */
static RsStatus
mean_history(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out,
			 uint32_t *seen)
{
	uint32_t most = (uint32_t) model->options.value[OPTION_HISTORY_LENGTH];
	uint32_t skipped = history->n > most ? history->n - most : 0;
	RsCells cells;

	if (model->timed)
	{
		mean_events(model, history->item + skipped, history->weight + skipped, history->n - skipped,
					out, seen);
		return RS_OK;
	}
	if (rs_cells_create(ctx, history->item, history->weight, history->n, &cells) != RS_OK)
		return ctx->status;
	mean_events(model, cells.item, cells.weight, cells.n, out, seen);
	rs_cells_free(ctx, &cells);
	return RS_OK;
}

static RsMlpHidden
hidden_layers(const RsModel *model)
{
	RsMlpHidden hidden = {.layers = (int) model->options.value[OPTION_HIDDEN],
						  .activation = (RsActivation) model->options.value[OPTION_ACTIVATION]};

	hidden.width[0] = (uint32_t) input_width(model);
	for (int l = 0; l < hidden.layers; l++)
	{
		hidden.width[l + 1] = (uint32_t) model->options.list[l];
		hidden.weight[l] = rs_model_tensor(model, rs_mlp_weight_names[l])->data;
		hidden.bias[l] = rs_model_tensor(model, rs_mlp_bias_names[l])->data;
	}
	return hidden;
}

/* What is known of a user, as input of the first layer, zeroed by the caller.  *seen:
 * events in the mean; *known: anything at all?  Without any input all users would look
 * alike: popularity says that better. */
static RsStatus
make_input(RsContext *ctx, const RsModel *model, const RsHistory *history, float *x, uint32_t *seen,
		   bool *known)
{
	uint32_t features = n_features(model);
	RsStatus status = RS_OK;

	*seen = 0;
	if (history->features != NULL && history->n_features != features)
	{
		rs_fail(ctx, RS_ERR_PARAM, "the model takes %u features, not %u", features,
				history->n_features);
		return RS_ERR_PARAM;
	}
	if (history->features != NULL && features > 0)
		memcpy(x, history->features, features * sizeof(float));
	if (model->options.value[OPTION_HISTORY] > 0 && history->n > 0)
		status = mean_history(ctx, model, history, x + features, seen);
	*known = (history->features != NULL && features > 0) || *seen > 0;
	return status;
}

static RsStatus
query(RsContext *ctx, const RsModel *model, const RsHistory *history, float *out)
{
	RsMlpHidden hidden = hidden_layers(model);
	size_t widest = rs_mlp_widest(&hidden);
	float *x = rs_calloc(ctx, 3 * widest, sizeof(float));
	uint32_t seen;
	bool known;
	RsStatus status;

	if (x == NULL)
		return ctx->status;
	status = make_input(ctx, model, history, x, &seen, &known);
	if (status == RS_OK && known)
	{
		size_t width = rs_model_factors(model).dim - 1;

		rs_mlp_forward(&hidden, x, x + widest, out);
		out[width] = 1;
		for (size_t j = 0; j < width; j++)
			if (!(fabsf(out[j]) < INFINITY)) /* weights of strangers may overflow */
				memset(out, 0, (width + 1) * sizeof(float));
	}
	rs_free(ctx, x);
	return status;
}

/* --- an explanation --- */

/* The attributions of the mean of the events to them: it is a sum over them.  Of a
 * history without times an item counts once, and its entries share by weight. */
static RsStatus
share_among_events(RsContext *ctx, const RsModel *model, const RsHistory *history,
				   const float *input, const float *attribution, uint32_t seen, float *events)
{
	const RsTensor *embedding = rs_model_tensor(model, "history.weight");
	size_t width = embedding->shape[1];
	uint32_t most = (uint32_t) model->options.value[OPTION_HISTORY_LENGTH];
	uint32_t begin = model->timed && history->n > most ? history->n - most : 0;
	RsCells cells;

	if (rs_cells_create(ctx, history->item, history->weight, history->n, &cells) != RS_OK)
		return ctx->status;
	for (uint32_t i = begin; i < history->n; i++)
	{
		const float *row = (const float *) embedding->data + history->item[i] * width;
		float all = model->timed ? history->weight[i] : rs_cells_weight(&cells, history->item[i]);
		double sum = 0;

		for (size_t j = 0; j < width && all > 0; j++)
			if (input[j] != 0)
				sum += (double) row[j] * attribution[j] / input[j];
		events[i] = all > 0 ? (float) (history->weight[i] / all * sum / seen) : 0;
	}
	rs_cells_free(ctx, &cells);
	return RS_OK;
}

/* By integrated gradients; the rest is the score of an input of zeros, and what the
 * steps of the integral leave. */
static RsStatus
explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
		RsExplanation *out)
{
	RsMlpHidden hidden = hidden_layers(model);
	RsFactors factors = rs_model_factors(model);
	uint32_t features = n_features(model);
	size_t in = hidden.width[0];
	float *x = rs_calloc(ctx, 2 * in + factors.dim, sizeof(float));
	float *attribution = x + in;
	float *vector = x + 2 * in;
	uint32_t seen;
	bool known;
	double rest;
	RsStatus status;

	if (x == NULL)
		return ctx->status;
	status = make_input(ctx, model, history, x, &seen, &known);
	if (status == RS_OK && known)
		status = rs_mlp_attribute(ctx, &hidden, rs_factors_row(&factors, item), x, attribution);
	if (status == RS_OK && known)
		status = query(ctx, model, history, vector);
	if (status != RS_OK || !known)
	{
		rs_free(ctx, x);
		return status;
	}
	rest = rs_dot(vector, rs_factors_row(&factors, item), factors.dim);
	for (size_t j = 0; j < in; j++)
		rest -= attribution[j];
	out->rest = (float) rest;
	if (history->features != NULL)
		memcpy(out->features, attribution, features * sizeof(float));
	if (seen > 0)
		status = share_among_events(ctx, model, history, x + features, attribution + features, seen,
									out->events);
	rs_free(ctx, x);
	return status;
}

const RsAlgorithm rs_mlp = {
	.name = "mlp",
	.flags = RS_CELLS | RS_SEQUENCES | RS_HISTORY | RS_FEATURES,
	.kind = RS_QUERY_FACTORS,
	.options = options,
	.flags_with = flags_with,
	.train = train,
	.tensors = tensors,
	.check = check,
	.n_features = n_features,
	.query = query,
	.constants = 1,
	.explain = explain,
	.explain_method = "integrated gradients",
};
