/*
 * arena_space.h
 *		Which model lies where in the shared memory for models.
 */
#ifndef RSPG_ARENA_SPACE_H
#define RSPG_ARENA_SPACE_H

#include "pg/base/rspg.h"

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#define RSPG_ARENA_ALIGNMENT 64

/*
 * Whose bytes they are, and which.  The key of a version is random and never used
 * twice, but an owner may write any key into a row of theirs, change bytes by hand, or
 * restore a dump: length and digest are those of the rows that the session sees.
 */
typedef struct RspgArenaKey
{
	Oid database;
	Oid chunks; /* the table of bytes: the extension made anew has another */
	int64 model_id;
	int64 key;
	uint64 length;
	uint64 digest; /* of the chunks; 0 until it is published */
} RspgArenaKey;

typedef enum RspgArenaState
{
	RSPG_ARENA_FREE,
	RSPG_ARENA_LOADING,
	RSPG_ARENA_THERE
} RspgArenaState;

/* Under the lock, but for what is atomic. */
typedef struct RspgArenaEntry
{
	RspgArenaKey key;
	RspgArenaState state;
	Size start; /* in the bytes */
	Size size;
	int loader; /* its pid */
	Oid owner;  /* this and the next two: when it was last opened */
	int32 version;
	char name[NAMEDATALEN];
	TimestampTz loaded_at;
	pg_atomic_uint64 hold; /* generation << 32 | pins; whoever frees it raises the generation */
	pg_atomic_uint64 calls;
	pg_atomic_uint64 used; /* TimestampTz of the last pin */
	pg_atomic_uint64 done; /* bytes that were loaded */
} RspgArenaEntry;

typedef struct RspgArena
{
	LWLock *lock;
	ConditionVariable loaded; /* something was published, or given up */
	RspgArenaEntry *entries;  /* [max] */
	int max;
	int n;      /* that are not free */
	int *order; /* [n] of them, by where they start */
	char *bytes;
	Size size;
} RspgArena;

static inline uint32
rspg_arena_generation(uint64 hold)
{
	return (uint32) (hold >> 32);
}

static inline uint32
rspg_arena_pins(uint64 hold)
{
	return (uint32) hold;
}

/* All of these under the exclusive lock. */

/* The entry of that key, or -1. */
extern int rspg_arena_find(const RspgArena *arena, const RspgArenaKey *key);

/*
 * An entry, without a key yet, with room for size bytes; -1 if there is none.  beside:
 * nothing else of this key's model goes for it, or NULL.
 */
extern int rspg_arena_make(RspgArena *arena, Size size, const RspgArenaKey *beside);

/* Free an entry that was loading. */
extern void rspg_arena_give_up(RspgArena *arena, int number);

#endif
