/*
 * test_mlp.c
 *		The network: kernels, gradients against finite differences, Adam against its
 *		formula.
 */
#include "unit.h"

#include "core/algorithms/mlp/mlp_step.h"

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

/* A network and the steps that it learns by. */
typedef struct Settings
{
	RsMlpShape shape;
	RsMlpLearning learning;
} Settings;

typedef struct Learner
{
	RsMlpNet net;
	RsMlpStep step;
} Learner;

static Settings
settings(void)
{
	Settings set = {
		.shape = {.features = FEATURES,
				  .items = ITEMS,
				  .hidden = 2,
				  .width = {33, 7},
				  .activation = RS_TANH},
		.learning = {.history_length = 20, .batch = EXAMPLES, .learning_rate = 0.01, .seed = 5}};

	return set;
}

static void
create(RsContext *ctx, const Settings *set, const Examples *e, Learner *it)
{
	if (rs_mlp_net_create(ctx, &set->shape, true, &it->net) != RS_OK ||
		rs_mlp_step_create(ctx, &set->learning, e->popularity, &it->net, &it->step) != RS_OK ||
		rs_mlp_net_init(ctx, &it->net, set->learning.seed) != RS_OK)
	{
		printf("%s\n", ctx->message);
		abort();
	}
	/* embeddings and biases of a size that matters */
	for (uint32_t i = 0; i < set->shape.items * set->shape.history; i++)
		it->net.embedding[i] *= 20;
	for (int l = 0; l < it->net.layers; l++)
		for (uint32_t i = 0; i < it->net.layer[l].out; i++)
			it->net.layer[l].bias[i] = 0.1f * (float) (i % 5) - 0.2f;
}

static void
destroy(RsContext *ctx, Learner *it)
{
	rs_mlp_step_free(ctx, &it->step);
	rs_mlp_net_free(ctx, &it->net);
	CHECK(ctx->memory_used == 0);
}

/* Loss of one batch with a weight moved by step; the network is made anew. */
static double
loss_with(const Settings *set, const Examples *e, int array, size_t at, float step)
{
	RsContext ctx = rs_context_malloc();
	Learner it;
	double loss = NAN;
	size_t n;

	create(&ctx, set, e, &it);
	rs_mlp_net_array(&it.net, array, &n)[at] += step;
	CHECK(rs_mlp_net_pack(&ctx, &it.net) == RS_OK);
	CHECK(rs_mlp_learn(&ctx, &it.step, e->example, EXAMPLES, &loss) == RS_OK);
	destroy(&ctx, &it);
	return loss;
}

/* The first step's first moment is a tenth of the gradient. */
static void
check_gradient(const Settings *set, const Examples *e, const Learner *it, int array, size_t at)
{
	const float step = 0.02f;
	double gradient = it->step.moments[array].first[at] / 0.1;
	double slope = (loss_with(set, e, array, at, step) - loss_with(set, e, array, at, -step)) /
				   (2.0 * step * EXAMPLES);

	CHECK_NEAR(gradient, slope, 2e-4 + 0.01 * fabs(slope));
	if (fabs(gradient - slope) > 2e-4 + 0.01 * fabs(slope))
		printf("array %d, weight %zu: %g is not %g\n", array, at, gradient, slope);
}

static void
check_gradients(const Settings *set)
{
	RsContext ctx = rs_context_malloc();
	static Examples e;
	Learner it;
	double loss;
	uint64_t state = 3;

	make_examples(&e, set->shape.items);
	create(&ctx, set, &e, &it);
	CHECK(rs_mlp_net_pack(&ctx, &it.net) == RS_OK);
	CHECK(rs_mlp_learn(&ctx, &it.step, e.example, EXAMPLES, &loss) == RS_OK);
	for (int l = 0; l < it.net.layers; l++)
	{
		RsMlpLayer *layer = &it.net.layer[l];

		for (int i = 0; i < 12; i++)
		{
			/* rows of targets among them: all others are small */
			uint32_t row = i % 2 == 0 && l == it.net.layers - 1
							   ? e.example[i].target
							   : (uint32_t) (unit_random(&state) % layer->out);

			check_gradient(set, &e, &it, 2 * l,
						   row * layer->in_p + unit_random(&state) % layer->in);
			check_gradient(set, &e, &it, 2 * l + 1, row);
		}
		/* what only fills up a row stays zero */
		for (uint32_t row = 0; row < layer->out_p; row++)
			for (size_t j = 0; j < layer->in_p; j++)
				if (row >= layer->out || j >= layer->in)
					CHECK(layer->weight[row * layer->in_p + j] == 0);
	}
	for (int i = 0; i < 12 && set->shape.history > 0; i++)
		check_gradient(set, &e, &it, 2 * it.net.layers,
					   e.history[i][i % 9] * set->shape.history +
						   unit_random(&state) % set->shape.history);
	destroy(&ctx, &it);
}

TEST(gradients_exact)
{
	Settings set = settings();

	check_gradients(&set);
	set.shape.activation = RS_SIGMOID;
	set.shape.hidden = 1;
	check_gradients(&set);
	set.shape.hidden = 0;
	check_gradients(&set);
}

TEST(gradients_history)
{
	Settings set = settings();

	set.shape.history = 6;
	check_gradients(&set);
	set.learning.history_length = 4; /* some of the others, the same for the same key */
	set.shape.features = 0;
	set.shape.hidden = 0;
	check_gradients(&set);
}

TEST(gradients_dropout)
{
	Settings set = settings();

	set.learning.dropout = 0.4; /* the mask depends on the example's key alone */
	set.shape.history = 6;
	check_gradients(&set);
	set.shape.activation = RS_SIGMOID;
	check_gradients(&set);
}

TEST(gradients_sampled)
{
	Settings set = settings();

	set.learning.samples = 20;
	check_gradients(&set);
	set.learning.sampler = RS_SAMPLER_UNIFORM;
	set.shape.history = 6;
	set.learning.dropout = 0.2;
	check_gradients(&set);
}

/* RELU has kinks, so only its values: against loops in double. */
TEST(forward_relu)
{
	RsContext ctx = rs_context_malloc();
	Settings set = settings();
	static Examples e;
	Learner it;
	double loss;
	double expected = 0;

	set.shape.activation = RS_RELU;
	set.shape.history = 3;
	make_examples(&e, ITEMS);
	create(&ctx, &set, &e, &it);
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
					x[FEATURES + d] += it.net.embedding[example->history[j] * 3 + d] / others;
		for (int l = 0; l < it.net.layers; l++)
		{
			RsMlpLayer *layer = &it.net.layer[l];

			for (uint32_t i = 0; i < layer->out; i++)
			{
				y[i] = layer->bias[i];
				for (uint32_t j = 0; j < layer->in; j++)
					y[i] += layer->weight[i * layer->in_p + j] * x[j];
				if (l < it.net.layers - 1 && y[i] < 0)
					y[i] = 0;
			}
			memcpy(x, y, sizeof(x));
		}
		for (int i = 0; i < ITEMS; i++)
			sum += exp(x[i]);
		expected += example->weight * (log(sum) - x[example->target]);
	}
	CHECK(rs_mlp_net_pack(&ctx, &it.net) == RS_OK);
	CHECK(rs_mlp_learn(&ctx, &it.step, e.example, EXAMPLES, &loss) == RS_OK);
	CHECK_NEAR(loss, expected, 1e-4);
	destroy(&ctx, &it);
}

UNIT_MAIN(gradients_exact, gradients_history, gradients_dropout, gradients_sampled, forward_relu)
