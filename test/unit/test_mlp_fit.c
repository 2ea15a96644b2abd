/*
 * test_mlp_fit.c
 *		Training the network: the same on any number of threads, clean failures, what
 *		it learns, what it answers.
 */
#include "items.h"

#include "core/serving/serving.h"

#include <time.h>

#define WIDTH 6

static RsOptions
small_options(void)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	const double hidden[] = {12, 9};

	rs_options_default(&options, rs_mlp.options);
	set_option(&options, "epochs", 3);
	set_option(&options, "batch_size", 70);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", hidden, 2) == RS_OK);
	return options;
}

/* Train with a row of features for each user but every seventh; frees all. */
static RsStatus
train_with_features(RsContext *ctx, const Case *c, uint32_t shift, const RsOptions *options,
					RsModel *model)
{
	RsIds ids = {.type = RS_ID_BIGINT, .n = c->n_items, .bigints = case_ids};
	RsFeatures *features = rs_features_create(ctx, WIDTH);
	static uint32_t feature_row[MOST_EVENTS];
	RsProblem problem;
	RsStatus status = features == NULL ? ctx->status : RS_OK;

	for (uint32_t i = 0; i < c->n_items; i++)
		case_ids[i] = i;
	for (uint32_t user = 0; user < c->n_users && status == RS_OK; user++)
	{
		uint64_t state = user;
		float row[WIDTH];

		for (int j = 0; j < WIDTH; j++)
			row[j] = (float) unit_normal(&state);
		feature_row[user] = user % 7 == 6 ? RS_NO_FEATURES : rs_features_count(features);
		if (user % 7 != 6)
			status = rs_features_append(ctx, features, row);
	}
	if (status == RS_OK)
		status = case_build(ctx, c, shift, &problem);
	if (status == RS_OK)
	{
		problem.features = features;
		problem.feature_row = feature_row;
		status = rs_train(ctx, &rs_mlp, options, &problem, &ids, model);
		rs_problem_free(ctx, &problem);
	}
	rs_features_free(ctx, features);
	return status;
}

static void
check_threads(const RsOptions *options, bool timed)
{
	static Case c;
	RsContext one = rs_context_malloc();
	RsModel a;

	case_random(&c, 40, 90, 700, timed, true, 5);
	CHECK(train_with_features(&one, &c, 0, options, &a) == RS_OK);
	CHECK(rs_model_check(&one, &a) == RS_OK && rs_mlp.n_features(&a) == WIDTH);
	CHECK(a.iterations == 3 && isfinite(a.loss) && a.n_epochs == 3);
	check_round_trip(&a);
	for (int threads = 2; threads <= 4; threads += 2)
	{
		RsContext more = rs_context_malloc();
		RsModel b;

		more.threads = threads;
		case_shuffle(&c, (uint64_t) threads);
		CHECK(train_with_features(&more, &c, 17, options, &b) == RS_OK);
		CHECK(same_models(&a, &b) && a.loss == b.loss);
		rs_model_free(&more, &b);
		CHECK(more.memory_used == 0);
	}
	rs_model_free(&one, &a);
	CHECK(one.memory_used == 0);
}

TEST(determinism)
{
	RsOptions options = small_options();

	check_threads(&options, false);
	set_option(&options, "history", 5);
	set_option(&options, "history_length", 4);
	set_option(&options, "dropout", 0.3);
	set_option(&options, "validation_fraction", 0.2);
	check_threads(&options, false);
	check_threads(&options, true);
	set_option(&options, "samples", 20);
	check_threads(&options, false);
}

/* Every allocation may fail, every poll may stop: a clean error, nothing left. */
static void
check_failures_with(const RsOptions *options, int threads)
{
	static Case c;
	UnitHeap heap;
	RsModel model;
	long n;

	case_random(&c, 12, 50, 150, false, true, 7);
	for (int canceling = 0; canceling <= 1; canceling++)
	{
		/* every allocation, but only some of the many polls */
		for (n = 1; n < 100000; n += canceling ? 1 + n / 16 : 1)
		{
			RsContext *ctx = unit_heap(&heap, canceling ? 0 : n, canceling ? n : 0);
			RsStatus status;

			ctx->threads = threads;
			status = train_with_features(ctx, &c, 0, options, &model);
			if (status == RS_OK)
				rs_model_free(ctx, &model);
			CHECK(heap.live == 0 && ctx->memory_used == 0);
			if (!heap.failed && !heap.canceled)
				break;
			CHECK(status == (canceling ? RS_ERR_CANCELED : RS_ERR_NOMEM));
		}
		CHECK(n > 10 && n < 100000);
	}
}

TEST(failures)
{
	RsOptions options = small_options();

	set_option(&options, "history", 5);
	set_option(&options, "samples", 20);
	set_option(&options, "validation_fraction", 0.2);
	set_option(&options, "patience", 1);
	set_option(&options, "epochs", 1);
	check_failures_with(&options, 1);
	check_failures_with(&options, 2);
}

/* Features that tell the item: everything is learned, each answer is right. */
TEST(overfits)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;
	Bytes kept = {0, NULL};
	RsServing *serving;
	RsScratch *scratch;

	c = (Case){.n_users = 6, .n_items = 6, .n = 6};
	for (uint32_t i = 0; i < 6; i++)
	{
		c.user[i] = i;
		c.item[i] = (i * 5 + 2) % 6;
		c.weight[i] = 1;
	}
	set_option(&options, "epochs", 400);
	set_option(&options, "learning_rate", 0.02);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	CHECK(model.loss < 0.01);
	CHECK(model.epochs[0].loss > 1 && model.epochs[0].loss < 3);
	kept.data = malloc(rs_model_size(&model));
	CHECK(rs_model_write(&ctx, &model, keep_bytes, &kept) == RS_OK);
	serving = rs_serving_open(&ctx, rs_algorithms(), kept.data, kept.n);
	CHECK(serving != NULL);
	scratch = rs_scratch_create(&ctx, serving);
	for (uint32_t user = 0; user < 6; user++)
	{
		uint64_t state = user;
		float row[WIDTH];
		RsHistory history = {.features = row, .n_features = WIDTH};
		RsHit hits[6];
		uint32_t n;

		for (int j = 0; j < WIDTH; j++)
			row[j] = (float) unit_normal(&state);
		CHECK(rs_serving_recommend(&ctx, serving, scratch, &history, NULL, 6, hits, &n) == RS_OK &&
			  n == 6);
		CHECK(hits[0].item == c.item[user]);
		history.n_features = 5;
		CHECK(rs_serving_recommend(&ctx, serving, scratch, &history, NULL, 6, hits, &n) ==
			  RS_ERR_PARAM);
		CHECK_STR(ctx.message, "the model takes 6 features, not 5");
	}
	rs_scratch_free(&ctx, scratch);
	rs_serving_close(&ctx, serving);
	rs_model_free(&ctx, &model);
	free(kept.data);
	CHECK(ctx.memory_used == 0);
}

/* Who did one thing of a pair gets the other: of history alone. */
TEST(history_alone)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;
	float out[10];

	c = (Case){.n_users = 40, .n_items = 8, .n = 80};
	for (uint32_t i = 0; i < 80; i++)
	{
		c.user[i] = i / 2;
		c.item[i] = i / 2 % 4 * 2 + i % 2;
		c.weight[i] = 1;
	}
	set_option(&options, "history", 8);
	set_option(&options, "epochs", 200);
	set_option(&options, "learning_rate", 0.01);
	CHECK(case_train(&ctx, &c, 0, &rs_mlp, &options, &model) == RS_OK);
	CHECK(rs_mlp.n_features(&model) == 0);
	for (uint32_t item = 0; item < 8; item++)
	{
		/* the same twice, and one that is taken back, are one thing done */
		uint32_t items[4] = {item, (item + 3) % 8, item, (item + 3) % 8};
		float weights[4] = {1, 2, 1, -2};
		RsHistory history = {.n = 4, .item = items, .weight = weights};
		RsFactors factors = rs_model_factors(&model);
		uint32_t best = 0;
		double scores[8] = {0};

		memset(out, 0, sizeof(out));
		CHECK(rs_mlp.query(&ctx, &model, &history, out) == RS_OK);
		CHECK(factors.dim == 10 && out[9] == 1);
		for (uint32_t i = 0; i < 8; i++)
		{
			for (uint32_t j = 0; j < 10; j++)
				scores[i] += (double) rs_factors_row(&factors, i)[j] * out[j];
			best = scores[i] > scores[best] ? i : best;
		}
		CHECK(best == (item ^ 1));
	}
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
}

/* The item of the highest score for a history. */
static uint32_t
best_item(const RsModel *model, const uint32_t *items, const float *weights, uint32_t n)
{
	RsContext ctx = rs_context_malloc();
	RsHistory history = {.n = n, .item = items, .weight = weights};
	float scores[100];
	uint32_t best = 0;

	CHECK(rs_score_all(&ctx, model, &history, scores) == RS_OK);
	for (uint32_t i = 0; i < model->ids.n; i++)
		best = scores[i] > scores[best] ? i : best;
	return best;
}

/* Of events in order a query sees what training saw: the last, repeats included. */
TEST(last_events)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;
	Bytes kept = {0, NULL};
	RsModel read;

	/* everybody goes round and round: what comes next depends on the last alone */
	c = (Case){.n_users = 24, .n_items = 12, .n = 24 * 40, .timed = true};
	for (uint32_t i = 0; i < c.n; i++)
	{
		c.user[i] = i % 24;
		c.time[i] = i / 24;
		c.item[i] = (i % 24 + i / 24 * 5) % 12;
		c.weight[i] = 1;
	}
	set_option(&options, "history", 8);
	set_option(&options, "history_length", 1);
	set_option(&options, "epochs", 60);
	set_option(&options, "learning_rate", 0.02);
	CHECK(case_train(&ctx, &c, 0, &rs_mlp, &options, &model) == RS_OK);
	kept.data = malloc(rs_model_size(&model));
	CHECK(rs_model_write(&ctx, &model, keep_bytes, &kept) == RS_OK);
	CHECK(rs_model_read(&ctx, rs_algorithms(), kept.data, kept.n, &read) == RS_OK);
	for (uint32_t first = 0; first < 12; first++)
	{
		uint32_t items[41];
		float weights[41];
		uint32_t n = 30 + first;

		for (uint32_t i = 0; i < n; i++)
		{
			items[i] = (first + i * 5) % 12;
			weights[i] = 1;
		}
		CHECK(best_item(&model, items, weights, n) == (items[n - 1] + 5) % 12);
		CHECK(best_item(&read, items, weights, n) == (items[n - 1] + 5) % 12);
	}
	rs_model_free(&ctx, &read);
	rs_model_free(&ctx, &model);
	/* two events are seen: their mean, a repeat twice, what was taken back not at all */
	set_option(&options, "history_length", 3);
	set_option(&options, "epochs", 1);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", NULL, 0) == RS_OK);
	CHECK(case_train(&ctx, &c, 0, &rs_mlp, &options, &model) == RS_OK);
	{
		uint32_t items[] = {1, 2, 3, 4, 4};
		float weights[] = {1, 1, 1, 1, 1};
		RsHistory history = {.n = 5, .item = items, .weight = weights};
		const float *e = rs_model_tensor(&model, "history.weight")->data;
		float out[9];

		CHECK(rs_mlp.query(&ctx, &model, &history, memset(out, 0, sizeof(out))) == RS_OK);
		for (int j = 0; j < 8; j++)
			CHECK_NEAR(out[j], (e[3 * 8 + j] + 2 * e[4 * 8 + j]) / 3, 1e-6);
		weights[2] = -1;
		CHECK(rs_mlp.query(&ctx, &model, &history, memset(out, 0, sizeof(out))) == RS_OK);
		for (int j = 0; j < 8; j++)
			CHECK_NEAR(out[j], e[4 * 8 + j], 1e-6);
		/* nothing that counts: popularity says it better */
		weights[3] = weights[4] = 0;
		CHECK(rs_mlp.query(&ctx, &model, &history, memset(out, 0, sizeof(out))) == RS_OK);
		for (int j = 0; j < 9; j++)
			CHECK(out[j] == 0);
	}
	rs_model_free(&ctx, &model);
	free(kept.data);
	CHECK(ctx.memory_used == 0);
}

/* Without times it sees each item once: an example's some are drawn from all of them. */
TEST(all_of_a_history)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;
	uint32_t items[13];
	float weights[13];
	RsHistory history = {.n = 13, .item = items, .weight = weights};
	const float *e;
	float out[9] = {0};

	case_random(&c, 30, 40, 600, false, false, 3);
	set_option(&options, "history", 8);
	set_option(&options, "history_length", 4);
	set_option(&options, "epochs", 1);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", NULL, 0) == RS_OK);
	CHECK(case_train(&ctx, &c, 0, &rs_mlp, &options, &model) == RS_OK);
	for (uint32_t i = 0; i < 13; i++)
	{
		items[i] = 35 - 3 * (i % 12); /* in any order, one of them twice */
		weights[i] = 1;
	}
	CHECK(rs_mlp.query(&ctx, &model, &history, out) == RS_OK);
	e = rs_model_tensor(&model, "history.weight")->data;
	for (uint32_t j = 0; j < 8; j++)
	{
		double sum = 0;

		for (int i = 0; i < 12; i++)
			sum += e[items[i] * 8 + j];
		CHECK_NEAR(out[j], sum / 12, 1e-6);
	}
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
}

/* Sampled softmax, corrected, comes to nearly the same as the exact one. */
TEST(sampled_is_like_exact)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;
	double hit_rate[3];

	c = (Case){.n_users = 2000, .n_items = 100, .n = 2000};
	for (uint32_t i = 0; i < 2000; i++)
	{
		uint64_t state = i;

		c.user[i] = i;
		c.item[i] = (uint32_t) (unit_normal(&state) > 0 ? 50 : 0) + i % 50 * (i % 3) / 2;
		c.weight[i] = 1;
	}
	set_option(&options, "epochs", 15);
	set_option(&options, "validation_fraction", 0.2);
	set_option(&options, "learning_rate", 0.01);
	for (int kind = 0; kind < 3; kind++)
	{
		set_option(&options, "samples", kind > 0 ? 20 : 0);
		if (kind == 2)
			CHECK(rs_options_set(&ctx, &options, "sampler", RS_OPTION_ENUM, 0, "uniform") == RS_OK);
		CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
		hit_rate[kind] = model.epochs[14].validation_hit_rate;
		rs_model_free(&ctx, &model);
	}
	CHECK(hit_rate[0] > 0.4);
	CHECK_NEAR(hit_rate[1], hit_rate[0], 0.08);
	CHECK_NEAR(hit_rate[2], hit_rate[0], 0.08);
	CHECK(ctx.memory_used == 0);
}

/* The validation loss rises in the end: training stops, the best weights stay. */
TEST(patience)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model, again;
	int best = 0;

	case_random(&c, 60, 20, 200, false, false, 9);
	set_option(&options, "epochs", 500);
	set_option(&options, "learning_rate", 0.02);
	set_option(&options, "validation_fraction", 0.3);
	set_option(&options, "patience", 4);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	for (int i = 1; i < model.n_epochs; i++)
		if (model.epochs[i].validation_loss < model.epochs[best].validation_loss)
			best = i;
	CHECK(model.n_epochs == model.iterations && model.iterations < 100);
	CHECK(model.n_epochs == best + 1 + 4);
	CHECK(model.loss == model.epochs[best].loss);
	set_option(&options, "patience", 0);
	set_option(&options, "epochs", best + 1);
	CHECK(train_with_features(&ctx, &c, 0, &options, &again) == RS_OK);
	CHECK(same_models(&model, &again));
	rs_model_free(&ctx, &model);
	rs_model_free(&ctx, &again);
	set_option(&options, "validation_fraction", 0);
	set_option(&options, "patience", 4);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_ERR_PARAM);
	/* one example, which nothing can be held out of: nothing is measured to lose
	 * patience with */
	c = (Case){.n_users = 1, .n_items = 1, .n = 1, .weight = {1}};
	set_option(&options, "validation_fraction", 0.3);
	set_option(&options, "patience", 1);
	set_option(&options, "epochs", 5);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	CHECK(model.iterations == 5);
	rs_model_free(&ctx, &model);
	CHECK(ctx.memory_used == 0);
}

TEST(bad_input)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;

	/* one class only: it is certain from the start */
	c = (Case){.n_users = 3, .n_items = 1, .n = 3};
	for (uint32_t i = 0; i < 3; i++)
	{
		c.user[i] = i;
		c.weight[i] = 1;
	}
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	CHECK_NEAR(model.loss, 0, 1e-6);
	rs_model_free(&ctx, &model);
	/* a batch larger than all there is, dropout, and huge weights */
	case_random(&c, 9, 8, 30, false, false, 3);
	for (uint32_t i = 0; i < c.n; i++)
		c.weight[i] = 3e38f;
	set_option(&options, "batch_size", 65536);
	set_option(&options, "dropout", 0.9);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	CHECK(isfinite(model.loss));
	rs_model_free(&ctx, &model);
	/* steps far too long */
	set_option(&options, "dropout", 0);
	set_option(&options, "batch_size", 4);
	set_option(&options, "learning_rate", 1e6);
	set_option(&options, "epochs", 1000);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_ERR_DIVERGED);
	CHECK(strncmp(ctx.message, "training diverged in epoch ", 27) == 0);
	CHECK(strstr(ctx.hint, "learning_rate") != NULL);
	/* room is made for what there is, not for what the options would allow */
	options = small_options();
	set_option(&options, "batch_size", 65536);
	set_option(&options, "history", 8);
	set_option(&options, "history_length", 10000);
	ctx.memory_limit = 2000000;
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	rs_model_free(&ctx, &model);
	ctx.memory_limit = 0;
	/* wider than a model may be */
	CHECK(rs_features_create(&ctx, RS_MAX_FEATURES + 1) == NULL && ctx.status == RS_ERR_PARAM);
	CHECK_STR(ctx.message, "a row of features has 65537 numbers, more than 65536");
	CHECK(strstr(ctx.hint, "hash") != NULL);
	/* nothing liked; nothing to learn from; no room */
	options = small_options();
	for (uint32_t i = 0; i < c.n; i++)
		c.weight[i] = -1;
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_ERR_EMPTY);
	CHECK(case_train(&ctx, &c, 0, &rs_mlp, &options, &model) == RS_ERR_PARAM);
	for (uint32_t i = 0; i < c.n; i++)
		c.weight[i] = 1;
	ctx.memory_limit = 200000;
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_ERR_LIMIT);
	CHECK(ctx.memory_used == 0);
}

/* Tensors that are missing, unknown or of another shape than the options say. */
TEST(strict_check)
{
	static Case c;
	RsContext ctx = rs_context_malloc();
	RsOptions options = small_options();
	RsModel model;
	static const uint8_t encoder[3] = {1, 2, 3};

	case_random(&c, 9, 8, 30, false, false, 3);
	set_option(&options, "history", 4);
	CHECK(train_with_features(&ctx, &c, 0, &options, &model) == RS_OK);
	CHECK(model.n_tensors == 11 && rs_model_check(&ctx, &model) == RS_OK);
	for (int i = 0; i < model.n_tensors; i++)
	{
		RsTensor kept = model.tensors[i];

		model.tensors[i].name = "other";
		CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
		model.tensors[i] = kept;
		model.tensors[i].shape[0]++;
		CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
		model.tensors[i] = kept;
		model.tensors[i].dims = 3 - kept.dims;
		CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
		model.tensors[i] = kept;
	}
	CHECK(rs_model_add(&ctx, &model, "more", RS_U8, 1, 3, 1, encoder, false) == RS_OK);
	CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
	rs_model_free(&ctx, &model);
}

/* --- how long it may be deaf --- */

/* CPU seconds of this thread; other processes do not count. */
static double
cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

/* Aim is half a second; a checker of races makes every access some ten times as slow. */
#if defined(__SANITIZE_THREAD__)
#define POLL_WITHIN 5.0
#else
#define POLL_WITHIN 0.5
#endif

typedef struct Watch
{
	double last;  /* poll */
	double worst; /* between two */
	double stop;  /* from then on polls say stop */
} Watch;

static bool
watch_poll(void *opaque)
{
	Watch *watch = opaque;
	double now = cpu_seconds();

	watch->worst = fmax(watch->worst, now - watch->last);
	watch->last = now;
	return now > watch->stop;
}

/* Train on so many events of so many users, in order, each with the same width
 * features, for about a second and a half; then cancel. */
static void
check_polls(const char *what, uint32_t users, uint32_t items, uint32_t n, uint32_t width,
			const RsOptions *options)
{
	RsContext ctx = rs_context_malloc();
	RsEvents *events = rs_events_create(&ctx, true);
	RsFeatures *features = rs_features_create(&ctx, width);
	uint32_t *rank = malloc(sizeof(uint32_t) * (users > items ? users : items));
	uint32_t *feature_row = calloc(users, sizeof(uint32_t));
	int64_t *bigints = malloc(sizeof(int64_t) * items);
	float *row = malloc(sizeof(float) * (width + 1));
	RsIds ids = {.type = RS_ID_BIGINT, .n = items, .bigints = bigints};
	Watch watch = {0};
	RsProblem problem;
	RsModel model;
	RsStatus status;

	for (uint32_t i = 0; i < users || i < items; i++)
		rank[i] = i;
	for (uint32_t i = 0; i < items; i++)
		bigints[i] = i;
	for (uint32_t j = 0; j < width; j++)
		row[j] = (float) (j % 7) * 0.1f;
	if (width > 0)
		CHECK(rs_features_append(&ctx, features, row) == RS_OK);
	for (uint32_t i = 0; i < n; i++)
		CHECK(rs_events_append(&ctx, events, i % users, (uint32_t) (i * 7919ul % items), 1, i) ==
			  RS_OK);
	CHECK(rs_problem_build(&ctx, events, RS_SEQUENCES, rank, users, rank, items, &problem) ==
		  RS_OK);
	problem.features = width > 0 ? features : NULL;
	problem.feature_row = feature_row;
	ctx.interrupted = watch_poll;
	ctx.opaque = &watch;
	watch.last = cpu_seconds();
	watch.stop = watch.last + 1.5;
	status = rs_train(&ctx, &rs_mlp, options, &problem, &ids, &model);
	(void) watch_poll(&watch);
	if (status == RS_OK)
		rs_model_free(&ctx, &model);
	CHECK(status == RS_OK || status == RS_ERR_CANCELED);
	CHECK(watch.worst < POLL_WITHIN);
	if (watch.worst >= POLL_WITHIN)
		printf("%s: %.2f s without a look\n", what, watch.worst);
	rs_problem_free(&ctx, &problem);
	rs_features_free(&ctx, features);
	free(rank);
	free(feature_row);
	free(bigints);
	free(row);
	CHECK(ctx.memory_used == 0);
}

TEST(polls)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;

	rs_options_default(&options, rs_mlp.options);
	set_option(&options, "batch_size", 32768);
	check_polls("a large batch over many items", 40000, 30000, 40000, 8, &options);
	set_option(&options, "samples", 14000);
	check_polls("the same, sampled", 40000, 30000, 40000, 8, &options);
	set_option(&options, "samples", 0);
	set_option(&options, "batch_size", 64);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", (const double[]){2048}, 1) == RS_OK);
	check_polls("a wide input", 100, 50, 100, 20000, &options);
	set_option(&options, "batch_size", 16384);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", (const double[]){32}, 1) == RS_OK);
	check_polls("gradients of a large batch", 16384, 50, 16384, 8000, &options);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", NULL, 0) == RS_OK);
	set_option(&options, "batch_size", 256);
	set_option(&options, "history", 1024);
	set_option(&options, "history_length", 10000);
	check_polls("long histories", 1, 20000, 20000, 0, &options);
}

UNIT_MAIN(determinism, failures, overfits, history_alone, last_events, all_of_a_history,
		  sampled_is_like_exact, patience, bad_input, strict_check, polls)
