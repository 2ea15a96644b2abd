/*
 * sequence.c
 *		What follows what: an item-item model of ordered histories.
 *
 *		S_ij = sum over pairs (i earlier, j later in one history) of
 *		       w_i w_j exp(-(gap - 1) / tau)   / (d_i^a d_j^b)
 *
 * gap in positions, tau = decay; a pair the other way round counts `backward`
 * times as much; d = effective number of an item's events (rs_rows_effective); a, b = source_exponent, target_exponent.  A query
 * adds the rows of a history, each times its weight and exp(-age / tau_q), age in
 * positions from the last event, tau_q = query_decay.  An item-based Markov model
 * with decay, in the line of Garcin et al. 2013 and Ludewig & Jannach 2018
 * (sequential rules).  A negative weight lowers what follows an item.
 *
 * S_ii, how likely an item comes again, is learnt with `repeats` alone: it says
 * nothing to a list without the items of the history.
 *
 * Pairs whose factor is below 0.001 are left out.
 */
#include "core/algorithms/item_rows.h"
#include "core/algorithms/item_rows_build.h"
#include "core/base/threads.h"

#include <math.h>
#include <string.h>

#define SMALLEST_FACTOR 1e-3
#define LARGEST_WINDOW 1024

enum
{
	DECAY,
	SOURCE_EXPONENT,
	TARGET_EXPONENT,
	QUERY_DECAY,
	BACKWARD,
	NEIGHBORS,
	REPEATS
};

static const RsOption options[] = {
	{"decay", RS_OPTION_REAL, 10, 0.1, 100, NULL,
	 "Positions after which a pair of events counts 1/e as much as neighbours do."},
	{"source_exponent", RS_OPTION_REAL, 0.5, 0, 2, NULL,
	 "How much frequent items of the history count less."},
	{"target_exponent", RS_OPTION_REAL, 0.2, 0, 2, NULL,
	 "How much frequent items are recommended less."},
	{"query_decay", RS_OPTION_REAL, 3, 0.01, 1e9, NULL,
	 "Positions after which an event of the history counts 1/e as much as the last one does."},
	{"backward", RS_OPTION_REAL, 0.5, 0, 1, NULL,
	 "What a pair counts against its order, as a share of what it counts in order."},
	{"neighbors", RS_OPTION_INT, 200, 0, RS_MAX_ITEMS, NULL,
	 "Strongest followers kept of each item, 0 for all."},
	{"repeats", RS_OPTION_BOOL, 0, 0, 1, NULL,
	 "Learn how an item follows itself, for lists that may repeat what the history has."},
	{.name = NULL},
};

typedef struct SequenceFit
{
	const RsProblem *problem;
	const RsRows *events; /* its sequences */
	uint64_t *start;      /* [n_items + 1] into at and user */
	uint64_t *at;         /* [n_events] positions of the item's events */
	uint32_t *user;       /* [n_events] whose they are */
	double *source_scale; /* [n_items] d^-a */
	double *target_scale; /* [n_items] d^-b */
	float forward[LARGEST_WINDOW];
	float backward[LARGEST_WINDOW];
	uint64_t window;
	bool repeats; /* an item follows itself, too */
} SequenceFit;

/* All followers of one item. */
static void
source_row(void *arg, uint32_t item, RsRowScratch *row, int thread)
{
	const SequenceFit *fit = arg;
	const uint32_t *other = fit->events->index;
	const float *weight = fit->events->weight;
	uint64_t done = 0;
	uint64_t i;
	uint32_t k;

	(void) thread;
	for (i = fit->start[item]; i < fit->start[item + 1]; i++)
	{
		uint64_t at = fit->at[i];
		uint64_t begin = fit->events->start[fit->user[i]];
		uint64_t end = fit->events->start[fit->user[i] + 1];
		uint64_t ahead = end - at - 1 < fit->window ? end - at - 1 : fit->window;
		uint64_t behind = at - begin < fit->window ? at - begin : fit->window;
		uint64_t gap;

		for (gap = 1; gap <= ahead; gap++)
			if (fit->repeats || other[at + gap] != item)
				rs_row_add(row, other[at + gap],
						   weight[at] * weight[at + gap] * fit->forward[gap - 1]);
		for (gap = 1; gap <= behind; gap++)
			if (fit->repeats || other[at - gap] != item)
				rs_row_add(row, other[at - gap],
						   weight[at] * weight[at - gap] * fit->backward[gap - 1]);
		if (rs_loop_worked(&done, ahead + behind))
			return;
	}
	for (k = 0; k < row->n; k++)
	{
		uint32_t target = row->touched[k];

		row->sum[target] =
			(float) (row->sum[target] * fit->source_scale[item] * fit->target_scale[target]);
	}
}

/* Where each item's events are; and the scales. */
static RsStatus
index_events(RsContext *ctx, SequenceFit *fit, const double *option)
{
	const RsRows *events = fit->events;
	uint32_t n_items = fit->problem->n_items;
	uint64_t i;
	uint32_t user;

	for (i = 0; i < rs_rows_count(events); i++)
	{
		if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		fit->start[events->index[i]]++;
		fit->source_scale[events->index[i]] += fabs((double) events->weight[i]);
		fit->target_scale[events->index[i]] += (double) events->weight[i] * events->weight[i];
	}
	rs_counts_to_starts(fit->start, n_items);
	for (user = 0; user < events->n; user++)
	{
		for (i = events->start[user]; i < events->start[user + 1]; i++)
		{
			uint64_t to = fit->start[events->index[i]]++;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			fit->at[to] = i;
			fit->user[to] = user;
		}
	}
	rs_restore_starts(fit->start, n_items);
	for (i = 0; i < n_items; i++)
	{
		double count = rs_effective_count(fit->source_scale[i], fit->target_scale[i]);

		fit->source_scale[i] = count > 0 ? pow(count, -option[SOURCE_EXPONENT]) : 0;
		fit->target_scale[i] = count > 0 ? pow(count, -option[TARGET_EXPONENT]) : 0;
	}
	return RS_OK;
}

static RsStatus
fit_sequences(RsContext *ctx, SequenceFit *fit, RsModel *model)
{
	const RsProblem *problem = fit->problem;
	const double *option = model->options.value;
	RsRowPlan plan = {.n_items = problem->n_items,
					  .neighbors = (uint32_t) option[NEIGHBORS],
					  .by_target = false,
					  .own = option[REPEATS] != 0,
					  .phase = "counting followers",
					  .body = source_row,
					  .arg = fit};
	RsStatus status;

	fit->repeats = plan.own;
	for (fit->window = 0; fit->window < LARGEST_WINDOW; fit->window++)
	{
		double factor = exp(-(double) fit->window / option[DECAY]);

		if (factor < SMALLEST_FACTOR)
			break;
		fit->forward[fit->window] = (float) factor;
		fit->backward[fit->window] = (float) (factor * option[BACKWARD]);
	}
	if ((fit->start = rs_calloc(ctx, (size_t) problem->n_items + 1, sizeof(uint64_t))) == NULL ||
		(fit->source_scale = rs_calloc(ctx, problem->n_items, sizeof(double))) == NULL ||
		(fit->target_scale = rs_calloc(ctx, problem->n_items, sizeof(double))) == NULL ||
		(fit->at = rs_alloc(ctx, problem->n_events * sizeof(uint64_t))) == NULL ||
		(fit->user = rs_alloc(ctx, problem->n_events * sizeof(uint32_t))) == NULL)
		return ctx->status;
	status = index_events(ctx, fit, option);
	if (status == RS_OK)
		status = rs_item_rows_build(ctx, &plan, model);
	return status;
}

static RsStatus
train(RsContext *ctx, const RsProblem *problem, RsModel *model)
{
	SequenceFit *fit = rs_calloc(ctx, 1, sizeof(SequenceFit));
	RsStatus status;

	if (fit == NULL)
		return ctx->status;
	fit->problem = problem;
	fit->events = &problem->sequences;
	status = fit_sequences(ctx, fit, model);
	rs_free(ctx, fit->start);
	rs_free(ctx, fit->source_scale);
	rs_free(ctx, fit->target_scale);
	rs_free(ctx, fit->at);
	rs_free(ctx, fit->user);
	rs_free(ctx, fit);
	if (status == RS_OK)
		model->iterations = 1;
	return status;
}

/* What an entry of the history counts. */
static float
scale_of(const RsModel *model, const RsHistory *history, uint32_t i)
{
	double recency = exp(-(double) (history->n - 1 - i) / model->options.value[QUERY_DECAY]);

	return (float) (history->weight[i] * recency);
}

static RsStatus
score(RsContext *ctx, const RsModel *model, const RsHistory *history, RsScores *scores)
{
	RsItemRows rows = rs_item_rows(model);

	rs_item_rows_prepare(&rows, history, scores);
	for (uint32_t i = 0; i < history->n; i++)
	{
		float scale = scale_of(model, history, i);

		if (i % 32 == 31 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		if (scale != 0)
			rs_item_rows_add(&rows, history->item[i], scale, scores);
	}
	return RS_OK;
}

static RsStatus
explain(RsContext *ctx, const RsModel *model, const RsHistory *history, uint32_t item,
		RsExplanation *out)
{
	RsItemRows rows = rs_item_rows(model);

	(void) ctx;
	for (uint32_t i = 0; i < history->n; i++)
		out->events[i] =
			scale_of(model, history, i) * rs_item_rows_weight(&rows, history->item[i], item);
	return RS_OK;
}

const RsAlgorithm rs_sequence = {
	.name = "sequence",
	.flags = RS_SEQUENCES | RS_HISTORY,
	.kind = RS_QUERY_SCORES,
	.options = options,
	.train = train,
	.tensors = rs_item_rows_tensors,
	.check = rs_item_rows_check,
	.score = score,
	.explain = explain,
	.row = rs_item_rows_row,
};
