/*
 * problem.c
 *		Events in any order become sorted sparse rows.
 *
 * Untimed: two stable counting sorts, first by item, then by user, leave each
 * user's row in the order of items; equal neighbours are summed in the order of
 * their weights, in double; a third counting sort turns the rows round.  Every
 * order that the input had is gone after that: what is left depends on the set
 * of events alone.
 *
 * Timed: see sequences.c.
 *
 * Blocks of events are freed as they are read, so the peak is the events plus 8
 * bytes (untimed) or 16 bytes (timed) an event, and 16 bytes an event later.
 */
#include "core/data/events.h"
#include "core/base/sort.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* A cell of a sparse row. */
typedef struct Cell
{
	uint32_t other;
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

/* Events to cells by item, {user, weight}; frees the blocks as they are read. */
static RsStatus
scatter_by_item(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
				const uint32_t *item_rank, uint64_t *start, Cell *cell)
{
	while (events->first != NULL)
	{
		const RsEventBlock *block = events->first;
		uint64_t i;

		for (i = 0; i < block->used; i++)
		{
			const RsEvent *event = &block->event[i];
			Cell *to;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			to = &cell[start[item_rank[event->item]]++];
			to->other = user_rank[event->user];
			to->weight = event->weight;
		}
		rs_events_drop_first(ctx, events);
	}
	return RS_OK;
}

/* Cells by item to rows by user, items ascending. */
static RsStatus
scatter_by_user(RsContext *ctx, const uint64_t *item_start, uint32_t n_items, const Cell *cell,
				RsProblem *problem)
{
	uint32_t item;

	for (item = 0; item < n_items; item++)
	{
		uint64_t i;

		for (i = item_start[item]; i < item_start[item + 1]; i++)
		{
			uint64_t to = problem->user_start[cell[i].other]++;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			problem->user_item[to] = item;
			problem->user_weight[to] = cell[i].weight;
		}
	}
	rs_restore_starts(problem->user_start, problem->n_users);
	return RS_OK;
}

/* --- duplicates --- */

/* Nearest float to the sum of n weights, ascending; finite. */
static float
sum_of_weights(const float *weight, uint64_t n)
{
	double sum = 0;
	uint64_t i;

	for (i = 0; i < n; i++)
		sum += weight[i];
	if (sum > FLT_MAX)
		return FLT_MAX;
	if (sum < -FLT_MAX)
		return -FLT_MAX;
	return (float) sum;
}

/* Sum equal neighbours, drop zeros, close the gaps: all rows move to the left. */
static RsStatus
merge_duplicates(RsContext *ctx, RsProblem *problem)
{
	uint64_t to = 0;
	uint64_t next_poll = 0;
	uint32_t user;

	for (user = 0; user < problem->n_users; user++)
	{
		uint64_t i = problem->user_start[user];
		uint64_t end = problem->user_start[user + 1];

		problem->user_start[user] = to;
		while (i < end)
		{
			uint32_t item = problem->user_item[i];
			uint64_t run = i + 1;
			float weight = problem->user_weight[i];

			while (run < end && problem->user_item[run] == item)
				run++;
			if (run - i > 1)
			{
				if (rs_sort_in_place(ctx, problem->user_weight + i, run - i, float_less,
									 float_swap) != RS_OK)
					return ctx->status;
				weight = sum_of_weights(problem->user_weight + i, run - i);
			}
			i = run;
			if (weight != 0)
			{
				problem->user_item[to] = item;
				problem->user_weight[to++] = weight;
			}
			if (i >= next_poll)
			{
				if (rs_check_interrupt(ctx) != RS_OK)
					return ctx->status;
				next_poll = i + RS_POLL_EVENTS;
			}
		}
	}
	problem->user_start[problem->n_users] = to;
	problem->nnz = to;
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
transpose(RsContext *ctx, RsProblem *problem)
{
	uint64_t i;
	uint32_t user;

	problem->item_user = rs_alloc(ctx, problem->nnz * sizeof(uint32_t));
	if (problem->item_user == NULL)
		return ctx->status;
	problem->item_weight = rs_alloc(ctx, problem->nnz * sizeof(float));
	if (problem->item_weight == NULL)
		return ctx->status;
	memset(problem->item_start, 0, ((size_t) problem->n_items + 1) * sizeof(uint64_t));
	for (i = 0; i < problem->nnz; i++)
		problem->item_start[problem->user_item[i]]++;
	rs_counts_to_starts(problem->item_start, problem->n_items);
	for (user = 0; user < problem->n_users; user++)
	{
		for (i = problem->user_start[user]; i < problem->user_start[user + 1]; i++)
		{
			uint64_t to = problem->item_start[problem->user_item[i]]++;

			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			problem->item_user[to] = user;
			problem->item_weight[to] = problem->user_weight[i];
		}
	}
	rs_restore_starts(problem->item_start, problem->n_items);
	return RS_OK;
}

static RsStatus
build_rows(RsContext *ctx, RsEvents *events, const uint32_t *user_rank, const uint32_t *item_rank,
		   RsProblem *problem, void **scratch)
{
	uint64_t n = problem->n_events;
	Cell *cell;
	RsStatus status;

	problem->user_start = rs_calloc(ctx, (size_t) problem->n_users + 1, sizeof(uint64_t));
	if (problem->user_start == NULL)
		return ctx->status;
	problem->item_start = rs_calloc(ctx, (size_t) problem->n_items + 1, sizeof(uint64_t));
	if (problem->item_start == NULL)
		return ctx->status;
	cell = rs_alloc(ctx, n * sizeof(Cell));
	if (cell == NULL)
		return ctx->status;
	*scratch = cell;
	status = rs_count_events(ctx, events, true, item_rank, problem->n_items, problem->item_start);
	if (status == RS_OK)
		status =
			rs_count_events(ctx, events, false, user_rank, problem->n_users, problem->user_start);
	if (status == RS_OK)
		status = scatter_by_item(ctx, events, user_rank, item_rank, problem->item_start, cell);
	if (status != RS_OK)
		return status;
	rs_restore_starts(problem->item_start, problem->n_items);

	problem->user_item = rs_alloc(ctx, n * sizeof(uint32_t));
	if (problem->user_item == NULL)
		return ctx->status;
	problem->user_weight = rs_alloc(ctx, n * sizeof(float));
	if (problem->user_weight == NULL)
		return ctx->status;
	status = scatter_by_user(ctx, problem->item_start, problem->n_items, cell, problem);
	rs_free(ctx, cell);
	*scratch = NULL;
	if (status == RS_OK)
		status = merge_duplicates(ctx, problem);
	if (status != RS_OK)
		return status;
	problem->user_item = shrink(ctx, problem->user_item, n, problem->nnz);
	problem->user_weight = shrink(ctx, problem->user_weight, n, problem->nnz);
	return transpose(ctx, problem);
}

RsStatus
rs_problem_build(RsContext *ctx, RsEvents *events, const uint32_t *user_rank, uint32_t n_users,
				 const uint32_t *item_rank, uint32_t n_items, RsProblem *problem)
{
	void *scratch = NULL;
	RsStatus status;

	memset(problem, 0, sizeof(*problem));
	problem->n_users = n_users;
	problem->n_items = n_items;
	problem->n_events = events->count;
	rs_report(ctx, "sorting events", 0, 0, NAN);
	if (events->count == 0)
		status = RS_ERR_EMPTY;
	else if (events->timed)
		status = rs_build_sequences(ctx, events, user_rank, item_rank, problem, &scratch);
	else
		status = build_rows(ctx, events, user_rank, item_rank, problem, &scratch);
	rs_free(ctx, scratch);
	rs_events_free(ctx, events);
	if (status == RS_ERR_EMPTY || (status == RS_OK && problem->nnz == 0))
	{
		status = rs_fail(ctx, RS_ERR_EMPTY, "no events to train on");
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
	rs_free(ctx, problem->user_start);
	rs_free(ctx, problem->user_item);
	rs_free(ctx, problem->user_weight);
	rs_free(ctx, problem->item_start);
	rs_free(ctx, problem->item_user);
	rs_free(ctx, problem->item_weight);
	rs_free(ctx, problem->seq_start);
	rs_free(ctx, problem->seq_item);
	rs_free(ctx, problem->seq_weight);
	memset(problem, 0, sizeof(*problem));
}
