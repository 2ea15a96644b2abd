/*
 * test_mlp.c
 *		The network: kernels, gradients against finite differences, Adam against its
 *		formula.
 */
#include "unit.h"

#include "core/algorithms/mlp/mlp.h"

#define ITEMS 70
#define FEATURES 5
#define EXAMPLES 21

/* Some examples over random features and histories. */
typedef struct Examples
{
	float features[EXAMPLES][FEATURES];
	uint32_t history[EXAMPLES][9];
	float weights[EXAMPLES][9];
	float popularity[ITEMS];
	RsMlpExample example[EXAMPLES];
} Examples;

static void
make_examples(Examples *e, uint32_t items)
{
	uint64_t state = 11;

	for (uint32_t i = 0; i < ITEMS; i++)
		e->popularity[i] = (float) ((i * 37) % 50);
	for (uint32_t i = 0; i < EXAMPLES; i++)
	{
		RsMlpExample *x = &e->example[i];

		for (int j = 0; j < FEATURES; j++)
			e->features[i][j] = (float) unit_normal(&state);
		for (int j = 0; j < 9; j++)
		{
			e->history[i][j] = (uint32_t) (unit_random(&state) % items);
			e->weights[i][j] = j == 3 ? -1 : 1;
		}
		x->features = i == 4 ? NULL : e->features[i];
		x->history = e->history[i];
		x->weights = e->weights[i];
		x->n_history = i == 7 ? 1 : 9; /* one has nothing but its target */
		x->left_out = i == 7 ? 0 : i % 9;
		x->target = e->history[i][x->left_out];
		x->weight = i % 3 == 0 ? 0.5f : 1.25f;
		x->key = i;
	}
}

static RsMlpSettings
settings(void)
{
	RsMlpSettings set = {.features = FEATURES,
						 .items = ITEMS,
						 .history_length = 20,
						 .hidden = 2,
						 .width = {33, 7},
						 .activation = RS_TANH,
						 .epochs = 1,
						 .batch = EXAMPLES,
						 .learning_rate = 0.01,
						 .seed = 5};

	return set;
}

static void
create(RsContext *ctx, const RsMlpSettings *set, const Examples *e, RsMlp *net)
{
	if (rs_mlp_create(ctx, set, e->popularity, net) != RS_OK)
	{
		printf("%s\n", ctx->message);
		abort();
	}
	if (rs_mlp_init(ctx, net) != RS_OK)
		abort();
	/* embeddings and biases of a size that matters */
	for (uint32_t i = 0; i < set->items * set->history; i++)
		net->embedding[i] *= 20;
	for (int l = 0; l < net->layers; l++)
		for (uint32_t i = 0; i < net->layer[l].out; i++)
			net->layer[l].bias[i] = 0.1f * (float) (i % 5) - 0.2f;
}

/* Loss of one batch with a weight moved by step; the network is made anew. */
static double
loss_with(const RsMlpSettings *set, const Examples *e, int l, size_t at, float step)
{
	RsContext ctx = rs_context_malloc();
	RsMlp net;
	double loss = NAN;

	create(&ctx, set, e, &net);
	if (l < 0)
		net.embedding[at] += step;
	else if (at >= net.layer[l].out_p * net.layer[l].in_p)
		net.layer[l].bias[at - net.layer[l].out_p * net.layer[l].in_p] += step;
	else
		net.layer[l].weight[at] += step;
	CHECK(rs_mlp_pack_all(&ctx, &net) == RS_OK);
	CHECK(rs_mlp_learn(&ctx, &net, e->example, EXAMPLES, &loss) == RS_OK);
	rs_mlp_free(&ctx, &net);
	return loss;
}

/* The first step's first moment is a tenth of the gradient. */
static void
check_gradient(const RsMlpSettings *set, const Examples *e, int l, size_t at, float moment)
{
	const float step = 0.02f;
	double slope = (loss_with(set, e, l, at, step) - loss_with(set, e, l, at, -step)) /
				   (2.0 * step * EXAMPLES);

	CHECK_NEAR(moment / 0.1, slope, 2e-4 + 0.01 * fabs(slope));
	if (fabs(moment / 0.1 - slope) > 2e-4 + 0.01 * fabs(slope))
		printf("layer %d, weight %zu: %g is not %g\n", l, at, moment / 0.1, slope);
}

static void
check_gradients(const RsMlpSettings *set)
{
	RsContext ctx = rs_context_malloc();
	static Examples e;
	RsMlp net;
	double loss;
	uint64_t state = 3;

	make_examples(&e, set->items);
	create(&ctx, set, &e, &net);
	CHECK(rs_mlp_pack_all(&ctx, &net) == RS_OK);
	CHECK(rs_mlp_learn(&ctx, &net, e.example, EXAMPLES, &loss) == RS_OK);
	for (int l = 0; l < net.layers; l++)
	{
		RsMlpLayer *layer = &net.layer[l];

		for (int i = 0; i < 12; i++)
		{
			/* rows of targets among them: all others are small */
			uint32_t row = i % 2 == 0 && l == net.layers - 1
							   ? e.example[i].target
							   : (uint32_t) (unit_random(&state) % layer->out);
			size_t at = row * layer->in_p + unit_random(&state) % layer->in;

			check_gradient(set, &e, l, at, layer->weight_m[at]);
			check_gradient(set, &e, l, layer->out_p * layer->in_p + row, layer->bias_m[row]);
		}
		/* what only fills up a row stays zero */
		for (uint32_t row = 0; row < layer->out_p; row++)
			for (size_t j = 0; j < layer->in_p; j++)
				if (row >= layer->out || j >= layer->in)
					CHECK(layer->weight[row * layer->in_p + j] == 0);
	}
	for (int i = 0; i < 12 && set->history > 0; i++)
	{
		size_t at = e.history[i][i % 9] * set->history + unit_random(&state) % set->history;

		check_gradient(set, &e, -1, at, net.embedding_m[at]);
	}
	rs_mlp_free(&ctx, &net);
}

TEST(gradients_exact)
{
	RsMlpSettings set = settings();

	check_gradients(&set);
	set.activation = RS_SIGMOID;
	set.hidden = 1;
	check_gradients(&set);
	set.hidden = 0;
	check_gradients(&set);
}

TEST(gradients_history)
{
	RsMlpSettings set = settings();

	set.history = 6;
	check_gradients(&set);
	set.history_length = 4; /* some of the others, the same for the same key */
	set.features = 0;
	set.hidden = 0;
	check_gradients(&set);
}

TEST(gradients_dropout)
{
	RsMlpSettings set = settings();

	set.dropout = 0.4; /* the mask depends on the example's key alone */
	set.history = 6;
	check_gradients(&set);
	set.activation = RS_SIGMOID;
	check_gradients(&set);
}

TEST(gradients_sampled)
{
	RsMlpSettings set = settings();

	set.samples = 20;
	check_gradients(&set);
	set.sampler = RS_SAMPLER_UNIFORM;
	set.history = 6;
	set.dropout = 0.2;
	check_gradients(&set);
}

/* RELU has kinks, so only its values: against loops in double. */
TEST(forward_relu)
{
	RsContext ctx = rs_context_malloc();
	RsMlpSettings set = settings();
	static Examples e;
	RsMlp net;
	double loss;
	double expected = 0;

	set.activation = RS_RELU;
	set.history = 3;
	make_examples(&e, ITEMS);
	create(&ctx, &set, &e, &net);
	for (int n = 0; n < EXAMPLES; n++)
	{
		const RsMlpExample *example = &e.example[n];
		double x[100] = {0};
		double y[100];
		double sum = 0;
		int others = 0;

		for (int j = 0; j < FEATURES && example->features != NULL; j++)
			x[j] = example->features[j];
		for (uint32_t j = 0; j < example->n_history; j++)
			others += j != example->left_out && example->weights[j] > 0;
		for (uint32_t j = 0; j < example->n_history; j++)
			for (int d = 0; d < 3; d++)
				if (j != example->left_out && example->weights[j] > 0)
					x[FEATURES + d] += net.embedding[example->history[j] * 3 + d] / others;
		for (int l = 0; l < net.layers; l++)
		{
			RsMlpLayer *layer = &net.layer[l];

			for (uint32_t i = 0; i < layer->out; i++)
			{
				y[i] = layer->bias[i];
				for (uint32_t j = 0; j < layer->in; j++)
					y[i] += layer->weight[i * layer->in_p + j] * x[j];
				if (l < net.layers - 1 && y[i] < 0)
					y[i] = 0;
			}
			memcpy(x, y, sizeof(x));
		}
		for (int i = 0; i < ITEMS; i++)
			sum += exp(x[i]);
		expected += example->weight * (log(sum) - x[example->target]);
	}
	CHECK(rs_mlp_pack_all(&ctx, &net) == RS_OK);
	CHECK(rs_mlp_learn(&ctx, &net, e.example, EXAMPLES, &loss) == RS_OK);
	CHECK_NEAR(loss, expected, 1e-4);
	rs_mlp_free(&ctx, &net);
}

/* Adam as the paper writes it, in double. */
TEST(adam)
{
	float w[3] = {1, -2, 0.5f}, m[3] = {0}, v[3] = {0};
	double ww[3] = {1, -2, 0.5}, mm[3] = {0}, vv[3] = {0};
	const double rate = 0.01, epsilon = 1e-7, decay = 0.1;
	uint64_t state = 1;

	for (int t = 1; t <= 50; t++)
	{
		float g[3];
		double alpha = rate * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t));
		RsAdam step = {1 - 0.9, 1 - 0.999, (float) alpha, (float) epsilon};

		for (int i = 0; i < 3; i++)
		{
			g[i] = (float) unit_normal(&state);
			mm[i] = 0.9 * mm[i] + 0.1 * g[i];
			vv[i] = 0.999 * vv[i] + 0.001 * g[i] * g[i];
			ww[i] -= rate * decay * ww[i] + alpha * mm[i] / (sqrt(vv[i]) + epsilon);
		}
		rs_mlp_adam(&step, (float) (rate * decay), w, m, v, g, 3);
		for (int i = 0; i < 3; i++)
		{
			CHECK_NEAR(m[i], mm[i], 1e-5);
			CHECK_NEAR(v[i], vv[i], 1e-5);
			CHECK_NEAR(w[i], ww[i], 1e-5);
		}
	}
}

TEST(exponential)
{
	float x[64];
	float sum;
	double expected = 0;

	for (int i = 0; i < 61; i++)
	{
		x[i] = -3.0f * (float) i + 2;
		expected += exp(-3.0 * i);
	}
	CHECK(rs_mlp_max(x, 61) == 2);
	sum = rs_mlp_exp_sum(x, 61, 2);
	CHECK_NEAR(sum, expected, 1e-6);
	for (int i = 0; i < 61; i++)
		CHECK_NEAR(x[i], exp(-3.0 * i), 1e-6 * exp(-3.0 * i) + 1e-36);
	x[0] = NAN;
	CHECK(isnan(rs_mlp_exp_sum(x, 61, 2)));
}

UNIT_MAIN(gradients_exact, gradients_history, gradients_dropout, gradients_sampled, forward_relu,
		  adam, exponential)
