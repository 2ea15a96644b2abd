/*
 * explain.c
 *		explain, explain_for_items, explain_with: the parts of a score; because: of each
 *		item of a list, the item of the history that speaks for it most.
 *
 * The parts are those of rs_explain: of each past item, of each column of the user's
 * features, and of neither.  They sum to the score.
 */
#include "pg/base/rspg.h"

#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/idmap.h"
#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/subject.h"

/* What an item of the history adds to a score. */
typedef struct Part
{
	uint32 item;
	float8 contribution;
} Part;

/* The history's items, each once. */
typedef struct Parts
{
	uint32 n;
	Part *part;
	RsExplanation all; /* as the core gives it */
} Parts;

static void explain_score(const RspgRequest *request, const RspgRegistryRow *row,
						  RspgStored *stored, ReturnSetInfo *result);

PG_FUNCTION_INFO_V1(recsys_explain);
PG_FUNCTION_INFO_V1(recsys_because);

static RspgAnswer
begin(const RspgRequest *request, const RspgRegistryRow *row, RspgStored *stored)
{
	RspgAnswer answer = rspg_answer_begin(stored, row, request->id_type);

	rspg_answer_masks(&answer, NULL, NULL);
	rspg_subject_read(request, row, &answer);
	return answer;
}

static int
by_item(const void *a, const void *b)
{
	uint32 left = ((const Part *) a)->item;
	uint32 right = ((const Part *) b)->item;

	return left < right ? -1 : left > right;
}

/* Greatest first, ties by item. */
static int
by_contribution(const void *a, const void *b)
{
	float8 left = ((const Part *) a)->contribution;
	float8 right = ((const Part *) b)->contribution;

	return left > right ? -1 : left < right ? 1 : by_item(a, b);
}

static Parts
make_parts(const RspgAnswer *answer)
{
	Parts parts = {0};

	parts.part =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) answer->n, 1) * sizeof(Part));
	parts.all.events =
		MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) answer->n, 1) * sizeof(float));
	if (answer->features != NULL)
		parts.all.features = palloc(Max((Size) answer->n_features, 1) * sizeof(float));
	return parts;
}

/* Take the score of an item apart; what an item's entries add is summed. */
static void
fill_parts(const RspgAnswer *answer, uint32 item, Parts *parts)
{
	RsHistory history = rspg_answer_as_history(answer);
	RsContext *ctx = &answer->stored->ctx;
	uint32 i;

	rspg_check(ctx, rs_explain(ctx, answer->model, &history, item, &parts->all));
	for (i = 0; i < answer->n; i++)
		parts->part[i] = (Part){answer->item[i], parts->all.events[i]};
	pg_qsort(parts->part, answer->n, sizeof(Part), by_item);
	parts->n = 0;
	for (i = 0; i < answer->n; i++)
	{
		if (parts->n > 0 && parts->part[parts->n - 1].item == parts->part[i].item)
			parts->part[parts->n - 1].contribution += parts->part[i].contribution;
		else
			parts->part[parts->n++] = parts->part[i];
	}
}

/* --- the rows of a score --- */

/* (item_id, input, contribution, method), with the columns that are null. */
static void
put_row(ReturnSetInfo *result, Datum id, const char *input, bool is_item, float8 contribution,
		const char *method)
{
	Datum values[4] = {id, (Datum) 0, Float8GetDatum(contribution), CStringGetTextDatum(method)};
	bool nulls[4] = {!is_item, input == NULL, false, false};

	if (contribution == 0)
		return;
	if (input != NULL)
		values[1] = CStringGetTextDatum(input);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Of a column of the encoder the sum over its features, or of each feature. */
static void
put_features(const RspgAnswer *answer, const float *feature, const char *method,
			 ReturnSetInfo *result)
{
	const RsEncoder *encoder = rspg_store_encoder(answer->stored);
	uint32 columns = encoder == NULL ? answer->n_features : rs_encoder_columns(encoder);
	uint32 i;

	for (i = 0; i < columns; i++)
	{
		RsEncoderColumn column = {.first = i, .width = 1};
		float8 sum = 0;
		uint32 j;

		if (encoder != NULL)
			column = rs_encoder_column(encoder, i);
		else
			column.name = psprintf("features[%u]", i + 1);
		for (j = column.first; j < column.first + column.width; j++)
			sum += feature[j];
		put_row(result, (Datum) 0, column.name, false, sum, method);
	}
}

static void
explain_score(const RspgRequest *request, const RspgRegistryRow *row, RspgStored *stored,
			  ReturnSetInfo *result)
{
	RspgAnswer answer = begin(request, row, stored);
	const RsModel *model = answer.model;
	int64 item = rspg_subject_item(request, &answer);
	const char *method = model->algorithm->explain_method;
	RspgConverter to_caller;
	Parts parts;
	uint32 i;

	if (item < 0)
		return;
	if (method == NULL)
		method = "exact";
	parts = make_parts(&answer);
	fill_parts(&answer, (uint32) item, &parts);
	pg_qsort(parts.part, parts.n, sizeof(Part), by_contribution);
	rspg_converter_init(&to_caller, rspg_id_type_oid(model->ids.type), answer.id_type);
	for (i = 0; i < parts.n; i++)
		put_row(result, rspg_answer_id(&answer, &to_caller, parts.part[i].item), NULL, true,
				parts.part[i].contribution, method);
	if (answer.features != NULL)
		put_features(&answer, parts.all.features, method, result);
	put_row(result, (Datum) 0, NULL, false, parts.all.rest, method);
}

/*
 * recsys.explain(user_id, item_id, model, version), explain_for_items(items, item_id, …),
 * explain_with(model recsys.model, items, item_id)
 */
static Datum
explain(PG_FUNCTION_ARGS)
{
	RspgRequest request = rspg_request_read(fcinfo);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RspgRegistryRow *row;
	RspgStored *stored;

	if (request.item.null)
		return (Datum) 0;
	stored = rspg_subject_open(&request, fcinfo->flinfo, &row);
	if (stored != NULL)
		explain_score(&request, row, stored, result);
	return (Datum) 0;
}

Datum
recsys_explain(PG_FUNCTION_ARGS)
{
	return rspg_store_call(explain, fcinfo);
}

/* --- a list --- */

/* (item_id, because_item_id, contribution) of an item of the list. */
static void
put_reason(const RspgAnswer *answer, Datum id, int64 item, Parts *parts, RspgConverter *to_caller,
		   ReturnSetInfo *result)
{
	Datum values[3] = {id, (Datum) 0, (Datum) 0};
	bool nulls[3] = {false, true, true};
	const Part *best = NULL;
	uint32 i;

	if (item >= 0)
		fill_parts(answer, (uint32) item, parts);
	for (i = 0; item >= 0 && i < parts->n; i++)
	{
		const Part *part = &parts->part[i];

		/* an item is no reason for itself */
		if (part->contribution > 0 && part->item != (uint32) item &&
			(best == NULL || part->contribution > best->contribution))
			best = part;
	}
	if (best != NULL)
	{
		values[1] = rspg_answer_id(answer, to_caller, best->item);
		values[2] = Float8GetDatum(best->contribution);
		nulls[1] = nulls[2] = false;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * recsys.because(user_id, items, model, version)
 */
static Datum
because(PG_FUNCTION_ARGS)
{
	RspgRequest request = rspg_request_read(fcinfo);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RspgIdArray list = rspg_id_array(request.items, "items");
	RspgConverter to_caller;
	RspgConverter to_model;
	RspgRegistryRow *row;
	RspgStored *stored;
	RspgAnswer answer;
	Parts parts;
	int i;

	if (list.n == 0)
		return (Datum) 0;
	stored = rspg_subject_open(&request, fcinfo->flinfo, &row);
	answer = begin(&request, row, stored);
	rspg_converter_init(&to_caller, rspg_id_type_oid(answer.model->ids.type), answer.id_type);
	rspg_converter_init(&to_model, list.type, rspg_id_type_oid(answer.model->ids.type));
	parts = make_parts(&answer);
	for (i = 0; i < list.n; i++)
		put_reason(&answer, list.id[i], rspg_answer_find(&answer, &to_model, list.id[i]), &parts,
				   &to_caller, result);
	return (Datum) 0;
}

Datum
recsys_because(PG_FUNCTION_ARGS)
{
	return rspg_store_call(because, fcinfo);
}
