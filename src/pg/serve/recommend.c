/*
 * recommend.c
 *		The function behind recommend, recommend_for_items, recommend_for_features,
 *		the same with a model value, and similar_items: they differ in their arguments.
 *
 * One call: find the registered model by the caller's snapshot, open its version
 * (kept by the backend), read the user's events as the caller, score.  All rows are
 * computed within the call.
 */
#include "pg/base/rspg.h"

#include "nodes/execnodes.h"

#include "pg/model/registry.h"
#include "pg/model/store.h"
#include "pg/serve/answer.h"
#include "pg/serve/chain.h"
#include "pg/serve/explore.h"
#include "pg/serve/ranking.h"
#include "pg/serve/request.h"
#include "pg/serve/emit.h"
#include "pg/serve/subject.h"

static void answer_request(const RspgRequest *request, const RspgRegistryRow *row,
						   RspgStored *stored, ReturnSetInfo *result);

PG_FUNCTION_INFO_V1(recsys_recommend);

static void
answer_request(const RspgRequest *request, const RspgRegistryRow *row, RspgStored *stored,
			   ReturnSetInfo *result)
{
	/* ids of a wrong type are refused before any history is read */
	RspgAnswer answer = rspg_answer_begin(stored, row, request->id_type);
	RspgStage *stage;

	rspg_explore_begin(request, &answer);
	rspg_answer_masks(&answer, request->exclude, request->candidates);
	rspg_subject_read(request, row, &answer);
	stage = rspg_ranking_stage(request, &answer, rspg_subject_item(request, &answer));
	stage = rspg_chain_above(request, &answer, stage);
	rspg_emit(request, &answer, row == NULL ? 0 : row->live_version, stage, result);
}

static Datum
recommend(PG_FUNCTION_ARGS)
{
	RspgRequest request = rspg_request_read(fcinfo);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RspgRegistryRow *row;
	RspgStored *stored;

	if (request.k == 0)
		return (Datum) 0;
	stored = rspg_subject_open(&request, fcinfo->flinfo, &row);
	if (stored != NULL)
		answer_request(&request, row, stored, result);
	return (Datum) 0;
}

Datum
recsys_recommend(PG_FUNCTION_ARGS)
{
	return rspg_store_call(recommend, fcinfo);
}
