/*
 * ranking.c
 *		The stage below all: items in the order of their scores, and behind them
 *		those that only popularity speaks for.
 *
 * The first call is one pass for as many as it asks for, and mostly the only one.
 * Each further one that needs more ranks twice as many anew.
 */
#include "pg/serve/ranking.h"

#include "utils/memutils.h"

typedef struct Ranking
{
	RspgStage stage;
	RspgAnswer *answer;
	bool similar;
	int64 item;
	RsHit *hits;   /* of the model, in order */
	bool borrowed; /* they are not the stage's own */
	uint32 n;
	uint32 given;      /* of the hits */
	bool all;          /* there are no more than n */
	bool popular;      /* what was given cannot come again */
	uint32 popular_at; /* in the items by popularity */
} Ranking;

static void rank(Ranking *ranking, uint32 wanted);
static uint32 take_popular(Ranking *ranking, RspgPick *picks, uint32 n);

/* The best ones, as many as wanted. */
static void
rank(Ranking *ranking, uint32 wanted)
{
	RspgAnswer *answer = ranking->answer;
	RspgStored *stored = answer->stored;
	RsHistory history = rspg_answer_as_history(answer);

	if (ranking->hits != NULL && !ranking->borrowed)
		pfree(ranking->hits);
	ranking->borrowed = false;
	ranking->hits =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) wanted, 1) * sizeof(RsHit));
	ranking->n = 0;
	if (ranking->similar && ranking->item >= 0)
		rspg_check(&stored->ctx, rs_serving_similar(&stored->ctx, stored->serving, stored->scratch,
													(uint32) ranking->item, &answer->mask, wanted,
													ranking->hits, &ranking->n));
	else if (!ranking->similar && (history.n > 0 || history.features != NULL))
		rspg_check(&stored->ctx,
				   rs_serving_recommend(&stored->ctx, stored->serving, stored->scratch, &history,
										&answer->mask, wanted, ranking->hits, &ranking->n));
	ranking->all = ranking->n < wanted || wanted == answer->model->ids.n;
}

static uint32
take_popular(Ranking *ranking, RspgPick *picks, uint32 n)
{
	RspgAnswer *answer = ranking->answer;
	RsHit *hits = palloc(sizeof(RsHit) * (Size) n);
	uint32 found;
	uint32 i;

	if (!ranking->popular)
		for (i = 0; i < ranking->n; i++)
			rspg_bitmap_add(answer->exclude, ranking->hits[i].item);
	ranking->popular = true;
	found =
		rs_serving_popular(answer->stored->serving, &answer->mask, &ranking->popular_at, n, hits);
	for (i = 0; i < found; i++)
		picks[i] = (RspgPick){hits[i].item, hits[i].score, RSPG_FROM_POPULARITY};
	pfree(hits);
	return found;
}

static uint32
next(RspgStage *stage, RspgPick *picks, uint32 n)
{
	Ranking *ranking = (Ranking *) stage;
	uint32 items = ranking->answer->model->ids.n;
	uint32 done = 0;

	n = Min(n, items - Min(ranking->given, items));
	if (ranking->given + n > ranking->n && !ranking->all)
		rank(ranking, Min(Max(ranking->given + n, 2 * (uint64) ranking->n), items));
	while (done < n && ranking->given < ranking->n)
	{
		RsHit hit = ranking->hits[ranking->given++];

		picks[done++] = (RspgPick){hit.item, hit.score, RSPG_FROM_MODEL};
	}
	if (done < n && !ranking->similar)
		done += take_popular(ranking, picks + done, n - done);
	return done;
}

RspgStage *
rspg_ranking_stage(const RspgRequest *request, RspgAnswer *answer, int64 item)
{
	Ranking *ranking = palloc0(sizeof(Ranking));

	ranking->stage.next = next;
	ranking->answer = answer;
	ranking->similar = OidIsValid(request->item.type);
	ranking->item = item;
	return &ranking->stage;
}

RspgStage *
rspg_ranking_stage_of(RspgAnswer *answer, RsHit *hits, uint32 n, uint32 wanted)
{
	Ranking *ranking = palloc0(sizeof(Ranking));

	ranking->stage.next = next;
	ranking->answer = answer;
	ranking->hits = hits;
	ranking->n = n;
	ranking->borrowed = true;
	ranking->all = n < wanted || wanted == answer->model->ids.n;
	return &ranking->stage;
}

void
rspg_ranking_restart(RspgStage *stage)
{
	Ranking *ranking = (Ranking *) stage;

	ranking->n = 0;
	ranking->given = 0;
	ranking->all = false;
	ranking->popular = false;
	ranking->popular_at = 0;
}
