/*
 * answer.c
 *		One call on its way: ids as numbers of the model, masks, and whom it is for.
 */
#include "pg/serve/answer.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/base/sort.h"
#include "pg/base/idmap.h"

static void check_id_type(Oid id_type, RsIdType model_type);

/* Bigint for integers of any length; everything has a text. */
static void
check_id_type(Oid id_type, RsIdType model_type)
{
	if (id_type == TEXTOID || rspg_id_type(id_type) == model_type)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("the model has item ids of type %s, not %s", rspg_id_type_name(model_type),
					format_type_be(id_type)),
			 model_type == RS_ID_TEXT
				 ? errhint("Pass ids of type text.")
				 : errhint("Pass ids of type %s, or of type text: the answer then has text ids. "
						   "recsys.recommend_as() takes users of another type than items.",
						   rspg_id_type_name(model_type))));
}

RspgAnswer
rspg_answer_begin(RspgStored *stored, const RspgRegistryRow *row, Oid id_type)
{
	RspgAnswer answer;

	memset(&answer, 0, sizeof(answer));
	answer.stored = stored;
	answer.row = row;
	answer.model = rs_serving_model(stored->serving);
	answer.id_type = id_type;
	check_id_type(id_type, answer.model->ids.type);
	return answer;
}

int64
rspg_answer_find(const RspgAnswer *answer, RspgConverter *converter, Datum id)
{
	Datum converted;
	int64 item;

	CHECK_FOR_INTERRUPTS();
	if (!rspg_convert_id(converter, id, &converted))
		return -1;
	item = rspg_ids_find(&answer->model->ids, converted);
	if (item < 0 && answer->fresh != NULL)
	{
		item = rspg_fresh_find(answer->fresh, converted);
		if (item >= 0)
			item += answer->first_fresh;
	}
	return item;
}

Datum
rspg_answer_datum(const RspgAnswer *answer, uint32 item)
{
	if (answer->fresh != NULL && item >= answer->first_fresh)
		return answer->fresh->item[item - answer->first_fresh].id;
	return rspg_ids_datum(&answer->model->ids, item);
}

Datum
rspg_answer_id(const RspgAnswer *answer, RspgConverter *to_caller, uint32 item)
{
	Datum id;

	if (!rspg_convert_id(to_caller, rspg_answer_datum(answer, item), &id))
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("an item's id is out of range for type %s",
							   format_type_be(answer->id_type)),
						errhint("Ask for ids of type bigint.")));
	return id;
}

ArrayType *
rspg_answer_id_array(const RspgAnswer *answer, RspgConverter *to_query, const RspgPick *picks,
					 uint32 n)
{
	Datum *id = palloc(Max(n, 1) * sizeof(Datum));
	ArrayType *array;
	int16 length;
	bool by_value;
	char align;
	int n_ids = 0;
	uint32 i;

	for (i = 0; i < n; i++)
		if (rspg_convert_id(to_query, rspg_answer_datum(answer, picks[i].item), &id[n_ids]))
			n_ids++;
	get_typlenbyvalalign(to_query->to, &length, &by_value, &align);
	array = construct_array(id, n_ids, to_query->to, length, by_value, align);
	pfree(id);
	return array;
}

static Size
bitmap_size(const RspgAnswer *answer)
{
	Size bits = answer->fresh == NULL ? (Size) answer->model->ids.n
									  : (Size) answer->first_fresh + answer->fresh->n;

	return Max((bits + 63) / 64, 1) * sizeof(uint64);
}

uint64 *
rspg_answer_bitmap(const RspgAnswer *answer)
{
	return palloc0(bitmap_size(answer));
}

uint64 *
rspg_answer_bitmap_copy(const RspgAnswer *answer, const uint64 *bits)
{
	return memcpy(palloc(bitmap_size(answer)), bits, bitmap_size(answer));
}

void
rspg_bitmap_add(uint64 *bits, uint32 item)
{
	bits[item / 64] |= UINT64CONST(1) << (item % 64);
}

bool
rspg_bitmap_has(const uint64 *bits, uint32 item)
{
	return (bits[item / 64] >> (item % 64)) & 1;
}

/* Numbers of the ids of an array (NULL: none), -1 for those that the model does not
 * know; *n how many. */
static int64 *
numbers_of(const RspgAnswer *answer, ArrayType *array, const char *what, int *n)
{
	RspgIdArray ids = rspg_id_array(array, what);
	int64 *number = palloc(sizeof(int64) * Max(ids.n, 1));
	RspgConverter converter;
	int i;

	if (ids.n > 0)
		rspg_converter_init(&converter, ids.type, rspg_id_type_oid(answer->model->ids.type));
	for (i = 0; i < ids.n; i++)
		number[i] = rspg_answer_find(answer, &converter, ids.id[i]);
	*n = ids.n;
	return number;
}

/* A bitmap of those of the ids that the model knows. */
static uint64 *
bitmap_of(const RspgAnswer *answer, ArrayType *array, const char *what)
{
	uint64 *bits = rspg_answer_bitmap(answer);
	int n;
	int64 *number = numbers_of(answer, array, what, &n);
	int i;

	for (i = 0; i < n; i++)
		if (number[i] >= 0)
			rspg_bitmap_add(bits, (uint32) number[i]);
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
		rspg_bitmap_add(answer->exclude, (uint32) item);
	if (weight_is_null || item >= answer->model->ids.n)
		return;
	answer->item[answer->n] = (uint32) item;
	/* as in training (events.c) */
	answer->weight[answer->n] = fabs(weight) < FLT_MIN ? 0 : (float) weight;
	answer->n++;
}

static inline bool
event_less(const void *answer, uint64_t a, uint64_t b)
{
	const RspgAnswer *of = answer;

	return of->item[a] != of->item[b] ? of->item[a] < of->item[b] : of->weight[a] < of->weight[b];
}

static inline void
event_swap(void *answer, uint64_t a, uint64_t b)
{
	const RspgAnswer *of = answer;
	uint32 item = of->item[a];
	float weight = of->weight[a];

	of->item[a] = of->item[b];
	of->weight[a] = of->weight[b];
	of->item[b] = item;
	of->weight[b] = weight;
}

void
rspg_answer_sort(RspgAnswer *answer)
{
	(void) rs_sort_in_place(NULL, answer, answer->n, event_less, event_swap);
}

void
rspg_answer_items(RspgAnswer *answer, ArrayType *array, bool exclude_seen)
{
	int n;
	int64 *number = numbers_of(answer, array, "items", &n);
	int i;

	rspg_answer_history(answer, (uint64) n);
	for (i = 0; i < n; i++)
		rspg_answer_add(answer, number[i], 1.0, false, exclude_seen);
}

RsHistory
rspg_answer_as_history(const RspgAnswer *answer)
{
	return (RsHistory){.n = answer->n,
					   .item = answer->item,
					   .weight = answer->weight,
					   .features = answer->features,
					   .n_features = answer->n_features};
}
