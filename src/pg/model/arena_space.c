/*
 * arena_space.c
 *		Which model lies where in the shared memory for models.
 *
 * Models lie whole, one after the other by address.  One that needs room gets the
 * first gap, or else the stretch of neighbours whose latest use is longest ago: only
 * what makes this room goes, and nothing if there is none to be made.
 */
#include "pg/model/arena_space.h"

/* What was loaded stays so long at least: models that do not fit together would chase
 * each other out at every call, where a session's own copy serves as well. */
#define MIN_STAY_MS 5000

static bool may_go(RspgArenaEntry *entry, TimestampTz now, const RspgArenaKey *beside);
static bool choose(RspgArena *arena, Size size, const RspgArenaKey *beside, int *first, int *end);
static void remove_at(RspgArena *arena, int position);
static bool evict_at(RspgArena *arena, int position);

int
rspg_arena_find(const RspgArena *arena, const RspgArenaKey *key)
{
	for (int i = 0; i < arena->n; i++)
		if (memcmp(&arena->entries[arena->order[i]].key, key, sizeof(*key)) == 0)
			return arena->order[i];
	return -1;
}

static bool
may_go(RspgArenaEntry *entry, TimestampTz now, const RspgArenaKey *beside)
{
	if (entry->state != RSPG_ARENA_THERE ||
		rspg_arena_pins(pg_atomic_read_u64(&entry->hold)) != 0 ||
		!TimestampDifferenceExceeds(entry->loaded_at, now, MIN_STAY_MS))
		return false;
	return beside == NULL || entry->key.database != beside->database ||
		   entry->key.model_id != beside->model_id;
}

/* Where the entry at that place in the order begins; behind the last one, the end. */
static Size
start_of(const RspgArena *arena, int position)
{
	return position < arena->n ? arena->entries[arena->order[position]].start : arena->size;
}

static Size
end_of(const RspgArena *arena, int position)
{
	const RspgArenaEntry *entry;

	if (position < 0)
		return 0;
	entry = &arena->entries[arena->order[position]];
	return entry->start + entry->size;
}

/*
 * The stretch *first .. *end - 1 of the order, which may go, between whose neighbours
 * size bytes fit; of no entry where there is a gap.
 */
static bool
choose(RspgArena *arena, Size size, const RspgArenaKey *beside, int *first, int *end)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz best = PG_INT64_MAX;

	for (int i = 0; i <= arena->n; i++)
	{
		TimestampTz latest = PG_INT64_MIN; /* use of what would go */

		for (int j = i; latest < best; j++)
		{
			RspgArenaEntry *entry;

			if (arena->n - (j - i) < arena->max &&
				start_of(arena, j) - end_of(arena, i - 1) >= size)
			{
				best = latest;
				*first = i;
				*end = j;
				break;
			}
			if (j == arena->n)
				break;
			entry = &arena->entries[arena->order[j]];
			if (!may_go(entry, now, beside))
				break;
			latest = Max(latest, (TimestampTz) pg_atomic_read_u64(&entry->used));
		}
	}
	return best < PG_INT64_MAX;
}

static void
remove_at(RspgArena *arena, int position)
{
	arena->entries[arena->order[position]].state = RSPG_ARENA_FREE;
	memset(&arena->entries[arena->order[position]].key, 0, sizeof(RspgArenaKey));
	arena->n--;
	memmove(&arena->order[position], &arena->order[position + 1],
			(arena->n - position) * sizeof(int));
}

/* False: somebody has pinned it meanwhile. */
static bool
evict_at(RspgArena *arena, int position)
{
	RspgArenaEntry *entry = &arena->entries[arena->order[position]];
	uint64 hold = pg_atomic_read_u64(&entry->hold);
	uint64 next = (uint64) (rspg_arena_generation(hold) + 1) << 32;

	if (rspg_arena_pins(hold) != 0 || !pg_atomic_compare_exchange_u64(&entry->hold, &hold, next))
		return false;
	remove_at(arena, position);
	return true;
}

int
rspg_arena_make(RspgArena *arena, Size size, const RspgArenaKey *beside)
{
	int number = 0;
	int first = 0;
	int end = 0;

	size = TYPEALIGN(RSPG_ARENA_ALIGNMENT, size);
	for (;;)
	{
		if (!choose(arena, size, beside, &first, &end))
			return -1;
		while (end > first && evict_at(arena, first))
			end--;
		if (end == first)
			break;
	}
	while (arena->entries[number].state != RSPG_ARENA_FREE)
		number++;
	arena->entries[number].start = end_of(arena, first - 1);
	arena->entries[number].size = size;
	memmove(&arena->order[first + 1], &arena->order[first], (arena->n - first) * sizeof(int));
	arena->order[first] = number;
	arena->n++;
	return number;
}

void
rspg_arena_give_up(RspgArena *arena, int number)
{
	RspgArenaEntry *entry = &arena->entries[number];
	uint64 hold = pg_atomic_read_u64(&entry->hold);
	int position = 0;

	pg_atomic_write_u64(&entry->hold, (uint64) (rspg_arena_generation(hold) + 1) << 32);
	while (arena->order[position] != number)
		position++;
	remove_at(arena, position);
}
