/*
 * chain.c
 *		The stages that stand above the ranking.
 */
#include "pg/serve/chain.h"

#include "pg/serve/diversity.h"
#include "pg/serve/explore.h"
#include "pg/serve/filter.h"
#include "pg/serve/page.h"

/* What comes above the ranking, each taking from the one before; below itself where
 * the request does not ask for it. */
static RspgStage *(*const stages[])(const RspgRequest *request, RspgAnswer *answer,
									RspgStage *below) = {
	rspg_filter_stage,
	rspg_diversity_stage,
	rspg_explore_stage,
	rspg_page_stage,
};

RspgStage *
rspg_chain_above(const RspgRequest *request, RspgAnswer *answer, RspgStage *ranking)
{
	RspgStage *stage = ranking;
	int i;

	for (i = 0; i < lengthof(stages); i++)
		stage = stages[i](request, answer, stage);
	return stage;
}
