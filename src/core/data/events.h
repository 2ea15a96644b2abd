/*
 * events.h
 *		What problem.c, sequences.c and events.c share: the blocks of events, the
 *		counting sort, and a sort without scratch.
 */
#ifndef RS_EVENTS_H
#define RS_EVENTS_H

#include "core/data/problem.h"

#define RS_POLL_EVENTS 65536 /* events between two questions for cancel */

typedef struct RsEvent
{
	uint32_t user;
	uint32_t item;
	float weight;
} RsEvent;

typedef struct RsEventBlock
{
	struct RsEventBlock *next;
	uint64_t used;
	uint64_t size;
	int64_t *time; /* behind the events, or NULL */
	RsEvent *event;
} RsEventBlock;

struct RsEvents
{
	bool timed;
	uint64_t count;
	RsEventBlock *first;
	RsEventBlock *last;
};

/* Free the first block and go to the next. */
extern void rs_events_drop_first(RsContext *ctx, RsEvents *events);

/* Count the events of each item (or user) under its rank into start[n + 1],
 * zeroed before, and turn counts into offsets. */
extern RsStatus rs_count_events(RsContext *ctx, const RsEvents *events, bool by_item,
								const uint32_t *rank, uint32_t n, uint64_t *start);

/* Counts in start[0 .. n-1] become offsets in start[0 .. n]. */
extern void rs_counts_to_starts(uint64_t *start, uint32_t n);

/* After a scatter that moved start[i] to the end of row i: offsets again. */
extern void rs_restore_starts(uint64_t *start, uint32_t n);

/* The timed half of rs_problem_build; *scratch is the caller's to free. */
extern RsStatus rs_build_sequences(RsContext *ctx, RsEvents *events, const uint32_t *user_rank,
								   const uint32_t *item_rank, RsProblem *problem, void **scratch);

#endif
