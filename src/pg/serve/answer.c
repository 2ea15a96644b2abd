/*
 * answer.c
 *		From ids and a model to the rows of an answer.
 */
#include "pg/serve/answer.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/idmap.h"

#define SOURCE_MODEL "model"
#define SOURCE_POPULARITY "popularity"

static uint64 *bitmap(const RspgAnswer *answer);
static void mark(uint64 *bits, int64 item);
static void emit(RspgAnswer *answer, const RsHit *hits, uint32 n, uint32 first_rank,
				 const char *source, ReturnSetInfo *result);

bool
rspg_answer_wanted(FunctionCallInfo fcinfo, int k_arg)
{
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(k_arg))
		return false;
	if (PG_GETARG_INT32(k_arg) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("k must not be negative, but is %d", PG_GETARG_INT32(k_arg))));
	return PG_GETARG_INT32(k_arg) > 0;
}

ArrayType *
rspg_array_or_null(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : PG_GETARG_ARRAYTYPE_P(arg);
}

RspgAnswer
rspg_answer_begin(RspgStored *stored, Oid id_type)
{
	RspgAnswer answer;
	RsIdType model_type;

	memset(&answer, 0, sizeof(answer));
	answer.stored = stored;
	answer.model = rs_serving_model(stored->serving);
	answer.id_type = id_type;
	model_type = answer.model->ids.type;
	if (id_type != TEXTOID && id_type != rspg_id_type_oid(model_type))
		ereport(
			ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the model has item ids of type %s, not %s", rspg_id_type_name(model_type),
					rspg_id_type_name(rspg_id_type(id_type))),
			 model_type == RS_ID_TEXT
				 ? errhint("Pass ids of type text.")
				 : errhint("Pass ids of type %s, or of type text: the answer then has text ids.",
						   rspg_id_type_name(model_type))));
	rspg_converter_init(&answer.converter, id_type, rspg_id_type_oid(model_type));
	return answer;
}

int64
rspg_answer_find(RspgAnswer *answer, Datum id)
{
	Datum converted;

	if (!rspg_convert_id(&answer->converter, id, &converted))
		return -1;
	return rspg_ids_find(&answer->model->ids, converted);
}

static uint64 *
bitmap(const RspgAnswer *answer)
{
	Size words = ((Size) answer->model->ids.n + 63) / 64;

	return palloc0(Max(words, 1) * sizeof(uint64));
}

static void
mark(uint64 *bits, int64 item)
{
	bits[item / 64] |= UINT64CONST(1) << (item % 64);
}

/* A bitmap of those of the ids that the model knows. */
static uint64 *
bitmap_of(RspgAnswer *answer, ArrayType *array, const char *what)
{
	RspgIdArray ids = rspg_id_array(array, what);
	uint64 *bits = bitmap(answer);
	int i;

	for (i = 0; i < ids.n; i++)
	{
		int64 item = rspg_answer_find(answer, ids.id[i]);

		if (item >= 0)
			mark(bits, item);
	}
	return bits;
}

void
rspg_answer_masks(RspgAnswer *answer, ArrayType *exclude, ArrayType *candidates)
{
	answer->exclude = bitmap_of(answer, exclude, "exclude");
	answer->mask.exclude = answer->exclude;
	if (candidates != NULL)
		answer->mask.include = bitmap_of(answer, candidates, "candidates");
}

void
rspg_answer_history(RspgAnswer *answer, uint64 n)
{
	if (n > PG_UINT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("a history has more than %u events", PG_UINT32_MAX)));
	answer->n = 0;
	answer->item = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(uint32));
	answer->weight = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(float));
}

void
rspg_answer_add(RspgAnswer *answer, int64 item, float8 weight, bool weight_is_null,
				bool exclude_seen)
{
	if (!weight_is_null && (!isfinite(weight) || fabs(weight) > FLT_MAX))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("weight must be a finite number within the range of real"),
						errdetail("The history has an event of weight %g.", weight)));
	if (item < 0)
		return;
	if (exclude_seen)
		mark(answer->exclude, item);
	if (weight_is_null)
		return;
	answer->item[answer->n] = (uint32) item;
	/* as in training (events.c) */
	answer->weight[answer->n] = fabs(weight) < FLT_MIN ? 0 : (float) weight;
	answer->n++;
}

void
rspg_answer_items(RspgAnswer *answer, ArrayType *array, bool exclude_seen)
{
	RspgIdArray items = rspg_id_array(array, "items");
	int i;

	rspg_answer_history(answer, (uint64) items.n);
	for (i = 0; i < items.n; i++)
		rspg_answer_add(answer, rspg_answer_find(answer, items.id[i]), 1.0, false, exclude_seen);
}

void
rspg_answer_recommend(RspgAnswer *answer, int32 k, ReturnSetInfo *result)
{
	RspgStored *stored = answer->stored;
	RsHistory history = {.n = answer->n,
						 .item = answer->item,
						 .weight = answer->weight,
						 .features = answer->features,
						 .n_features = answer->n_features};
	uint32 wanted = Min((uint32) k, answer->model->ids.n);
	uint32 n = 0;
	uint32 n_popular;
	uint32 i;
	RsHit *hits;

	hits = MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) wanted, 1) * sizeof(RsHit));
	if (history.n > 0 || history.features != NULL)
		rspg_check(&stored->ctx,
				   rs_serving_recommend(&stored->ctx, stored->serving, stored->scratch, &history,
										&answer->mask, wanted, hits, &n));
	emit(answer, hits, n, 1, SOURCE_MODEL, result);
	if (n == wanted)
		return;
	for (i = 0; i < n; i++)
		mark(answer->exclude, hits[i].item);
	n_popular = rs_serving_popular(stored->serving, &answer->mask, wanted - n, hits);
	emit(answer, hits, n_popular, n + 1, SOURCE_POPULARITY, result);
}

void
rspg_answer_similar(RspgAnswer *answer, uint32 item, int32 k, ReturnSetInfo *result)
{
	RspgStored *stored = answer->stored;
	uint32 wanted = Min((uint32) k, answer->model->ids.n);
	uint32 n = 0;
	RsHit *hits;

	hits = MemoryContextAllocHuge(CurrentMemoryContext, Max((Size) wanted, 1) * sizeof(RsHit));
	rspg_check(&stored->ctx, rs_serving_similar(&stored->ctx, stored->serving, stored->scratch,
												item, &answer->mask, wanted, hits, &n));
	emit(answer, hits, n, 1, NULL, result);
}

/*
 * Write rows; source NULL: the answer has no such column.
 */
static void
emit(RspgAnswer *answer, const RsHit *hits, uint32 n, uint32 first_rank, const char *source,
	 ReturnSetInfo *result)
{
	const RsIds *ids = &answer->model->ids;
	Oid model_type = rspg_id_type_oid(ids->type);
	RspgConverter back;
	Datum values[4];
	bool nulls[4] = {false, false, false, false};
	uint32 i;

	if (n == 0)
		return;
	rspg_converter_init(&back, model_type, answer->id_type);
	if (source != NULL)
		values[3] = CStringGetTextDatum(source);
	for (i = 0; i < n; i++)
	{
		Datum id = rspg_ids_datum(ids, hits[i].item);

		(void) rspg_convert_id(&back, id, &values[0]);
		values[1] = Float4GetDatum(hits[i].score);
		values[2] = Int32GetDatum((int32) (first_rank + i));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}
