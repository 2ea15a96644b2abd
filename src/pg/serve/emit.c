/*
 * emit.c
 *		From items to the rows of an answer.
 */
#include "pg/serve/emit.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/idmap.h"

#define COLUMNS 5 /* similar items have no source, and a batch has users before them */

void
rspg_emit(const RspgRequest *request, RspgAnswer *answer, int32 version, RspgStage *stage,
		  ReturnSetInfo *result)
{
	const RsModel *model = answer->model;
	bool impersonal =
		rs_algorithm_flags(model->algorithm, &model->options, model->timed) & RS_IMPERSONAL;
	bool sources = result->setDesc->natts >= COLUMNS;
	int at = result->setDesc->natts == RSPG_BATCH_COLUMNS ? 1 : 0;
	uint64 items = (uint64) model->ids.n + (answer->fresh == NULL ? 0 : answer->fresh->n);
	uint32 wanted = (uint32) Min(request->k, items);
	RspgPick *picks =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) wanted, 1) * sizeof(RspgPick));
	uint32 n = rspg_stage_next(stage, picks, wanted);
	Datum source[] = {[RSPG_FROM_MODEL] = CStringGetTextDatum("model"),
					  [RSPG_FROM_POPULARITY] = CStringGetTextDatum("popularity"),
					  [RSPG_FROM_NEW] = CStringGetTextDatum("new")};
	Datum values[RSPG_BATCH_COLUMNS];
	bool nulls[RSPG_BATCH_COLUMNS] = {false};
	RspgConverter to_caller;
	uint32 i;

	rspg_converter_init(&to_caller, rspg_id_type_oid(model->ids.type), answer->id_type);
	values[0] = request->user.value;
	values[at + (sources ? 4 : 3)] = Int32GetDatum(version);
	nulls[at + (sources ? 4 : 3)] = version == 0;
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[at] = rspg_answer_id(answer, &to_caller, picks[i].item);
		values[at + 1] = Float4GetDatum(picks[i].score);
		/* how popular an item is says nothing beside the model's scores */
		nulls[at + 1] = picks[i].origin == RSPG_FROM_NEW ||
						(picks[i].origin == RSPG_FROM_POPULARITY && !impersonal);
		values[at + 2] = Int32GetDatum((int32) (request->skip + i + 1));
		if (sources)
			values[at + 3] = source[picks[i].origin];
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
