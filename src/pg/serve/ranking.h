/*
 * ranking.h
 *		The stage below all: items in the order of their scores, and behind them
 *		those that only popularity speaks for.
 */
#ifndef RSPG_RANKING_H
#define RSPG_RANKING_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

/* What the answer's history asks for, or where the request names an item (number
 * item, < 0: none that the model knows), what is like it.  Uses the serving's scratch
 * in its calls. */
extern RspgStage *rspg_ranking_stage(const RspgRequest *request, RspgAnswer *answer, int64 item);

/* The same where the best that were wanted are known already: n of them, that stay. */
extern RspgStage *rspg_ranking_stage_of(RspgAnswer *answer, RsHit *hits, uint32 n, uint32 wanted);

/* Rank anew, by the answer's masks as they are by now. */
extern void rspg_ranking_restart(RspgStage *ranking);

#endif
