/*
 * events.c
 *		The growing list of events, in blocks, and counting over it.
 */
#include "core/data/events.h"

#include "core/data/rows.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FIRST_BLOCK 1024        /* events */
#define LARGEST_BLOCK (1 << 20) /* events: 12 or 20 MB */

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
	size_t head = (sizeof(RsEventBlock) + 63) & ~(size_t) 63;
	RsEventBlock *block;

	if (size < FIRST_BLOCK)
		size = FIRST_BLOCK;
	if (size > LARGEST_BLOCK)
		size = LARGEST_BLOCK;
	size &= ~(uint64_t) 1; /* keeps the times aligned */
	block = rs_alloc(ctx, head + size * (sizeof(RsEvent) + (events->timed ? sizeof(int64_t) : 0)));
	if (block == NULL)
		return ctx->status;
	block->next = NULL;
	block->used = 0;
	block->size = size;
	block->event = (RsEvent *) ((char *) block + head);
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
	RsEventBlock *block = events->last;

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
	/* below the normal numbers nothing is left of a weight but slowness */
	block->event[block->used].weight = fabsf(weight) < FLT_MIN ? 0 : weight;
	if (block->time != NULL)
		block->time[block->used] = time;
	block->used++;
	events->count++;
	return RS_OK;
}

RsEventBlock *
rs_events_drop_first(RsContext *ctx, RsEvents *events)
{
	RsEventBlock *block = events->first;

	events->first = block->next;
	if (events->first == NULL)
		events->last = NULL;
	rs_free(ctx, block);
	return events->first;
}

void
rs_events_free(RsContext *ctx, RsEvents *events)
{
	if (events == NULL)
		return;
	while (events->first != NULL)
		rs_events_drop_first(ctx, events);
	rs_free(ctx, events);
}

RsStatus
rs_events_starts(RsContext *ctx, const RsEvents *events, bool by_item, const uint32_t *rank,
				 uint32_t n, uint64_t *start)
{
	const RsEventBlock *block;

	for (block = events->first; block != NULL; block = block->next)
	{
		uint64_t i;

		for (i = 0; i < block->used; i++)
		{
			if (i % RS_POLL_EVENTS == 0 && rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			start[rank[by_item ? block->event[i].item : block->event[i].user]]++;
		}
	}
	rs_counts_to_starts(start, n);
	return RS_OK;
}
