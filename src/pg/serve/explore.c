/*
 * explore.c
 *		A stage that gives new items, which the model does not know, a share of the
 *		list.
 *
 * Rank r is a new item's where ⌊r e⌋ > ⌊(r − 1) e⌋, of a share e: pages are pages of
 * one list.  Where one side has no more, the other goes on.  Groups are counted here
 * anew, over new and known items alike; the stage below has counted its own.
 */
#include "pg/serve/explore.h"

#include <math.h>

#include "pg/serve/fresh.h"
#include "pg/serve/groups.h"

#define AT_ONCE 256
/* of a share such as 0.29, whose product with 100 is less than 29 */
#define ROUNDING 1e-9

/* Items in their order, with their groups. */
typedef struct Side
{
	RspgPick *picks;
	uint32 n;
	uint32 at;
	RsQuota quota;
} Side;

typedef struct Explore
{
	RspgStage stage;
	RspgAnswer *answer;
	const uint64 *candidates; /* bitmap, or NULL for all */
	double share;
	int64 seed;
	uint64 rank; /* of the last one given */
	RspgGroups *groups;
	bool begun;
	bool ended; /* there is nothing more below */
	Side fresh; /* all of them */
	Side known; /* the latest batch */
} Explore;

/* New items that nothing excludes, as drawn. */
static void
draw(Explore *explore)
{
	RspgAnswer *answer = explore->answer;
	uint32 *order = rspg_fresh_draw(answer->fresh, explore->seed);
	Side *side = &explore->fresh;
	uint32 i;

	side->picks = MemoryContextAllocHuge(CurrentMemoryContext,
										 Max((Size) answer->fresh->n, 1) * sizeof(RspgPick));
	for (i = 0; i < answer->fresh->n; i++)
	{
		uint32 item = answer->first_fresh + order[i];

		if (!rspg_bitmap_has(answer->exclude, item) &&
			(explore->candidates == NULL || rspg_bitmap_has(explore->candidates, item)))
			side->picks[side->n++] = (RspgPick){item, 0, RSPG_FROM_NEW};
	}
	pfree(order);
	if (explore->groups != NULL)
	{
		/* its own copy: those of the next batch take the place of the groups */
		RsQuota quota = rspg_groups_of(explore->groups, side->picks, side->n);
		Size size = Max((Size) side->n, 1) * quota.columns * sizeof(uint32);
		uint32 *group = MemoryContextAllocHuge(CurrentMemoryContext, size);

		memcpy(group, quota.group, size);
		side->quota = quota;
		side->quota.group = group;
	}
	explore->begun = true;
}

static void
fetch(Explore *explore, uint32 n)
{
	Side *side = &explore->known;

	if (side->picks == NULL)
		side->picks = palloc(AT_ONCE * sizeof(RspgPick));
	side->at = 0;
	side->n = rspg_stage_next(explore->stage.below, side->picks, n);
	explore->ended = side->n < n;
	if (explore->groups != NULL)
	{
		side->quota = rspg_groups_of(explore->groups, side->picks, side->n);
		explore->fresh.quota.left = side->quota.left;
	}
}

/* The next one of a side whose groups have room. */
static bool
take(Explore *explore, Side *side, RspgPick *pick)
{
	while (side->at < side->n)
	{
		uint32 i = side->at++;

		if (explore->groups == NULL || rs_quota_take(&side->quota, i))
		{
			*pick = side->picks[i];
			return true;
		}
	}
	return false;
}

static bool
take_known(Explore *explore, uint32 wanted, RspgPick *pick)
{
	for (;;)
	{
		if (take(explore, &explore->known, pick))
			return true;
		if (explore->ended)
			return false;
		fetch(explore, Min(Max(wanted, 1), AT_ONCE));
	}
}

/* Is the next rank a new item's? */
static bool
is_fresh(const Explore *explore)
{
	double before = floor(explore->rank * explore->share + ROUNDING);

	return floor((explore->rank + 1) * explore->share + ROUNDING) > before;
}

static uint32
next(RspgStage *stage, RspgPick *picks, uint32 n)
{
	Explore *explore = (Explore *) stage;
	uint32 done;

	if (!explore->begun)
		draw(explore);
	for (done = 0; done < n; done++)
	{
		RspgPick *pick = &picks[done];
		bool taken = is_fresh(explore) && take(explore, &explore->fresh, pick);

		if (!taken && !take_known(explore, n - done, pick) && !take(explore, &explore->fresh, pick))
			break;
		explore->rank++;
	}
	return done;
}

void
rspg_explore_begin(const RspgRequest *request, RspgAnswer *answer)
{
	if (!(request->explore >= 0 && request->explore <= 1))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("explore must be between 0 and 1, but is %g", request->explore),
						errhint("It is the share of the list that new items have.")));
	if (request->explore == 0)
		return;
	answer->fresh =
		rspg_fresh_read(answer->row, &answer->model->ids, request->filter, request->filter_values);
	answer->first_fresh = TYPEALIGN(64, answer->model->ids.n);
}

RspgStage *
rspg_explore_stage(const RspgRequest *request, RspgAnswer *answer, RspgStage *below)
{
	Explore *explore;

	if (answer->fresh == NULL)
		return below;
	explore = palloc0(sizeof(Explore));
	explore->stage.next = next;
	explore->stage.below = below;
	explore->answer = answer;
	/* as the call has them: a filter may take their place */
	explore->candidates = answer->mask.include;
	explore->share = request->explore;
	explore->seed = request->seed;
	explore->groups = rspg_groups_read(request, answer);
	return &explore->stage;
}
