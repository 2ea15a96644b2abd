/*
 * test_mlp_answer.c
 *		What each input does to a score of the network, held against finite differences.
 */
#include "models.h"

#include "core/algorithms/mlp/mlp_answer.h"

#define IN 5
#define WIDE 7

/* A network of random weights. */
typedef struct Net
{
	float weight[2][WIDE * WIDE];
	float bias[2][WIDE];
	float row[WIDE];
	float x[IN];
	RsMlpHidden hidden;
} Net;

static void
make_net(Net *net, int layers, RsActivation activation, uint64_t seed)
{
	memset(net, 0, sizeof *net);
	net->hidden.layers = layers;
	net->hidden.activation = activation;
	net->hidden.width[0] = IN;
	for (int l = 0; l < 2; l++)
	{
		net->hidden.width[l + 1] = l == 0 ? WIDE : 4;
		net->hidden.weight[l] = net->weight[l];
		net->hidden.bias[l] = net->bias[l];
		for (int i = 0; i < WIDE * WIDE; i++)
			net->weight[l][i] = (float) unit_normal(&seed) / 2;
		for (int i = 0; i < WIDE; i++)
			net->bias[l][i] = (float) unit_normal(&seed) / 2;
	}
	for (int i = 0; i < WIDE; i++)
		net->row[i] = (float) unit_normal(&seed);
	for (int i = 0; i < IN; i++)
		net->x[i] = (float) unit_normal(&seed);
}

/* row · h(x), in double, by its formula. */
static double
score(const Net *net, const double *x)
{
	double now[WIDE], next[WIDE], sum = 0;

	memcpy(now, x, IN * sizeof(double));
	for (int l = 0; l < net->hidden.layers; l++)
	{
		for (uint32_t j = 0; j < net->hidden.width[l + 1]; j++)
		{
			double v = net->bias[l][j];

			for (uint32_t i = 0; i < net->hidden.width[l]; i++)
				v += now[i] * net->weight[l][j * net->hidden.width[l] + i];
			next[j] = net->hidden.activation == RS_RELU   ? (v > 0 ? v : 0)
					  : net->hidden.activation == RS_TANH ? tanh(v)
														  : 1 / (1 + exp(-v));
		}
		memcpy(now, next, sizeof now);
	}
	for (uint32_t j = 0; j < net->hidden.width[net->hidden.layers]; j++)
		sum += net->row[j] * now[j];
	return sum;
}

/* The integral of the derivative by input j, from differences at 4,000 points. */
static double
integral(const Net *net, int j)
{
	double sum = 0;

	for (int step = 0; step < 4000; step++)
	{
		double x[IN], before, h = 1e-5;

		for (int i = 0; i < IN; i++)
			x[i] = (step + 0.5) / 4000 * net->x[i];
		x[j] -= h;
		before = score(net, x);
		x[j] += 2 * h;
		sum += (score(net, x) - before) / (2 * h);
	}
	return net->x[j] * sum / 4000;
}

TEST(integrated_gradients)
{
	for (int layers = 0; layers <= 2; layers++)
		for (int activation = RS_RELU; activation <= RS_SIGMOID; activation++)
		{
			RsContext ctx = rs_context_malloc();
			double zero[IN] = {0}, x[IN], sum = 0;
			float out[IN], y[WIDE], scratch[2 * WIDE], dot = 0;
			Net net;

			make_net(&net, layers, (RsActivation) activation, 5 + (uint64_t) layers);
			CHECK(rs_mlp_attribute(&ctx, &net.hidden, net.row, net.x, out) == RS_OK);
			for (int j = 0; j < IN; j++)
			{
				CHECK_NEAR(out[j], integral(&net, j), activation == RS_RELU ? 0.02 : 1e-3);
				x[j] = net.x[j];
				sum += out[j];
			}
			CHECK_NEAR(sum, score(&net, x) - score(&net, zero),
					   activation == RS_RELU ? 0.02 : 1e-3);
			rs_mlp_forward(&net.hidden, net.x, scratch, y);
			for (uint32_t j = 0; j < net.hidden.width[layers]; j++)
				dot += y[j] * net.row[j];
			CHECK_NEAR(dot, score(&net, x), 1e-5);
		}
}

TEST(failures)
{
	for (long n = 1;; n++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, n, 0);
		float out[IN];
		Net net;
		RsStatus status;

		make_net(&net, 2, RS_TANH, 1);
		status = rs_mlp_attribute(ctx, &net.hidden, net.row, net.x, out);
		CHECK(heap.live == 0);
		if (!heap.failed)
			break;
		CHECK(status == RS_ERR_NOMEM);
	}
	for (long n = 1; n < 3; n++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, n);
		float out[IN];
		Net net;

		make_net(&net, 2, RS_TANH, 1);
		CHECK(rs_mlp_attribute(ctx, &net.hidden, net.row, net.x, out) == RS_ERR_CANCELED);
		CHECK(heap.live == 0);
	}
}

/* Without hidden layers each event has its exact share: its embedding's product with
 * the item's row, over the events of the mean. */
TEST(events_of_a_straight_network)
{
	static Case c;
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsOptions options;
	RsModel model;
	RsFactors factors;
	const float *embedding;
	uint32_t items[4] = {1, 3, 1, 5};
	float weights[4] = {1, 2, 3, -1}, contribution[4];
	RsHistory history = {.n = 4, .item = items, .weight = weights};
	RsExplanation parts = {.events = contribution};

	rs_options_default(&options, rs_mlp.options);
	case_random(&c, 20, MODEL_ITEMS, 90, false, false, 7);
	set_option(&options, "history", 3);
	CHECK(rs_options_set_list(ctx, &options, "hidden", NULL, 0) == RS_OK);
	CHECK(case_train(ctx, &c, 0, &rs_mlp, &options, &model) == RS_OK);
	factors = rs_model_factors(&model);
	embedding = rs_model_tensor(&model, "history.weight")->data;
	for (uint32_t item = 0; item < MODEL_ITEMS; item++)
	{
		const float *row = rs_factors_row(&factors, item);
		double share[2] = {0, 0};

		for (int d = 0; d < 3; d++)
		{
			share[0] += (double) row[d] * embedding[1 * 3 + d] / 2;
			share[1] += (double) row[d] * embedding[3 * 3 + d] / 2;
		}
		CHECK(rs_explain(ctx, &model, &history, item, &parts) == RS_OK);
		CHECK_NEAR(contribution[0], share[0] / 4, 1e-6);
		CHECK_NEAR(contribution[2], share[0] * 3 / 4, 1e-6);
		CHECK_NEAR(contribution[1], share[1], 1e-6);
		CHECK(contribution[3] == 0);
		CHECK_NEAR(parts.rest, row[3], 1e-6);
	}
	rs_model_free(ctx, &model);
	CHECK(heap.live == 0);
}

UNIT_MAIN(integrated_gradients, failures, events_of_a_straight_network)
