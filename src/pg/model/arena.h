/*
 * arena.h
 *		Shared memory for the bytes of models: one copy for all sessions.
 */
#ifndef RSPG_ARENA_H
#define RSPG_ARENA_H

#include "pg/base/rspg.h"

#include "lib/ilist.h"

#include "pg/model/arena_space.h"
#include "pg/model/registry.h"

/* A session's hold on a model there. */
typedef struct RspgArenaPlace
{
	char *bytes; /* aligned to 64; stay as they are while pinned */
	int entry;
	uint32 generation;
	bool pinned;
	MemoryContextCallback callback;
	dlist_node node; /* of those that are pinned */
} RspgArenaPlace;

typedef enum RspgArenaAnswer
{
	RSPG_ARENA_NONE,  /* no such memory, or no room: use memory of your own */
	RSPG_ARENA_READY, /* the bytes are there, and pinned */
	RSPG_ARENA_LOAD   /* room for them, yours alone: fill it and publish */
} RspgArenaAnswer;

extern void rspg_arena_init(void);

/* Is there any, and could a model of that length ever be there? */
extern bool rspg_arena_fits(uint64 length);

/* The key of a version: of that key, length and digest. */
extern RspgArenaKey rspg_arena_key(const RspgRegistryRow *row, int64 key, uint64 length,
								   uint64 digest);

/*
 * Find a model, wait for who loads it, or get room to load it, where what was not used
 * for longest goes.  Pinned; *place is made in mcxt and let go of with it, also what
 * was not published.  beside: nothing else of the same model goes for it.
 */
extern RspgArenaAnswer rspg_arena_open(MemoryContext mcxt, const RspgArenaKey *key,
									   const RspgRegistryRow *row, bool beside,
									   RspgArenaPlace **place);

/* How far a loader is: who waits for it gives up when it stands still. */
extern void rspg_arena_progress(const RspgArenaPlace *place, uint64 done);

/* The bytes are there, looked at, of that digest and that version. */
extern void rspg_arena_publish(const RspgArenaPlace *place, uint64 digest, int32 version);

/* Pin again what was let go of; false: it is there no more. */
extern bool rspg_arena_pin(RspgArenaPlace *place);
extern void rspg_arena_unpin(RspgArenaPlace *place);

/* What there is, *n entries in CurrentMemoryContext; free ones are left out. */
extern RspgArenaEntry *rspg_arena_look(int *n);

#endif
