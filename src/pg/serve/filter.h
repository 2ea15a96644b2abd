/*
 * filter.h
 *		A stage that lets those items through for which the request's filter is true.
 */
#ifndef RSPG_FILTER_H
#define RSPG_FILTER_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

/* Right above the ranking, which is below; below itself where there is no filter. */
extern RspgStage *rspg_filter_stage(const RspgRequest *request, RspgAnswer *answer,
									RspgStage *below);

#endif
