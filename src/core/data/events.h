/*
 * events.h
 *		The growing list of events: small codes for users and items, in any order.
 */
#ifndef RS_EVENTS_H
#define RS_EVENTS_H

#include "core/base/context.h"

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

typedef struct RsEvents
{
	bool timed;
	uint64_t count;
	RsEventBlock *first;
	RsEventBlock *last;
} RsEvents;

/* timed: keep a time for each event (8 bytes more). NULL on failure. */
extern RsEvents *rs_events_create(RsContext *ctx, bool timed);
extern RsStatus rs_events_append(RsContext *ctx, RsEvents *events, uint32_t user, uint32_t item,
								 float weight, int64_t time);
extern void rs_events_free(RsContext *ctx, RsEvents *events);

/* Free the first block; the next one, or NULL. */
extern RsEventBlock *rs_events_drop_first(RsContext *ctx, RsEvents *events);

/* Count the events of each user (or item) under its rank into start[n + 1],
 * zeroed before, and turn counts into offsets. */
extern RsStatus rs_events_starts(RsContext *ctx, const RsEvents *events, bool by_item,
								 const uint32_t *rank, uint32_t n, uint64_t *start);

#endif
