/*
 * test_mlp_keras.c
 *		The network beside Keras and TensorFlow, from the same weights, over the same
 *		batches: test/data/keras_mlp.json, made by test/reference/keras_mlp.py.
 */
#include "unit.h"

#include "core/algorithms/mlp/mlp_step.h"

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
each_weight(RsContext *ctx, RsMlpNet *net, const char *at, bool compare)
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
	CHECK(rs_mlp_net_pack(ctx, net) == RS_OK);
}

/* One of the networks, at the place in the text where its record begins. */
static void
follow(const char *at)
{
	RsContext ctx = rs_context_malloc();
	static double values[MOST], targets[MOST], losses[MOST];
	static float features[MOST], popularity[64];
	static RsMlpExample example[MOST];
	RsMlpShape shape = {.activation = RS_RELU};
	RsMlpLearning learning = {.history_length = 1};
	RsMlpNet net;
	RsMlpStep step;
	int epochs;
	int n;
	int n_losses;
	int batch = 0;

	shape.features = (uint32_t) number(at, "n_features");
	shape.items = (uint32_t) number(at, "n_items");
	epochs = (int) number(at, "epochs");
	learning.batch = (uint32_t) number(at, "batch_size");
	learning.learning_rate = number(at, "learning_rate");
	learning.weight_decay = number(at, "weight_decay");
	shape.hidden = numbers(at, "hidden", values);
	for (int l = 0; l < shape.hidden; l++)
		shape.width[l] = (uint32_t) values[l];
	if (strncmp(strstr(at, "\"activation\": ") + 14, "\"tanh\"", 6) == 0)
		shape.activation = RS_TANH;
	CHECK(rs_mlp_net_create(&ctx, &shape, true, &net) == RS_OK);
	CHECK(rs_mlp_step_create(&ctx, &learning, popularity, &net, &step) == RS_OK);
	each_weight(&ctx, &net, strstr(at, "\"initial\": "), false);
	n = numbers(at, "features", values);
	for (int i = 0; i < n; i++)
		features[i] = (float) values[i];
	n = numbers(at, "targets", targets);
	for (int i = 0; i < n; i++)
		example[i] = (RsMlpExample){.features = features + (uint32_t) i * shape.features,
									.target = (uint32_t) targets[i],
									.weight = 1};
	n_losses = numbers(at, "loss_batches", losses);
	for (int epoch = 0; epoch < epochs; epoch++)
		for (int begin = 0; begin < n; begin += (int) learning.batch)
		{
			uint32_t size =
				n - begin < (int) learning.batch ? (uint32_t) (n - begin) : learning.batch;
			double loss;

			CHECK(rs_mlp_learn(&ctx, &step, example + begin, size, &loss) == RS_OK);
			CHECK(batch < n_losses);
			CHECK_NEAR(loss / size, losses[batch], 5e-6);
			batch++;
		}
	CHECK(batch == n_losses && batch >= 20);
	each_weight(&ctx, &net, strstr(at, "\"final\": "), true);
	rs_mlp_step_free(&ctx, &step);
	rs_mlp_net_free(&ctx, &net);
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
	RsMlpShape shape = {.features = 4};
	RsMlpLearning learning = {.history_length = 1, .learning_rate = 0.01};
	RsMlpNet net;
	RsMlpStep step;
	double loss, sum = 0;
	uint32_t n;

	shape.items = (uint32_t) number(at, "n_items");
	learning.samples = (uint32_t) numbers(at, "samples", values);
	learning.batch = n = (uint32_t) numbers(at, "targets", expected);
	for (uint32_t i = 0; i < shape.items; i++)
		popularity[i] = (float) (shape.items - i); /* rank i */
	CHECK(n <= 16);
	CHECK(rs_mlp_net_create(&ctx, &shape, false, &net) == RS_OK);
	CHECK(rs_mlp_step_create(&ctx, &learning, popularity, &net, &step) == RS_OK);
	for (uint32_t i = 0; i < learning.samples; i++)
	{
		step.sample.candidate[i] = (uint32_t) values[i];
		step.sample.slot[(uint32_t) values[i]] = i;
	}
	each_weight(&ctx, &net, at, false);
	numbers(at, "hidden", values);
	for (uint32_t i = 0; i < n * 4; i++)
		features[i] = (float) values[i];
	for (uint32_t i = 0; i < n; i++)
		example[i] = (RsMlpExample){
			.features = features + i * 4, .target = (uint32_t) expected[i], .weight = 1};
	step.sample.tries = learning.samples;
	CHECK(rs_mlp_learn_drawn(&ctx, &step, example, n, &loss) == RS_OK);
	CHECK(numbers(at, "losses", expected) == (int) n);
	for (uint32_t i = 0; i < n; i++)
	{
		CHECK_NEAR(step.pass.loss[i], expected[i], 2e-5);
		sum += expected[i];
	}
	CHECK_NEAR(loss, sum, 1e-4);
	at = strstr(at, "\"gradients\": ");
	CHECK(numbers(at, "output.weight", expected) == (int) shape.items * 4);
	for (uint32_t i = 0; i < shape.items * 4; i++)
		CHECK_NEAR(step.moments[0].first[i / 4 * net.layer[0].in_p + i % 4] / 0.1, expected[i],
				   1e-5);
	CHECK(numbers(at, "output.bias", expected) == (int) shape.items);
	for (uint32_t i = 0; i < shape.items; i++)
		CHECK_NEAR(step.moments[1].first[i] / 0.1, expected[i], 1e-5);
	rs_mlp_step_free(&ctx, &step);
	rs_mlp_net_free(&ctx, &net);
	free(text);
	CHECK(ctx.memory_used == 0);
}

UNIT_MAIN(losses_and_weights, sampled_softmax)
