/*
 * diversity.c
 *		A stage that makes a list varied: diversity, and no more of a group than
 *		max_per_group.
 *
 * The rows of all pages up to the one that is asked for are chosen from one deep list
 * of candidates (variety.h).  What comes after them, and what popularity fills up
 * with, follows in its order, as far as its groups have room; where these let too few
 * through, the stage below is asked for more.
 */
#include "pg/serve/diversity.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/serving/variety.h"
#include "pg/serve/groups.h"

#define AT_ONCE 1024

typedef struct Diversity
{
	RspgStage stage;
	RspgAnswer *answer;
	uint32 wanted; /* rows up to the last one of the page */
	double diversity;
	RsVarietyMethod method;
	RspgGroups *groups; /* NULL: none */

	bool begun;
	bool ended;      /* there is nothing more below */
	RspgPick *picks; /* [n] candidates, by score */
	uint32 n;
	RsQuota quota;
	uint32 *chosen; /* [n_chosen] places of what comes first */
	uint32 n_chosen;
	uint32 given;
	bool *gone; /* [n] among the chosen */
	uint32 at;  /* of the candidates, by score, after the chosen */
} Diversity;

static void fetch(Diversity *diversity, uint32 n);
static void choose(Diversity *diversity);

/* The next n candidates from below, with their groups. */
static void
fetch(Diversity *diversity, uint32 n)
{
	if (diversity->picks != NULL)
	{
		pfree(diversity->picks);
		pfree(diversity->gone);
	}
	diversity->picks =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) n, 1) * sizeof(RspgPick));
	diversity->n = rspg_stage_next(diversity->stage.below, diversity->picks, n);
	diversity->ended = diversity->n < n;
	diversity->gone = MemoryContextAllocExtended(CurrentMemoryContext, Max((Size) diversity->n, 1),
												 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	diversity->at = 0;
	if (diversity->groups != NULL)
		diversity->quota = rspg_groups_of(diversity->groups, diversity->picks, diversity->n);
}

/* What comes first: chosen from what the model has a score for. */
static void
choose(Diversity *diversity)
{
	RsContext *ctx = &diversity->answer->stored->ctx;
	uint32 items = diversity->answer->model->ids.n;
	RsHit *hits;
	uint32 n;
	uint32 i;

	fetch(diversity, (uint32) Min(rs_variety_depth(diversity->wanted), Max(items, 1)));
	hits =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) diversity->n, 1) * sizeof(RsHit));
	for (n = 0; n < diversity->n && diversity->picks[n].origin == RSPG_FROM_MODEL; n++)
		hits[n] = (RsHit){diversity->picks[n].item, diversity->picks[n].score};
	diversity->chosen =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) n, 1) * sizeof(uint32));
	rspg_check(ctx, rs_variety_choose(ctx, diversity->answer->model, diversity->method,
									  diversity->diversity, hits, n,
									  diversity->groups != NULL ? &diversity->quota : NULL,
									  diversity->wanted, diversity->chosen, &diversity->n_chosen));
	for (i = 0; i < diversity->n_chosen; i++)
		diversity->gone[diversity->chosen[i]] = true;
	pfree(hits);
	diversity->begun = true;
}

static uint32
next(RspgStage *stage, RspgPick *picks, uint32 n)
{
	Diversity *diversity = (Diversity *) stage;
	uint32 done = 0;

	if (!diversity->begun && n > 0)
		choose(diversity);
	while (done < n)
	{
		if (diversity->given < diversity->n_chosen)
			picks[done++] = diversity->picks[diversity->chosen[diversity->given++]];
		else if (diversity->at < diversity->n)
		{
			uint32 i = diversity->at++;

			if (!diversity->gone[i] &&
				(diversity->groups == NULL || rs_quota_take(&diversity->quota, i)))
				picks[done++] = diversity->picks[i];
		}
		else if (diversity->ended)
			break;
		else
			fetch(diversity, AT_ONCE);
	}
	return done;
}

static RsVarietyMethod
method_of(const char *name)
{
	if (name == NULL || strcmp(name, "dpp") == 0)
		return RS_VARIETY_DPP;
	if (strcmp(name, "mmr") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("diversity_method must be \"dpp\" or \"mmr\", but is \"%s\"", name)));
	return RS_VARIETY_MMR;
}

RspgStage *
rspg_diversity_stage(const RspgRequest *request, RspgAnswer *answer, RspgStage *below)
{
	RsVarietyMethod method = method_of(request->diversity_method);
	RspgGroups *groups;
	Diversity *diversity;

	if (!(request->diversity >= 0 && request->diversity <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("diversity must be between 0 and 1, but is %g", request->diversity)));
	groups = rspg_groups_read(request, answer);
	if (request->diversity == 0 && groups == NULL)
		return below;
	diversity = palloc0(sizeof(Diversity));
	diversity->stage.next = next;
	diversity->stage.below = below;
	diversity->answer = answer;
	diversity->wanted = (uint32) Min((uint64) request->skip + request->k, answer->model->ids.n);
	diversity->diversity = request->diversity;
	diversity->method = method;
	diversity->groups = groups;
	return &diversity->stage;
}
