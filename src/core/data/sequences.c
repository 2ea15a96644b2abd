/*
 * sequences.c
 *		Timed events become one sequence a user.
 *
 * One counting sort by user, then each row is sorted by (time, item, weight) in
 * place: short rows in parallel, long ones by the main thread, which polls.
 */
#include "core/data/events.h"
#include "core/base/sort.h"
#include "core/base/threads.h"

#define LONG_ROW 16384 /* events */

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
	const RsProblem *problem;
	Step *step;
} SequenceLoop;

/* Sort the short rows of users [begin, end). */
static void
sort_short_rows(void *arg, uint64_t begin, uint64_t end, int thread)
{
	SequenceLoop *loop = arg;
	uint64_t user;

	(void) thread;
	for (user = begin; user < end; user++)
	{
		uint64_t start = loop->problem->seq_start[user];
		uint64_t n = loop->problem->seq_start[user + 1] - start;

		if (n < LONG_ROW)
			rs_sort_in_place(NULL, loop->step + start, n, step_less, step_swap);
	}
}

static RsStatus
sort_long_rows(RsContext *ctx, const RsProblem *problem, Step *step)
{
	uint32_t user;

	for (user = 0; user < problem->n_users; user++)
	{
		uint64_t start = problem->seq_start[user];
		uint64_t n = problem->seq_start[user + 1] - start;

		if (n >= LONG_ROW && rs_sort_in_place(ctx, step + start, n, step_less, step_swap) != RS_OK)
			return ctx->status;
	}
	return RS_OK;
}

/* Events to steps by user; frees the blocks as they are read. */
static RsStatus
scatter_steps(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
			  const uint32_t *item_rank, uint64_t *start, Step *step)
{
	while (events->first != NULL)
	{
		const RsEventBlock *block = events->first;
		uint64_t i;

		for (i = 0; i < block->used; i++)
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
		rs_events_drop_first(ctx, events);
	}
	return RS_OK;
}

/* Steps, sorted, become the two arrays of the problem; nnz counts weights. */
static RsStatus
split_steps(RsContext *ctx, const Step *step, RsProblem *problem)
{
	uint64_t i;

	problem->seq_item = rs_alloc(ctx, problem->n_events * sizeof(uint32_t));
	if (problem->seq_item == NULL)
		return ctx->status;
	problem->seq_weight = rs_alloc(ctx, problem->n_events * sizeof(float));
	if (problem->seq_weight == NULL)
		return ctx->status;
	for (i = 0; i < problem->n_events; i++)
	{
		if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		problem->seq_item[i] = step[i].item;
		problem->seq_weight[i] = step[i].weight;
		if (step[i].weight != 0)
			problem->nnz++;
	}
	return RS_OK;
}

RsStatus
rs_build_sequences(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
				   const uint32_t *item_rank, RsProblem *problem, void **scratch)
{
	SequenceLoop loop;
	Step *step;
	RsStatus status;

	problem->seq_start = rs_calloc(ctx, (size_t) problem->n_users + 1, sizeof(uint64_t));
	if (problem->seq_start == NULL)
		return ctx->status;
	step = rs_alloc(ctx, problem->n_events * sizeof(Step));
	if (step == NULL)
		return ctx->status;
	*scratch = step;
	status = rs_count_events(ctx, events, false, user_rank, problem->n_users, problem->seq_start);
	if (status == RS_OK)
		status = scatter_steps(ctx, events, user_rank, item_rank, problem->seq_start, step);
	if (status != RS_OK)
		return status;
	rs_restore_starts(problem->seq_start, problem->n_users);
	loop.problem = problem;
	loop.step = step;
	status = rs_parallel_for(ctx, problem->n_users, 16, sort_short_rows, &loop);
	if (status == RS_OK)
		status = sort_long_rows(ctx, problem, step);
	if (status == RS_OK)
		status = split_steps(ctx, step, problem);
	return status;
}
