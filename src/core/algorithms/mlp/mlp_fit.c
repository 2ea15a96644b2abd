/*
 * mlp_fit.c
 *		Epochs over the examples of a problem, in batches.
 *
 * Every event of positive weight is an example: its user's features, and the mean
 * of what else the user did, are to give its item a high score.  The order of the
 * examples is drawn anew for each epoch from the seed and the epoch's number.
 */
#include "core/algorithms/mlp/mlp_fit.h"

#include <math.h>
#include <string.h>

#include "core/base/random.h"

#define POLL_EVERY 65536 /* examples between two questions for cancel */

#define FLOATS_AT_ONCE ((size_t) 1 << 22)

#define LOST 1000.0 /* times the loss of guessing: no way back from there */

typedef struct Fit
{
	const RsProblem *problem;
	const RsMlpRun *run;
	RsMlpNet *net;
	RsMlpStep *step;
	RsModel *model;
	const uint64_t *start; /* of each user's events */
	const uint32_t *item;
	const float *weight;
	bool timed;
	uint32_t *owner; /* [events] user of each */
	uint32_t *order; /* [n] events of positive weight: to learn from, then held out */
	uint32_t n;
	uint32_t n_held;
	double scale; /* brings the mean weight to 1 */
	RsMlpExample *batch;
	RsEpoch *epochs;
	float *best[RS_MLP_ARRAYS]; /* weights of the best epoch so far */
	double best_loss;
	int best_epoch;
} Fit;

/* The events to learn from, and whose they are. */
static RsStatus
list_examples(RsContext *ctx, Fit *fit)
{
	const RsProblem *problem = fit->problem;
	uint64_t events = fit->start[problem->n_users];
	double sum = 0;

	if (events >= UINT32_MAX)
		return rs_fail(ctx, RS_ERR_LIMIT, "too many events: %llu", (unsigned long long) events);
	fit->owner = rs_alloc(ctx, events * sizeof(uint32_t));
	if (fit->owner == NULL)
		return ctx->status;
	fit->order = rs_alloc(ctx, events * sizeof(uint32_t));
	if (fit->order == NULL)
		return ctx->status;
	for (uint32_t user = 0; user < problem->n_users; user++)
	{
		for (uint64_t i = fit->start[user]; i < fit->start[user + 1]; i++)
		{
			if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			fit->owner[i] = user;
			if (!(fit->weight[i] > 0))
				continue;
			fit->order[fit->n++] = (uint32_t) i;
			sum += fit->weight[i];
		}
	}
	if (fit->n == 0)
	{
		rs_fail(ctx, RS_ERR_EMPTY, "no events to train on");
		rs_detail(ctx, "None has a positive weight.");
		return RS_ERR_EMPTY;
	}
	fit->scale = fit->n / sum;
	return RS_OK;
}

/* Fisher and Yates' shuffle of the first n. */
static RsStatus
shuffle(RsContext *ctx, Fit *fit, uint32_t n, uint64_t epoch)
{
	for (uint32_t i = n; i > 1; i--)
	{
		uint64_t bits = rs_random(fit->run->seed ^ 0x9ddfea08u, epoch, i);
		uint32_t j = (uint32_t) (((bits >> 32) * i) >> 32);
		uint32_t kept = fit->order[i - 1];

		if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		fit->order[i - 1] = fit->order[j];
		fit->order[j] = kept;
	}
	return RS_OK;
}

static void
make_example(const Fit *fit, uint32_t event, RsMlpExample *example)
{
	const RsProblem *problem = fit->problem;
	uint32_t user = fit->owner[event];
	uint64_t from = fit->start[user];
	uint64_t to = fit->start[user + 1];
	uint64_t most = fit->step->set.history_length;

	/* of ordered events only what was before is known, and the last of it */
	if (fit->timed)
	{
		from = event - from > most ? event - most : from;
		to = event;
	}
	example->features = NULL;
	if (problem->features != NULL && problem->feature_row[user] != RS_NO_FEATURES)
		example->features = rs_features_row(problem->features, problem->feature_row[user]);
	example->history = fit->item + from;
	example->weights = fit->weight + from;
	example->n_history = (uint32_t) (to - from);
	example->left_out = (uint32_t) (event - from);
	example->target = fit->item[event];
	example->weight = (float) (fit->weight[event] * fit->scale);
	example->key = event;
}

/* Examples [begin, begin + n) of the order into fit->batch. */
static void
fill_batch(Fit *fit, uint32_t begin, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		make_example(fit, fit->order[begin + i], &fit->batch[i]);
}

static RsStatus
diverged(RsContext *ctx, int epoch)
{
	rs_fail(ctx, RS_ERR_DIVERGED, "training diverged in epoch %d", epoch);
	rs_hint(ctx, "Lower learning_rate, or bring the features to a like scale.");
	return RS_ERR_DIVERGED;
}

static RsStatus
learn_epoch(RsContext *ctx, Fit *fit, int epoch)
{
	uint32_t n = fit->n - fit->n_held;
	uint32_t batch = fit->step->set.batch;
	double sum = 0;

	if (shuffle(ctx, fit, n, (uint64_t) epoch) != RS_OK)
		return ctx->status;
	fit->step->pass.salt = rs_random(fit->run->seed, 0x68697374u, (uint64_t) epoch);
	for (uint32_t begin = 0; begin < n; begin += batch)
	{
		uint32_t size = n - begin < batch ? n - begin : batch;
		double loss = 0;

		fill_batch(fit, begin, size);
		if (rs_mlp_learn(ctx, fit->step, fit->batch, size, &loss) != RS_OK)
			return ctx->status;
		if (!isfinite(loss))
			return diverged(ctx, epoch);
		sum += loss;
	}
	fit->epochs[epoch - 1].loss = sum / n;
	/* guessing has a loss of ln(items): Adam's steps are of one length, so that it
	 * rather runs away than overflows */
	if (sum / n > LOST * (1 + log(fit->net->shape.items)))
		return diverged(ctx, epoch);
	return RS_OK;
}

static RsStatus
measure_epoch(RsContext *ctx, Fit *fit, int epoch)
{
	uint32_t batch = fit->step->set.batch;
	RsEpoch *log = &fit->epochs[epoch - 1];
	double sum = 0;
	double hits = 0;

	log->validation_loss = log->validation_hit_rate = NAN;
	if (fit->n_held == 0)
		return RS_OK;
	if (fit->step->pass.sample != NULL && rs_mlp_net_pack(ctx, fit->net) != RS_OK)
		return ctx->status;
	fit->step->pass.salt = fit->run->seed;
	for (uint32_t begin = fit->n - fit->n_held; begin < fit->n; begin += batch)
	{
		uint32_t size = fit->n - begin < batch ? fit->n - begin : batch;
		double loss;
		uint32_t found;

		fill_batch(fit, begin, size);
		if (rs_mlp_measure(ctx, fit->step, fit->batch, size, &loss, &found) != RS_OK)
			return ctx->status;
		sum += loss;
		hits += found;
	}
	if (!isfinite(sum))
		return diverged(ctx, epoch);
	log->validation_loss = sum / fit->n_held;
	log->validation_hit_rate = hits / fit->n_held;
	return RS_OK;
}

/* --- the best epoch --- */

static RsStatus
create_best(RsContext *ctx, Fit *fit)
{
	fit->best_loss = INFINITY;
	for (int i = 0; fit->run->patience > 0 && i <= 2 * fit->net->layers; i++)
	{
		size_t n;

		(void) rs_mlp_net_array(fit->net, i, &n);
		if ((fit->best[i] = rs_alloc(ctx, n * sizeof(float))) == NULL)
			return ctx->status;
	}
	return RS_OK;
}

static RsStatus
copy_best(RsContext *ctx, Fit *fit, bool back)
{
	for (int i = 0; i <= 2 * fit->net->layers; i++)
	{
		size_t n;
		float *own = rs_mlp_net_array(fit->net, i, &n);

		for (size_t at = 0; at < n; at += FLOATS_AT_ONCE)
		{
			size_t bytes = (n - at < FLOATS_AT_ONCE ? n - at : FLOATS_AT_ONCE) * sizeof(float);

			if (rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			memcpy((back ? own : fit->best[i]) + at, (back ? fit->best[i] : own) + at, bytes);
		}
	}
	return RS_OK;
}

/* Keep the weights if they are the best; *enough: it has not become better for too
 * long. */
static RsStatus
look_back(RsContext *ctx, Fit *fit, int epoch, bool *enough)
{
	double loss = fit->epochs[epoch - 1].validation_loss;

	if (fit->run->patience == 0 || fit->n_held == 0)
		return RS_OK;
	if (loss < fit->best_loss)
	{
		fit->best_loss = loss;
		fit->best_epoch = epoch;
		if (copy_best(ctx, fit, false) != RS_OK)
			return ctx->status;
	}
	*enough = epoch - fit->best_epoch >= fit->run->patience;
	return RS_OK;
}

/* Bytes of strangers' models must be finite, ours too. */
static RsStatus
check_finite(RsContext *ctx, const RsMlpNet *net, int epoch)
{
	for (int i = 0; i <= 2 * net->layers; i++)
	{
		size_t n;
		const float *own = rs_mlp_net_array(net, i, &n);
		bool good = true;

		for (size_t at = 0; at < n; at += FLOATS_AT_ONCE)
		{
			size_t end = n - at < FLOATS_AT_ONCE ? n : at + FLOATS_AT_ONCE;

			if (rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			for (size_t j = at; j < end; j++)
				good &= fabsf(own[j]) < INFINITY;
		}
		if (!good)
			return diverged(ctx, epoch);
	}
	return RS_OK;
}

static RsStatus
run_epochs(RsContext *ctx, Fit *fit)
{
	int epochs = fit->run->epochs;
	int epoch = 0;
	bool enough = false;

	rs_report(ctx, "fitting", 0, epochs, NAN);
	while (epoch < epochs && !enough)
	{
		epoch++;
		if (learn_epoch(ctx, fit, epoch) != RS_OK || measure_epoch(ctx, fit, epoch) != RS_OK)
			return ctx->status;
		fit->model->iterations = fit->model->n_epochs = epoch;
		fit->model->loss = fit->epochs[epoch - 1].loss;
		rs_report(ctx, "fitting", epoch, epochs, fit->model->loss);
		if (look_back(ctx, fit, epoch, &enough) != RS_OK)
			return ctx->status;
	}
	if (fit->best_epoch > 0)
	{
		if (copy_best(ctx, fit, true) != RS_OK)
			return ctx->status;
		fit->model->loss = fit->epochs[fit->best_epoch - 1].loss;
	}
	return check_finite(ctx, fit->net, epoch);
}

/* What a fit needs beside the network. */
static RsStatus
prepare(RsContext *ctx, Fit *fit)
{
	if (list_examples(ctx, fit) != RS_OK)
		return ctx->status;
	if (fit->run->validation > 0 && fit->n > 1)
	{
		uint32_t most = fit->n - 1;
		double held = ceil(fit->run->validation * fit->n);

		fit->n_held = held < most ? (uint32_t) held : most;
	}
	fit->batch = rs_alloc(ctx, fit->step->set.batch * sizeof(RsMlpExample));
	if (fit->batch == NULL)
		return ctx->status;
	fit->epochs = rs_calloc(ctx, (size_t) fit->run->epochs, sizeof(RsEpoch));
	if (fit->epochs == NULL)
		return ctx->status;
	fit->model->owned[fit->model->n_owned++] = fit->epochs;
	fit->model->epochs = fit->epochs;
	if (create_best(ctx, fit) != RS_OK)
		return ctx->status;
	return shuffle(ctx, fit, fit->n, 0);
}

RsStatus
rs_mlp_fit(RsContext *ctx, const RsProblem *problem, const RsMlpRun *run, RsMlpNet *net,
		   RsMlpStep *step, RsModel *model)
{
	const RsRows *rows = rs_problem_histories(problem);
	Fit fit = {.problem = problem,
			   .run = run,
			   .net = net,
			   .step = step,
			   .model = model,
			   .timed = rows == &problem->sequences,
			   .start = rows->start,
			   .item = rows->index,
			   .weight = rows->weight};
	RsStatus status = prepare(ctx, &fit);

	if (status == RS_OK)
		status = run_epochs(ctx, &fit);
	rs_free(ctx, fit.owner);
	rs_free(ctx, fit.order);
	rs_free(ctx, fit.batch);
	for (size_t i = 0; i < sizeof(fit.best) / sizeof(fit.best[0]); i++)
		rs_free(ctx, fit.best[i]);
	return status;
}
