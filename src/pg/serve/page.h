/*
 * page.h
 *		A stage that leaves out the rows of the pages before.
 */
#ifndef RSPG_PAGE_H
#define RSPG_PAGE_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

/* Below itself where nothing is to be skipped. */
extern RspgStage *rspg_page_stage(const RspgRequest *request, RspgAnswer *answer, RspgStage *below);

#endif
