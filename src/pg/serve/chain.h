/*
 * chain.h
 *		The stages that stand above the ranking.
 */
#ifndef RSPG_CHAIN_H
#define RSPG_CHAIN_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

/* The uppermost of those that the request asks for; the ranking itself for none. */
extern RspgStage *rspg_chain_above(const RspgRequest *request, RspgAnswer *answer,
								   RspgStage *ranking);

#endif
