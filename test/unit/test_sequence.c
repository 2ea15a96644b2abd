/* sequence against the formula, pair by pair. */
#include "items.h"

static Case c;

TEST(formula)
{
	RsContext ctx = rs_context_malloc();
	static double pairs[20][20], count[20], squares[20];
	uint32_t history_item[3] = {4, 7, 4};
	float history_weight[3] = {1, 2, -1};
	RsHistory history = {.n = 3, .item = history_item, .weight = history_weight};
	const double a = 0.4, b = 0.3, tau = 4, tau_q = 2, backward = 0.25;
	float out[20] = {0};
	RsOptions options;
	RsProblem p;
	RsModel model;
	uint32_t u, i, j;

	case_random(&c, 15, 20, 600, true, true, 21);
	CHECK(case_build(&ctx, &c, 0, &p) == RS_OK);
	for (u = 0; u < p.n_users; u++)
	{
		uint64_t x, y;

		for (x = p.sequences.start[u]; x < p.sequences.start[u + 1]; x++)
		{
			count[p.sequences.index[x]] += fabs(p.sequences.weight[x]);
			squares[p.sequences.index[x]] += p.sequences.weight[x] * p.sequences.weight[x];
			for (y = x + 1; y < p.sequences.start[u + 1]; y++)
			{
				double factor = exp(-(double) (y - x - 1) / tau);
				double w = factor * p.sequences.weight[x] * p.sequences.weight[y];

				if (factor < 1e-3)
					break;
				pairs[p.sequences.index[x]][p.sequences.index[y]] += w;
				pairs[p.sequences.index[y]][p.sequences.index[x]] += w * backward;
			}
		}
	}
	for (i = 0; i < 20; i++)
		count[i] = squares[i] > 0 ? count[i] * count[i] / squares[i] : 0;
	rs_problem_free(&ctx, &p);
	rs_options_default(&options, rs_sequence.options);
	set_option(&options, "decay", tau);
	set_option(&options, "source_exponent", a);
	set_option(&options, "target_exponent", b);
	set_option(&options, "query_decay", tau_q);
	set_option(&options, "backward", backward);
	set_option(&options, "neighbors", 0);
	for (int repeats = 0; repeats < 2; repeats++)
	{
		CHECK(rs_options_set(&ctx, &options, "repeats", RS_OPTION_BOOL, repeats, NULL) == RS_OK);
		CHECK(case_train(&ctx, &c, 3, &rs_sequence, &options, &model) == RS_OK);
		memset(out, 0, sizeof(out));
		CHECK(rs_score_all(&ctx, &model, &history, out) == RS_OK);
		for (j = 0; j < 20; j++)
		{
			double sum = 0, size = 1;

			for (i = 0; i < 3; i++)
			{
				uint32_t item = history_item[i];
				double s = (item == j && !repeats) || count[item] == 0 || count[j] == 0
							   ? 0
							   : pairs[item][j] / (pow(count[item], a) * pow(count[j], b));

				sum += s * history_weight[i] * exp(-(2.0 - i) / tau_q);
				size += fabs(s);
			}
			CHECK_NEAR(out[j], sum, 1e-4 * size);
		}
		rs_model_free(&ctx, &model);
	}
	CHECK(ctx.memory_used == 0);
}

/* An item that comes again and again, and one that never does. */
TEST(repeats)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	float out[10];

	memset(&c, 0, sizeof c);
	c.n_users = 10;
	c.n_items = 10;
	c.timed = true;
	for (uint32_t i = 0; i < 60; i++, c.n++)
	{
		c.user[i] = i / 6;
		c.item[i] = i % 6 == 5 ? 1 + i / 6 % 9 : 0;
		c.time[i] = i % 6;
		c.weight[i] = 1;
	}
	case_shuffle(&c, 1);
	rs_options_default(&options, rs_sequence.options);
	for (int repeats = 0; repeats < 2; repeats++)
	{
		CHECK(rs_options_set(&ctx, &options, "repeats", RS_OPTION_BOOL, repeats, NULL) == RS_OK);
		CHECK(case_train(&ctx, &c, 0, &rs_sequence, &options, &model) == RS_OK);
		weights_of(&model, 0, 1, out);
		for (uint32_t j = 1; j < 10; j++)
			CHECK(repeats ? out[0] > out[j] : out[0] == 0 && out[j] > 0);
		weights_of(&model, 1, 1, out);
		CHECK(out[1] == 0);
		rs_model_free(&ctx, &model);
	}
	CHECK(ctx.memory_used == 0);
}

/* Two events of each user, in either order in memory, often at the same time: then the
 * lower item comes first. */
TEST(two_events_each)
{
	static double pairs[12][12], count[12];
	RsContext ctx = rs_context_malloc();
	const double backward = 0.25;
	RsOptions options;
	RsModel model;
	float out[12];

	case_random(&c, 300, 12, 600, true, false, 23);
	for (uint32_t u = 0; u < 300; u++)
	{
		uint32_t first = c.item[u], second = c.item[u + 300];

		c.user[u] = c.user[u + 300] = u;
		c.time[u] %= 3;
		c.time[u + 300] %= 3;
		if (c.time[u] > c.time[u + 300] || (c.time[u] == c.time[u + 300] && first > second))
		{
			second = c.item[u];
			first = c.item[u + 300];
		}
		count[first]++;
		count[second]++;
		pairs[first][second]++;
		pairs[second][first] += backward;
	}
	rs_options_default(&options, rs_sequence.options);
	set_option(&options, "source_exponent", 0.5);
	set_option(&options, "target_exponent", 0.5);
	set_option(&options, "backward", backward);
	set_option(&options, "neighbors", 0);
	CHECK(case_train(&ctx, &c, 5, &rs_sequence, &options, &model) == RS_OK);
	for (uint32_t i = 0; i < 12; i++)
	{
		weights_of(&model, i, 1, out);
		for (uint32_t j = 0; j < 12; j++)
			CHECK_NEAR(out[j], i == j ? 0 : pairs[i][j] / sqrt(count[i] * count[j]), 1e-5);
	}
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
}

/* A chain 0 1 2 3 …: what follows an item is the next one. */
TEST(order_counts)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	RsModel model;
	float out[10];
	uint32_t i, j;

	memset(&c, 0, sizeof c);
	c.n_users = 5;
	c.n_items = 10;
	c.timed = true;
	for (i = 0; i < 50; i++, c.n++)
	{
		c.user[i] = i / 10;
		c.item[i] = i % 10;
		c.time[i] = i % 10;
		c.weight[i] = 1;
	}
	case_shuffle(&c, 1);
	rs_options_default(&options, rs_sequence.options);
	CHECK(case_train(&ctx, &c, 0, &rs_sequence, &options, &model) == RS_OK);
	for (i = 0; i < 9; i++)
	{
		weights_of(&model, i, 1, out);
		for (j = 0; j < 10; j++)
			CHECK(j == i + 1 || out[j] < out[i + 1]);
	}
	rs_model_free(&ctx, &model);
}

TEST(robust)
{
	RsOptions options;

	rs_options_default(&options, rs_sequence.options);
	set_option(&options, "neighbors", 20);
	for (int repeats = 0; repeats < 2; repeats++)
	{
		RsContext ctx = rs_context_malloc();

		CHECK(rs_options_set(&ctx, &options, "repeats", RS_OPTION_BOOL, repeats, NULL) == RS_OK);
		check_determinism(&rs_sequence, &options, true);
		check_failures(&rs_sequence, &options, true);
		check_degenerate(&rs_sequence, &options, true);
		check_long_history(&rs_sequence, &options, true);
	}
	set_option(&options, "decay", 100);
	set_option(&options, "query_decay", 0.01);
	check_determinism(&rs_sequence, &options, true);
}

UNIT_MAIN(formula, repeats, two_events_each, order_counts, robust)
