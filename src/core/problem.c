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
 * Timed: one counting sort by user, then each user's row is sorted by (time,
 * item, weight) in place.
 *
 * Blocks of events are freed as they are read, so the peak is the events plus 8
 * bytes (untimed) or 16 bytes (timed) an event, and 16 bytes an event later.
 */
#include "core/problem.h"

#include "core/parallel.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FIRST_BLOCK 1024        /* events */
#define LARGEST_BLOCK (1 << 20) /* events: 12 or 20 MB */
#define POLL_EVERY 65536        /* events between two questions for cancel */
#define LONG_ROW 16384          /* rows this long are sorted by the main thread, which polls */
#define INSERTION_SORT 24

typedef struct Event
{
	uint32_t user;
	uint32_t item;
	float weight;
} Event;

typedef struct Block
{
	struct Block *next;
	uint64_t used;
	uint64_t size;
	int64_t *time; /* behind the events, or NULL */
	Event *event;
} Block;

struct RsEvents
{
	bool timed;
	uint64_t count;
	Block *first;
	Block *last;
};

/* A timed event of a known user. */
typedef struct Step
{
	int64_t time;
	uint32_t item;
	float weight;
} Step;

/* A cell of a sparse row. */
typedef struct Cell
{
	uint32_t other;
	float weight;
} Cell;

/* --- events --- */

RsEvents *
rs_events_create(RsContext *ctx, bool timed)
{
	RsEvents *events = rs_calloc(ctx, 1, sizeof(RsEvents));

	if (events != NULL)
		events->timed = timed;
	return events;
}

/* Add an empty block, half as large as all before it, within bounds. */
static RsStatus
grow(RsContext *ctx, RsEvents *events)
{
	uint64_t size = events->count / 2;
	size_t head = (sizeof(Block) + 63) & ~(size_t) 63;
	Block *block;

	if (size < FIRST_BLOCK)
		size = FIRST_BLOCK;
	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	size &= ~(uint64_t) 1; /* keeps the times aligned */
	block = rs_alloc(ctx, head + size * (sizeof(Event) + (events->timed ? sizeof(int64_t) : 0)));
	if (block == NULL)
		return ctx->status;
	block->next = NULL;
	block->used = 0;
	block->size = size;
	block->event = (Event *) ((char *) block + head);
	block->time = events->timed ? (int64_t *) (block->event + size) : NULL;
	if (events->last != NULL)
		events->last->next = block;
	else
		events->first = block;
	events->last = block;
	return RS_OK;
}

RsStatus
rs_events_append(RsContext *ctx, RsEvents *events, uint32_t user, uint32_t item, float weight,
				 int64_t time)
{
	Block *block = events->last;

	if (!isfinite(weight))
		return rs_fail(ctx, RS_ERR_PARAM, "weight is not a finite number");
	if (block == NULL || block->used == block->size)
	{
		RsStatus status = grow(ctx, events);

		if (status != RS_OK)
			return status;
		block = events->last;
	}
	block->event[block->used].user = user;
	block->event[block->used].item = item;
	block->event[block->used].weight = weight;
	if (block->time != NULL)
		block->time[block->used] = time;
	block->used++;
	events->count++;
	return RS_OK;
}

uint64_t
rs_events_count(const RsEvents *events)
{
	return events->count;
}

/* Free the first block and go to the next. */
static void
drop_first_block(RsContext *ctx, RsEvents *events)
{
	Block *block = events->first;

	events->first = block->next;
	if (events->first == NULL)
		events->last = NULL;
	rs_free(ctx, block);
}

void
rs_events_free(RsContext *ctx, RsEvents *events)
{
	if (events == NULL)
		return;
	while (events->first != NULL)
		drop_first_block(ctx, events);
	rs_free(ctx, events);
}

/* --- sorting in place, without scratch --- */

typedef bool (*Less)(const void *array, uint64_t a, uint64_t b);
typedef void (*Swap)(void *array, uint64_t a, uint64_t b);

static inline __attribute__((always_inline)) void
sift_down(void *array, uint64_t root, uint64_t n, Less less, Swap swap)
{
	for (;;)
	{
		uint64_t child = 2 * root + 1;

		if (child >= n)
			return;
		if (child + 1 < n && less(array, child, child + 1))
			child++;
		if (!less(array, root, child))
			return;
		swap(array, root, child);
		root = child;
	}
}

/* Nothing for sorted input, insertion for short ones, else heap sort.  Polls
 * for cancel if ctx is given. */
static inline __attribute__((always_inline)) RsStatus
sort_in_place(RsContext *ctx, void *array, uint64_t n, Less less, Swap swap)
{
	uint64_t i;
	uint64_t j;

	for (i = 1; i < n && !less(array, i, i - 1); i++)
		;
	if (i >= n)
		return RS_OK;
	if (n <= INSERTION_SORT)
	{
		for (; i < n; i++)
			for (j = i; j > 0 && less(array, j, j - 1); j--)
				swap(array, j, j - 1);
		return RS_OK;
	}
	for (i = n / 2; i-- > 0;)
		sift_down(array, i, n, less, swap);
	for (i = n - 1; i > 0; i--)
	{
		if (ctx != NULL && i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		swap(array, 0, i);
		sift_down(array, 0, i, less, swap);
	}
	return RS_OK;
}

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

/* --- counting sorts --- */

/* Running starts become the usual [n + 1] offsets again: after a scatter that
 * advanced start[i] to the end of row i, shift by one. */
static void
restore_starts(uint64_t *start, uint32_t n)
{
	if (n > 0)
		memmove(start + 1, start, (size_t) n * sizeof(uint64_t));
	start[0] = 0;
}

/* Counts in start[0 .. n-1] become offsets. */
static void
counts_to_starts(uint64_t *start, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < n; i++)
	{
		uint64_t count = start[i];

		start[i] = sum;
		sum += count;
	}
	start[n] = sum;
}

/* Count events of each user (or item), under its rank. */
static RsStatus
count_events(RsContext *ctx, const RsEvents *events, bool by_item, const uint32_t *rank, uint32_t n,
			 uint64_t *start)
{
	const Block *block;

	for (block = events->first; block != NULL; block = block->next)
	{
		uint64_t i;

		for (i = 0; i < block->used; i++)
		{
			if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			start[rank[by_item ? block->event[i].item : block->event[i].user]]++;
		}
	}
	counts_to_starts(start, n);
	return RS_OK;
}

/* Events to cells by item, {user, weight}; frees the blocks as they are read. */
static RsStatus
scatter_by_item(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
				const uint32_t *item_rank, uint64_t *start, Cell *cell)
{
	while (events->first != NULL)
	{
		const Block *block = events->first;
		uint64_t i;

		for (i = 0; i < block->used; i++)
		{
			const Event *event = &block->event[i];
			Cell *to;

			if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			to = &cell[start[item_rank[event->item]]++];
			to->other = user_rank[event->user];
			to->weight = event->weight;
		}
		drop_first_block(ctx, events);
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

			if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			problem->user_item[to] = item;
			problem->user_weight[to] = cell[i].weight;
		}
	}
	restore_starts(problem->user_start, problem->n_users);
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
				if (sort_in_place(ctx, problem->user_weight + i, run - i, float_less, float_swap) !=
					RS_OK)
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
				next_poll = i + POLL_EVERY;
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
	counts_to_starts(problem->item_start, problem->n_items);
	for (user = 0; user < problem->n_users; user++)
	{
		for (i = problem->user_start[user]; i < problem->user_start[user + 1]; i++)
		{
			uint64_t to = problem->item_start[problem->user_item[i]]++;

			if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			problem->item_user[to] = user;
			problem->item_weight[to] = problem->user_weight[i];
		}
	}
	restore_starts(problem->item_start, problem->n_items);
	return RS_OK;
}

static RsStatus
build_rows(RsContext *ctx, RsEvents *events, const uint32_t *user_rank, const uint32_t *item_rank,
		   RsProblem *problem, Cell **cell)
{
	uint64_t n = problem->n_events;
	RsStatus status;

	problem->user_start = rs_calloc(ctx, (size_t) problem->n_users + 1, sizeof(uint64_t));
	if (problem->user_start == NULL)
		return ctx->status;
	problem->item_start = rs_calloc(ctx, (size_t) problem->n_items + 1, sizeof(uint64_t));
	if (problem->item_start == NULL)
		return ctx->status;
	*cell = rs_alloc(ctx, n * sizeof(Cell));
	if (*cell == NULL)
		return ctx->status;
	status = count_events(ctx, events, true, item_rank, problem->n_items, problem->item_start);
	if (status == RS_OK)
		status = count_events(ctx, events, false, user_rank, problem->n_users, problem->user_start);
	if (status == RS_OK)
		status = scatter_by_item(ctx, events, user_rank, item_rank, problem->item_start, *cell);
	if (status != RS_OK)
		return status;
	restore_starts(problem->item_start, problem->n_items);

	problem->user_item = rs_alloc(ctx, n * sizeof(uint32_t));
	if (problem->user_item == NULL)
		return ctx->status;
	problem->user_weight = rs_alloc(ctx, n * sizeof(float));
	if (problem->user_weight == NULL)
		return ctx->status;
	status = scatter_by_user(ctx, problem->item_start, problem->n_items, *cell, problem);
	rs_free(ctx, *cell);
	*cell = NULL;
	if (status == RS_OK)
		status = merge_duplicates(ctx, problem);
	if (status != RS_OK)
		return status;
	problem->user_item = shrink(ctx, problem->user_item, n, problem->nnz);
	problem->user_weight = shrink(ctx, problem->user_weight, n, problem->nnz);
	return transpose(ctx, problem);
}

/* --- sequences --- */

typedef struct SequenceLoop
{
	const RsProblem *problem;
	Step *step;
	bool any; /* main thread only */
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
			sort_in_place(NULL, loop->step + start, n, step_less, step_swap);
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

		if (n >= LONG_ROW && sort_in_place(ctx, step + start, n, step_less, step_swap) != RS_OK)
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
		const Block *block = events->first;
		uint64_t i;

		for (i = 0; i < block->used; i++)
		{
			const Event *event = &block->event[i];
			Step *to;

			if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			to = &step[start[user_rank[event->user]]++];
			to->time = block->time[i];
			to->item = item_rank[event->item];
			to->weight = event->weight;
		}
		drop_first_block(ctx, events);
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
		if (i % POLL_EVERY == 0 && rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		problem->seq_item[i] = step[i].item;
		problem->seq_weight[i] = step[i].weight;
		if (step[i].weight != 0)
			problem->nnz++;
	}
	return RS_OK;
}

static RsStatus
build_sequences(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
				const uint32_t *item_rank, RsProblem *problem, Step **step)
{
	SequenceLoop loop;
	RsStatus status;

	problem->seq_start = rs_calloc(ctx, (size_t) problem->n_users + 1, sizeof(uint64_t));
	if (problem->seq_start == NULL)
		return ctx->status;
	*step = rs_alloc(ctx, problem->n_events * sizeof(Step));
	if (*step == NULL)
		return ctx->status;
	status = count_events(ctx, events, false, user_rank, problem->n_users, problem->seq_start);
	if (status == RS_OK)
		status = scatter_steps(ctx, events, user_rank, item_rank, problem->seq_start, *step);
	if (status != RS_OK)
		return status;
	restore_starts(problem->seq_start, problem->n_users);
	loop.problem = problem;
	loop.step = *step;
	status = rs_parallel_for(ctx, problem->n_users, 16, sort_short_rows, &loop);
	if (status == RS_OK)
		status = sort_long_rows(ctx, problem, *step);
	if (status == RS_OK)
		status = split_steps(ctx, *step, problem);
	return status;
}

/* --- both --- */

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
		status = build_sequences(ctx, events, user_rank, item_rank, problem, (Step **) &scratch);
	else
		status = build_rows(ctx, events, user_rank, item_rank, problem, (Cell **) &scratch);
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
