/*
 * problem.c
 *		Events in any order become sorted sparse rows.
 *
 * Cells: two stable counting sorts, first by item, then by user, leave each
 * user's row in the order of items; equal neighbours are summed in the order of
 * their weights, in double; a third counting sort turns the rows round.  Every
 * order that the input had is gone after that: what is left depends on the set
 * of events alone.
 *
 * Sequences: one counting sort by user, then each row is sorted by (time, item,
 * weight) in place: short rows in parallel, long ones by the main thread, which
 * polls.
 *
 * Blocks of events are freed as they are read for the last time, so the peak is
 * the events plus 8 bytes (cells) or 16 bytes (sequences) an event, and 16 bytes
 * an event later.
 */
#include "core/data/problem.h"

#include "core/base/cells.h"
#include "core/base/threads.h"
#include "core/base/sort.h"

#include <math.h>
#include <string.h>

#define LONG_ROW 16384 /* events */

/* --- cells --- */

typedef struct Cell
{
	uint32_t user;
	float weight;
} Cell;

static inline bool
float_less(const void *array, uint64_t a, uint64_t b)
{
	return ((const float *) array)[a] < ((const float *) array)[b];
}

static inline void
float_swap(void *array, uint64_t a, uint64_t b)
{
	float *values = array;
	float kept = values[a];

	values[a] = values[b];
	values[b] = kept;
}

/* Events to cells by item; frees the blocks as they are read. */
static RsStatus
scatter_by_item(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
				const uint32_t *item_rank, uint64_t *start, Cell *cell)
{
	const RsEventBlock *block;

	for (block = events->first; block != NULL; block = rs_events_drop_first(ctx, events))
	{
		for (uint64_t i = 0; i < block->used; i++)
		{
			const RsEvent *event = &block->event[i];
			Cell *to;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			to = &cell[start[item_rank[event->item]]++];
			to->user = user_rank[event->user];
			to->weight = event->weight;
		}
	}
	return RS_OK;
}

/* Cells by item to rows by user, items ascending. */
static RsStatus
scatter_by_user(RsContext *ctx, const RsRows *by_item, const Cell *cell, RsRows *by_user)
{
	for (uint32_t item = 0; item < by_item->n; item++)
	{
		for (uint64_t i = by_item->start[item]; i < by_item->start[item + 1]; i++)
		{
			uint64_t to = by_user->start[cell[i].user]++;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			by_user->index[to] = item;
			by_user->weight[to] = cell[i].weight;
		}
	}
	rs_restore_starts(by_user->start, by_user->n);
	return RS_OK;
}

/* Sum equal neighbours, drop zeros, close the gaps: all rows move to the left. */
static RsStatus
merge_duplicates(RsContext *ctx, RsRows *rows)
{
	uint64_t to = 0;
	uint64_t next_poll = 0;

	for (uint32_t row = 0; row < rows->n; row++)
	{
		uint64_t i = rows->start[row];
		uint64_t end = rows->start[row + 1];

		rows->start[row] = to;
		while (i < end)
		{
			uint32_t index = rows->index[i];
			uint64_t run = i + 1;
			float weight = rows->weight[i];

			while (run < end && rows->index[run] == index)
				run++;
			if (run - i > 1)
			{
				if (rs_sort_in_place(ctx, rows->weight + i, run - i, float_less, float_swap) !=
					RS_OK)
					return ctx->status;
				weight = rs_sum_weights(rows->weight + i, run - i);
			}
			i = run;
			if (weight != 0)
			{
				rows->index[to] = index;
				rows->weight[to++] = weight;
			}
			if (i >= next_poll)
			{
				if (rs_check_interrupt(ctx) != RS_OK)
					return ctx->status;
				next_poll = i + RS_POLL_EVENTS;
			}
		}
	}
	rows->start[rows->n] = to;
	return RS_OK;
}

/* Move an array to a smaller place where that gives back a good part of it. */
static void *
shrink(RsContext *ctx, void *array, uint64_t from, uint64_t to)
{
	void *smaller;

	if (from - to < from / 4)
		return array;
	smaller = rs_alloc(ctx, to * sizeof(uint32_t));
	if (smaller == NULL)
		return array; /* it was only to save memory */
	memcpy(smaller, array, to * sizeof(uint32_t));
	rs_free(ctx, array);
	return smaller;
}

/* Rows by user to rows by item, users ascending. */
static RsStatus
turn_round(RsContext *ctx, const RsRows *by_user, RsRows *by_item)
{
	if (rs_rows_create_entries(ctx, rs_rows_count(by_user), by_item) != RS_OK)
		return ctx->status;
	memset(by_item->start, 0, ((size_t) by_item->n + 1) * sizeof(uint64_t));
	for (uint64_t i = 0; i < rs_rows_count(by_user); i++)
	{
		if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		by_item->start[by_user->index[i]]++;
	}
	rs_counts_to_starts(by_item->start, by_item->n);
	for (uint32_t user = 0; user < by_user->n; user++)
	{
		for (uint64_t i = by_user->start[user]; i < by_user->start[user + 1]; i++)
		{
			uint64_t to = by_item->start[by_user->index[i]]++;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			by_item->index[to] = user;
			by_item->weight[to] = by_user->weight[i];
		}
	}
	rs_restore_starts(by_item->start, by_item->n);
	return RS_OK;
}

static RsStatus
build_cells(RsContext *ctx, RsEvents *events, const uint32_t *user_rank, const uint32_t *item_rank,
			RsProblem *problem, void **scratch)
{
	uint64_t n = problem->n_events;
	RsRows *by_user = &problem->by_user;
	RsRows *by_item = &problem->by_item;
	Cell *cell;
	RsStatus status;

	if (rs_rows_create_starts(ctx, problem->n_users, by_user) != RS_OK ||
		rs_rows_create_starts(ctx, problem->n_items, by_item) != RS_OK ||
		(cell = rs_alloc(ctx, n * sizeof(Cell))) == NULL)
		return ctx->status;
	*scratch = cell;
	status = rs_events_starts(ctx, events, true, item_rank, by_item->n, by_item->start);
	if (status == RS_OK)
		status = rs_events_starts(ctx, events, false, user_rank, by_user->n, by_user->start);
	if (status == RS_OK)
		status = scatter_by_item(ctx, events, user_rank, item_rank, by_item->start, cell);
	if (status != RS_OK)
		return status;
	rs_restore_starts(by_item->start, by_item->n);

	status = rs_rows_create_entries(ctx, n, by_user);
	if (status == RS_OK)
		status = scatter_by_user(ctx, by_item, cell, by_user);
	rs_free(ctx, cell);
	*scratch = NULL;
	if (status == RS_OK)
		status = merge_duplicates(ctx, by_user);
	if (status != RS_OK)
		return status;
	if (rs_rows_count(by_user) == 0)
		return RS_ERR_EMPTY;
	by_user->index = shrink(ctx, by_user->index, n, rs_rows_count(by_user));
	by_user->weight = shrink(ctx, by_user->weight, n, rs_rows_count(by_user));
	return turn_round(ctx, by_user, by_item);
}

/* --- sequences --- */

/* A timed event of a known user. */
typedef struct Step
{
	int64_t time;
	uint32_t item;
	float weight;
} Step;

static inline bool
step_less(const void *array, uint64_t a, uint64_t b)
{
	const Step *x = (const Step *) array + a;
	const Step *y = (const Step *) array + b;

	if (x->time != y->time)
		return x->time < y->time;
	if (x->item != y->item)
		return x->item < y->item;
	return x->weight < y->weight;
}

static inline void
step_swap(void *array, uint64_t a, uint64_t b)
{
	Step *steps = array;
	Step kept = steps[a];

	steps[a] = steps[b];
	steps[b] = kept;
}

typedef struct SequenceLoop
{
	const RsRows *rows;
	Step *step;
} SequenceLoop;

/* Sort the short rows of users [begin, end). */
static void
sort_short_rows(void *arg, uint64_t begin, uint64_t end, int thread)
{
	SequenceLoop *loop = arg;

	(void) thread;
	for (uint64_t user = begin; user < end; user++)
	{
		uint64_t start = loop->rows->start[user];
		uint64_t n = loop->rows->start[user + 1] - start;

		if (n < LONG_ROW)
			rs_sort_in_place(NULL, loop->step + start, n, step_less, step_swap);
	}
}

static RsStatus
sort_long_rows(RsContext *ctx, const SequenceLoop *loop)
{
	for (uint32_t user = 0; user < loop->rows->n; user++)
	{
		uint64_t start = loop->rows->start[user];
		uint64_t n = loop->rows->start[user + 1] - start;

		if (n >= LONG_ROW &&
			rs_sort_in_place(ctx, loop->step + start, n, step_less, step_swap) != RS_OK)
			return ctx->status;
	}
	return RS_OK;
}

/* Events to steps by user; frees the blocks as they are read unless they are
 * kept for another form. */
static RsStatus
scatter_steps(RsContext *ctx, RsEvents *events, bool keep, const uint32_t *user_rank,
			  const uint32_t *item_rank, uint64_t *start, Step *step)
{
	const RsEventBlock *block = events->first;

	while (block != NULL)
	{
		for (uint64_t i = 0; i < block->used; i++)
		{
			const RsEvent *event = &block->event[i];
			Step *to;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			to = &step[start[user_rank[event->user]]++];
			to->time = block->time[i];
			to->item = item_rank[event->item];
			to->weight = event->weight;
		}
		block = keep ? block->next : rs_events_drop_first(ctx, events);
	}
	return RS_OK;
}

/* Steps, sorted, become the entries of the rows. */
static RsStatus
split_steps(RsContext *ctx, const Step *step, RsRows *rows)
{
	uint64_t n = rs_rows_count(rows);
	bool any = false;

	if (rs_rows_create_entries(ctx, n, rows) != RS_OK)
		return ctx->status;
	for (uint64_t i = 0; i < n; i++)
	{
		if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		rows->index[i] = step[i].item;
		rows->weight[i] = step[i].weight;
		any = any || step[i].weight != 0;
	}
	return any ? RS_OK : RS_ERR_EMPTY;
}

static RsStatus
build_sequences(RsContext *ctx, RsEvents *events, bool keep, const uint32_t *user_rank,
				const uint32_t *item_rank, RsProblem *problem, void **scratch)
{
	RsRows *rows = &problem->sequences;
	SequenceLoop loop = {rows, NULL};
	RsStatus status;

	if (rs_rows_create_starts(ctx, problem->n_users, rows) != RS_OK ||
		(loop.step = rs_alloc(ctx, problem->n_events * sizeof(Step))) == NULL)
		return ctx->status;
	*scratch = loop.step;
	status = rs_events_starts(ctx, events, false, user_rank, rows->n, rows->start);
	if (status == RS_OK)
		status = scatter_steps(ctx, events, keep, user_rank, item_rank, rows->start, loop.step);
	if (status != RS_OK)
		return status;
	rs_restore_starts(rows->start, rows->n);
	status = rs_parallel_for(ctx, rows->n, 16, sort_short_rows, &loop);
	if (status == RS_OK)
		status = sort_long_rows(ctx, &loop);
	if (status == RS_OK)
		status = split_steps(ctx, loop.step, rows);
	rs_free(ctx, loop.step);
	*scratch = NULL;
	return status;
}

/* --- both --- */

RsStatus
rs_problem_build(RsContext *ctx, RsEvents *events, unsigned forms, const uint32_t *user_rank,
				 uint32_t n_users, const uint32_t *item_rank, uint32_t n_items, RsProblem *problem)
{
	void *scratch = NULL;
	RsStatus status = RS_OK;

	memset(problem, 0, sizeof(*problem));
	problem->n_users = n_users;
	problem->n_items = n_items;
	problem->n_events = events->count;
	rs_report(ctx, "sorting events", 0, 0, NAN);
	if (events->count == 0)
		status = RS_ERR_EMPTY;
	if (status == RS_OK && (forms & RS_SEQUENCES))
		status = build_sequences(ctx, events, (forms & RS_CELLS) != 0, user_rank, item_rank,
								 problem, &scratch);
	if (status == RS_OK && (forms & RS_CELLS))
		status = build_cells(ctx, events, user_rank, item_rank, problem, &scratch);
	rs_free(ctx, scratch);
	rs_events_free(ctx, events);
	if (status == RS_ERR_EMPTY)
	{
		rs_fail(ctx, RS_ERR_EMPTY, "no events to train on");
		rs_detail(ctx, "%s",
				  problem->n_events > 0 ? "All weights are 0 or add up to 0."
										: "There are no rows with a user and an item.");
	}
	if (status != RS_OK)
		rs_problem_free(ctx, problem);
	return status;
}

void
rs_problem_free(RsContext *ctx, RsProblem *problem)
{
	rs_rows_free(ctx, &problem->by_user);
	rs_rows_free(ctx, &problem->by_item);
	rs_rows_free(ctx, &problem->sequences);
	memset(problem, 0, sizeof(*problem));
}

const RsRows *
rs_problem_histories(const RsProblem *problem)
{
	return problem->sequences.start != NULL ? &problem->sequences : &problem->by_user;
}
