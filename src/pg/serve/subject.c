/*
 * subject.c
 *		Whom or what an answer is for: a user by what they did, somebody by features
 *		or by a list of items, an item.
 */
#include "pg/serve/subject.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "pg/base/idmap.h"
#include "pg/base/jsonb_read.h"
#include "pg/encode/rowvalues.h"
#include "pg/model/source.h"

static void read_user(const RspgRequest *request, const RspgRegistryRow *row, RspgAnswer *answer);
static ArrayType *vector_of(Jsonb *array);
static void read_features(const RspgRequest *request, RspgAnswer *answer);

static RspgRegistryRow *
find_model(const RspgRequest *request)
{
	RspgRegistryRow *row = rspg_registry_find(request->model);

	if (request->version != 0)
		rspg_registry_choose_version(row, request->version);
	if (OidIsValid(request->user.type))
		rspg_source_check(row);
	return row;
}

RspgStored *
rspg_subject_open(const RspgRequest *request, FmgrInfo *flinfo, RspgRegistryRow **row)
{
	*row = NULL;
	if (request->by_value)
		return request->value == NULL ? NULL : rspg_store_open_value(flinfo, request->value);
	*row = find_model(request);
	return rspg_store_open(*row);
}

void
rspg_subject_read(const RspgRequest *request, const RspgRegistryRow *row, RspgAnswer *answer)
{
	if (OidIsValid(request->user.type))
		read_user(request, row, answer);
	else
	{
		if (!request->features.null)
			read_features(request, answer);
		rspg_answer_items(answer, request->items, request->exclude_seen);
	}
}

bool
rspg_subject_ordered(const RspgRegistryRow *row, const RsModel *model)
{
	return row->time_column != NULL &&
		   (rs_algorithm_flags(model->algorithm, &model->options, model->timed) & RS_SEQUENCES) !=
			   0;
}

RspgSeen
rspg_subject_seen(const RspgRequest *request, const RspgRegistryRow *row)
{
	RspgSeen seen = {NULL, NULL};

	rspg_source_check_seen(row->event_column != NULL, request->exclude_events,
						   row->time_column != NULL, request->exclude_for);
	if (request->exclude_seen)
		seen = (RspgSeen){request->exclude_events ? request->exclude_events : row->exclude_events,
						  request->exclude_for ? request->exclude_for : row->exclude_for};
	return seen;
}

static void
read_user(const RspgRequest *request, const RspgRegistryRow *row, RspgAnswer *answer)
{
	const RsModel *model = answer->model;
	RspgSeen seen;
	RspgHistory history;
	HeapTupleHeader user_row;
	RspgConverter to_model;
	bool ordered;
	uint64 i;

	if (request->user.null)
		return;
	seen = rspg_subject_seen(request, row);
	ordered = rspg_subject_ordered(row, model);
	history = rspg_history_read(row, ordered, &seen, request->user.value, request->user.type);
	user_row = row->features == NULL
				   ? NULL
				   : rspg_user_row_read(row, request->user.value, request->user.type);
	if (user_row != NULL)
		rspg_answer_user_row(answer, user_row);
	rspg_answer_history(answer, history.n);
	/* the source's item column may have been altered since the training */
	rspg_converter_init(&to_model, history.item_type, rspg_id_type_oid(model->ids.type));
	for (i = 0; i < history.n; i++)
		rspg_answer_add(answer, rspg_answer_find(answer, &to_model, history.item[i]),
						history.weight[i], history.weight_is_null[i],
						request->exclude_seen && history.seen[i]);
	if (!ordered)
		rspg_answer_sort(answer);
}

/* The numbers of a JSON array. */
static ArrayType *
vector_of(Jsonb *array)
{
	JsonbIterator *iterator = JsonbIteratorInit(&array->root);
	Datum *number = palloc(sizeof(Datum) * Max(JB_ROOT_COUNT(array), 1));
	JsonbValue value;
	float8 wide;
	int n = 0;

	while (rspg_jsonb_next_element(&iterator, &value))
	{
		if (value.type != jbvNumeric ||
			!rspg_number_of(NUMERICOID, NumericGetDatum(value.val.numeric), &wide))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("features must be a JSON object, or an array of numbers")));
		number[n++] = DirectFunctionCall1(dtof, Float8GetDatum(wide));
	}
	return construct_array(number, n, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT);
}

static void
read_features(const RspgRequest *request, RspgAnswer *answer)
{
	Datum features = request->features.value;

	if (request->features.type == TEXTOID)
		features = DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(features)));
	if (request->features.type == FLOAT4ARRAYOID)
		rspg_answer_features(answer, DatumGetArrayTypeP(features));
	else if (request->features.type == TEXTOID && JB_ROOT_IS_ARRAY(DatumGetJsonbP(features)))
		rspg_answer_features(answer, vector_of(DatumGetJsonbP(features)));
	else
		rspg_answer_user_object(answer, DatumGetJsonbP(features));
}

int64
rspg_subject_item(const RspgRequest *request, const RspgAnswer *answer)
{
	RspgConverter to_model;

	if (request->item.null)
		return -1;
	rspg_converter_init(&to_model, request->item.type, rspg_id_type_oid(answer->model->ids.type));
	return rspg_answer_find(answer, &to_model, request->item.value);
}
