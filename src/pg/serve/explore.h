/*
 * explore.h
 *		A stage that gives new items a share of the list.
 */
#ifndef RSPG_EXPLORE_H
#define RSPG_EXPLORE_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

/* Where the request asks for it, have the answer know new items, before its masks and
 * its history.  22023 for a share that is none, 55000 without a relation of items. */
extern void rspg_explore_begin(const RspgRequest *request, RspgAnswer *answer);

extern RspgStage *rspg_explore_stage(const RspgRequest *request, RspgAnswer *answer,
									 RspgStage *below);

#endif
