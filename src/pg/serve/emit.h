/*
 * emit.h
 *		From items to the rows of an answer.
 */
#ifndef RSPG_EMIT_H
#define RSPG_EMIT_H

#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

#include "nodes/execnodes.h"

/* Write up to request->k items of a stage to the result, which is set up, as rows
 * ([user_id,] item_id, score, rank [, source], version); version 0: null. */
extern void rspg_emit(const RspgRequest *request, RspgAnswer *answer, int32 version,
					  RspgStage *stage, ReturnSetInfo *result);

#endif
