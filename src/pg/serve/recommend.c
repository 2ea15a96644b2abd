/*
 * recommend.c
 *		The functions that answer: recommend, recommend_for_items, recommend_with,
 *		similar_items.
 *
 * One call: find the registered model by the caller's snapshot, read the user's
 * events as the caller, open the live version (kept by the backend), score.  All
 * rows are computed within the call.
 */
#include "pg/base/rspg.h"

#include "funcapi.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/base/idmap.h"
#include "pg/base/optionjson.h"
#include "pg/model/source.h"
#include "pg/serve/answer.h"
#include "pg/serve/history.h"
#include "pg/model/registry.h"
#include "pg/model/store.h"

static char *model_name(FunctionCallInfo fcinfo, int arg);
static void answer_items(FunctionCallInfo fcinfo, RspgStored *stored, int items_arg, int k_arg);

PG_FUNCTION_INFO_V1(recsys_recommend);
PG_FUNCTION_INFO_V1(recsys_recommend_for_items);
PG_FUNCTION_INFO_V1(recsys_recommend_with);
PG_FUNCTION_INFO_V1(recsys_similar_items);

static char *
model_name(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/*
 * recsys.recommend(user_id T, k, model, exclude_seen, exclude T[], candidates T[])
 */
Datum
recsys_recommend(PG_FUNCTION_ARGS)
{
	Oid id_type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	bool exclude_seen = PG_ARGISNULL(3) || PG_GETARG_BOOL(3);
	RspgHistory history = {0};
	HeapTupleHeader user_row = NULL;
	RspgRegistryRow *row;
	RspgAnswer answer;
	bool ordered;
	RspgConverter to_caller;
	uint64 i;

	if (!rspg_answer_wanted(fcinfo, 1))
		return (Datum) 0;
	row = rspg_registry_find(model_name(fcinfo, 2));
	rspg_source_check(row);
	/* ids of a wrong type are refused before the history is read; reading may run
	 * policies that recommend in their turn, hence the second opening below */
	answer = rspg_answer_begin(rspg_store_open(row), id_type);
	ordered =
		row->time_column != NULL &&
		(rs_algorithm_flags(answer.model->algorithm, &answer.model->options, answer.model->timed) &
		 RS_SEQUENCES) != 0;
	if (!PG_ARGISNULL(0))
		history = rspg_history_read(row, ordered, PG_GETARG_DATUM(0), id_type);
	if (!PG_ARGISNULL(0) && row->features != NULL)
		user_row = rspg_user_row_read(row, PG_GETARG_DATUM(0), id_type);
	answer = rspg_answer_begin(rspg_store_open(row), id_type);
	rspg_answer_masks(&answer, rspg_array_or_null(fcinfo, 4), rspg_array_or_null(fcinfo, 5));
	if (user_row != NULL)
		rspg_answer_user_row(&answer, user_row);
	rspg_answer_history(&answer, history.n);
	/* the source's item column may have been altered since the training */
	rspg_converter_init(&to_caller, OidIsValid(history.item_type) ? history.item_type : id_type,
						rspg_id_type_oid(answer.model->ids.type));
	for (i = 0; i < history.n; i++)
	{
		Datum item;
		bool known = rspg_convert_id(&to_caller, history.item[i], &item);

		rspg_answer_add(&answer, known ? rspg_ids_find(&answer.model->ids, item) : -1,
						history.weight[i], history.weight_is_null[i], exclude_seen);
	}
	rspg_answer_recommend(&answer, PG_GETARG_INT32(1), (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/*
 * (items T[], k, …, exclude_seen, exclude T[], candidates T[]), which stand at
 * the places given.
 */
static void
answer_items(FunctionCallInfo fcinfo, RspgStored *stored, int items_arg, int k_arg)
{
	RspgAnswer answer =
		rspg_answer_begin(stored, get_element_type(get_fn_expr_argtype(fcinfo->flinfo, items_arg)));

	rspg_answer_masks(&answer, rspg_array_or_null(fcinfo, 4), rspg_array_or_null(fcinfo, 5));
	rspg_answer_items(&answer, rspg_array_or_null(fcinfo, items_arg),
					  PG_ARGISNULL(3) || PG_GETARG_BOOL(3));
	rspg_answer_recommend(&answer, PG_GETARG_INT32(k_arg), (ReturnSetInfo *) fcinfo->resultinfo);
}

/*
 * recsys.recommend_for_items(items T[], k, model, exclude_seen, exclude T[],
 * candidates T[])
 */
Datum
recsys_recommend_for_items(PG_FUNCTION_ARGS)
{
	if (rspg_answer_wanted(fcinfo, 1))
		answer_items(fcinfo, rspg_store_open(rspg_registry_find(model_name(fcinfo, 2))), 0, 1);
	return (Datum) 0;
}

/*
 * recsys.recommend_with(model recsys.model, items T[], k, exclude_seen, exclude T[],
 * candidates T[])
 */
Datum
recsys_recommend_with(PG_FUNCTION_ARGS)
{
	if (rspg_answer_wanted(fcinfo, 2) && !PG_ARGISNULL(0))
		answer_items(fcinfo,
					 rspg_store_open_value(fcinfo->flinfo, (struct varlena *) PG_GETARG_POINTER(0)),
					 1, 2);
	return (Datum) 0;
}

/*
 * recsys.similar_items(item_id T, k, model, exclude T[], candidates T[])
 */
Datum
recsys_similar_items(PG_FUNCTION_ARGS)
{
	Oid id_type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	RspgAnswer answer;
	int64 item;

	if (!rspg_answer_wanted(fcinfo, 1))
		return (Datum) 0;
	answer = rspg_answer_begin(rspg_store_open(rspg_registry_find(model_name(fcinfo, 2))), id_type);
	rspg_answer_masks(&answer, rspg_array_or_null(fcinfo, 3), rspg_array_or_null(fcinfo, 4));
	item = PG_ARGISNULL(0) ? -1 : rspg_answer_find(&answer, PG_GETARG_DATUM(0));
	if (item >= 0)
		rspg_answer_similar(&answer, (uint32) item, PG_GETARG_INT32(1),
							(ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}
