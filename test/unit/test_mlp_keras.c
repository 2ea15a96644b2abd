/*
 * test_mlp_keras.c
 *		The network beside Keras and TensorFlow, from the same weights, over the same
 *		batches: test/data/keras_mlp.json, made by test/reference/keras_mlp.py.
 */
#include "unit.h"

#include "core/algorithms/mlp/mlp.h"

#define MOST 4096

static char *
read_file(void)
{
	FILE *file = fopen(UNIT_TOP "/test/data/keras_mlp.json", "rb");
	char *text;
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
	{
		perror("test/data/keras_mlp.json");
		abort();
	}
	size = ftell(file);
	rewind(file);
	text = calloc(1, (size_t) size + 1);
	if (fread(text, 1, (size_t) size, file) != (size_t) size)
		abort();
	fclose(file);
	return text;
}

/* All numbers of the value of the next "key": after at, however nested. */
static int
numbers(const char *at, const char *key, double *out)
{
	char quoted[64];
	int depth = 0;
	int n = 0;

	snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	at = strstr(at, quoted);
	if (at == NULL)
	{
		printf("no %s\n", key);
		abort();
	}
	at += strlen(quoted);
	do
	{
		if (*at == '[')
			depth++;
		else if (*at == ']')
			depth--;
		else if (*at != ',' && *at != ' ')
		{
			char *end;

			out[n++] = strtod(at, &end);
			if (end == at || n == MOST)
				abort();
			at = end - 1;
		}
		at++;
	} while (depth > 0);
	return n;
}

static double
number(const char *at, const char *key)
{
	double out[MOST];

	CHECK(numbers(at, key, out) == 1);
	return out[0];
}

/* Weights of all layers from "initial", or compared with "final". */
static void
each_weight(RsContext *ctx, RsMlp *net, const char *at, bool compare)
{
	static double values[MOST];

	for (int l = 0; l < net->layers; l++)
	{
		RsMlpLayer *layer = &net->layer[l];
		char name[32] = "output";

		if (l < net->layers - 1)
			sprintf(name, "layers.%d", l);
		strcat(name, ".weight");
		CHECK(numbers(at, name, values) == (int) (layer->out * layer->in));
		for (uint32_t i = 0; i < layer->out; i++)
			for (uint32_t j = 0; j < layer->in; j++)
			{
				float *w = &layer->weight[i * layer->in_p + j];

				if (compare)
					CHECK_NEAR(*w, values[i * layer->in + j], 2e-5);
				else
					*w = (float) values[i * layer->in + j];
			}
		strcpy(strstr(name, ".weight"), ".bias");
		CHECK(numbers(at, name, values) == (int) layer->out);
		for (uint32_t i = 0; i < layer->out; i++)
			if (compare)
				CHECK_NEAR(layer->bias[i], values[i], 2e-5);
			else
				layer->bias[i] = (float) values[i];
	}
	CHECK(rs_mlp_pack_all(ctx, net) == RS_OK);
}

/* One of the networks, at the place in the text where its record begins. */
static void
follow(const char *at)
{
	RsContext ctx = rs_context_malloc();
	static double values[MOST], targets[MOST], losses[MOST];
	static float features[MOST], popularity[64];
	static RsMlpExample example[MOST];
	RsMlpSettings set = {.history_length = 1, .activation = RS_RELU};
	RsMlp net;
	int n;
	int n_losses;
	int batch = 0;

	set.features = (uint32_t) number(at, "n_features");
	set.items = (uint32_t) number(at, "n_items");
	set.epochs = (int) number(at, "epochs");
	set.batch = (uint32_t) number(at, "batch_size");
	set.learning_rate = number(at, "learning_rate");
	set.weight_decay = number(at, "weight_decay");
	set.hidden = numbers(at, "hidden", values);
	for (int l = 0; l < set.hidden; l++)
		set.width[l] = (uint32_t) values[l];
	if (strncmp(strstr(at, "\"activation\": ") + 14, "\"tanh\"", 6) == 0)
		set.activation = RS_TANH;
	CHECK(rs_mlp_create(&ctx, &set, popularity, &net) == RS_OK);
	each_weight(&ctx, &net, strstr(at, "\"initial\": "), false);
	n = numbers(at, "features", values);
	for (int i = 0; i < n; i++)
		features[i] = (float) values[i];
	n = numbers(at, "targets", targets);
	for (int i = 0; i < n; i++)
		example[i] = (RsMlpExample){.features = features + (uint32_t) i * set.features,
									.target = (uint32_t) targets[i],
									.weight = 1};
	n_losses = numbers(at, "loss_batches", losses);
	for (int epoch = 0; epoch < set.epochs; epoch++)
		for (int begin = 0; begin < n; begin += (int) set.batch)
		{
			uint32_t size = n - begin < (int) set.batch ? (uint32_t) (n - begin) : set.batch;
			double loss;

			CHECK(rs_mlp_learn(&ctx, &net, example + begin, size, &loss) == RS_OK);
			CHECK(batch < n_losses);
			CHECK_NEAR(loss / size, losses[batch], 5e-6);
			batch++;
		}
	CHECK(batch == n_losses && batch >= 20);
	each_weight(&ctx, &net, strstr(at, "\"final\": "), true);
	rs_mlp_free(&ctx, &net);
	CHECK(ctx.memory_used == 0);
}

TEST(losses_and_weights)
{
	char *text = read_file();
	char *end = strstr(text, "\"sampled_softmax\": ");
	int n = 0;

	for (char *at = strstr(text, "{\"name\": "); at != NULL && at < end;
		 at = strstr(at + 1, "{\"name\": "), n++)
		follow(at);
	CHECK(n == 5);
	free(text);
}

/* Losses and gradients of the output layer, over the candidates that were given. */
TEST(sampled_softmax)
{
	RsContext ctx = rs_context_malloc();
	char *text = read_file();
	const char *at = strstr(text, "\"sampled_softmax\": ");
	static double values[MOST], expected[MOST];
	static float features[MOST], popularity[64];
	RsMlpExample example[16];
	RsMlpSettings set = {.features = 4, .history_length = 1, .learning_rate = 0.01};
	RsMlp net;
	uint32_t n;

	set.items = (uint32_t) number(at, "n_items");
	set.samples = (uint32_t) numbers(at, "samples", values);
	set.batch = n = (uint32_t) numbers(at, "targets", expected);
	for (uint32_t i = 0; i < set.items; i++)
		popularity[i] = (float) (set.items - i); /* rank i */
	CHECK(rs_mlp_create(&ctx, &set, popularity, &net) == RS_OK);
	CHECK(net.sample.wanted == set.samples && n <= 16);
	for (uint32_t i = 0; i < set.samples; i++)
	{
		net.sample.candidate[i] = (uint32_t) values[i];
		net.sample.slot[(uint32_t) values[i]] = i;
	}
	each_weight(&ctx, &net, at, false);
	numbers(at, "hidden", values);
	for (uint32_t i = 0; i < n * 4; i++)
		net.x[i / 4 * net.layer[0].in_p + i % 4] = features[i] = (float) values[i];
	for (uint32_t i = 0; i < n; i++)
		example[i] = (RsMlpExample){.target = (uint32_t) expected[i], .weight = 1};
	net.example = example;
	net.n = n;
	net.learning = true;
	net.adam = (RsAdam){0.1f, 0.001f, 0, 1e-8f};
	rs_mlp_list_targets(&net);
	net.sample.tries = set.samples;
	rs_mlp_gather(&net, 0, 1, 0);
	rs_mlp_sampled_scores(&net, 0, n);
	CHECK(numbers(at, "losses", expected) == (int) n);
	for (uint32_t i = 0; i < n; i++)
		CHECK_NEAR(net.loss[i], expected[i], 2e-5);
	for (uint32_t piece = 0; piece < rs_mlp_update_pieces(&net); piece++)
		rs_mlp_update(&net, piece, piece + 1, 0);
	at = strstr(at, "\"gradients\": ");
	CHECK(numbers(at, "output.weight", expected) == (int) set.items * 4);
	for (uint32_t i = 0; i < set.items * 4; i++)
		CHECK_NEAR(net.layer[0].weight_m[i / 4 * net.layer[0].in_p + i % 4] / 0.1, expected[i],
				   1e-5);
	CHECK(numbers(at, "output.bias", expected) == (int) set.items);
	for (uint32_t i = 0; i < set.items; i++)
		CHECK_NEAR(net.layer[0].bias_m[i] / 0.1, expected[i], 1e-5);
	rs_mlp_undraw(&net);
	rs_mlp_free(&ctx, &net);
	free(text);
	CHECK(ctx.memory_used == 0);
}

UNIT_MAIN(losses_and_weights, sampled_softmax)
