/*
 * diversity.h
 *		A stage that makes a list varied: diversity, and no more of a group than
 *		max_per_group.
 */
#ifndef RSPG_DIVERSITY_H
#define RSPG_DIVERSITY_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

/* Below itself where neither is asked for. */
extern RspgStage *rspg_diversity_stage(const RspgRequest *request, RspgAnswer *answer,
									   RspgStage *below);

#endif
