/*
 * recommend_features.c
 *		recsys.recommend_for_features(), and the same with a model value: for somebody
 *		who is known by features alone, and perhaps by the items of this visit.
 *
 * Features are a JSON object, which goes through the model's own encoder, or a
 * vector.  The answer has text ids; an exclude of bigint[] or uuid[], which then
 * comes right after the features, makes it have ids of that type.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/serve/answer.h"
#include "pg/model/registry.h"
#include "pg/model/store.h"

/* Places of the arguments that all forms have. */
typedef struct Places
{
	int features;
	int exclude;
	int k;
	int exclude_seen;
	int candidates;
	int items;
	Oid id_type;
} Places;

static Places find_places(FunctionCallInfo fcinfo, bool by_value);
static void answer_call(FunctionCallInfo fcinfo, const Places *places, RspgStored *stored);

PG_FUNCTION_INFO_V1(recsys_recommend_for_features);
PG_FUNCTION_INFO_V1(recsys_recommend_for_features_with);

/*
 * (features, [exclude,] k, model, exclude_seen, [exclude,] candidates, items), or
 * (model, features, [exclude,] k, exclude_seen, [exclude,] candidates, items).
 */
static Places
find_places(FunctionCallInfo fcinfo, bool by_value)
{
	Places places;
	Oid second;

	places.features = by_value ? 1 : 0;
	second = get_element_type(get_fn_expr_argtype(fcinfo->flinfo, places.features + 1));
	places.k = places.features + (OidIsValid(second) ? 2 : 1);
	places.exclude_seen = places.k + (by_value ? 1 : 2);
	places.exclude = OidIsValid(second) ? places.features + 1 : places.exclude_seen + 1;
	places.candidates = places.exclude_seen + (OidIsValid(second) ? 1 : 2);
	places.items = places.candidates + 1;
	places.id_type = OidIsValid(second) ? second : TEXTOID;
	return places;
}

static void
answer_call(FunctionCallInfo fcinfo, const Places *places, RspgStored *stored)
{
	RspgAnswer answer = rspg_answer_begin(stored, places->id_type);
	bool exclude_seen = PG_ARGISNULL(places->exclude_seen) || PG_GETARG_BOOL(places->exclude_seen);

	rspg_answer_masks(&answer, rspg_array_or_null(fcinfo, places->exclude),
					  rspg_array_or_null(fcinfo, places->candidates));
	if (!PG_ARGISNULL(places->features))
	{
		if (get_fn_expr_argtype(fcinfo->flinfo, places->features) == JSONBOID)
			rspg_answer_user_object(&answer, PG_GETARG_JSONB_P(places->features));
		else
			rspg_answer_features(&answer, PG_GETARG_ARRAYTYPE_P(places->features));
	}
	rspg_answer_items(&answer, rspg_array_or_null(fcinfo, places->items), exclude_seen);
	rspg_answer_recommend(&answer, PG_GETARG_INT32(places->k),
						  (ReturnSetInfo *) fcinfo->resultinfo);
}

Datum
recsys_recommend_for_features(PG_FUNCTION_ARGS)
{
	Places places = find_places(fcinfo, false);
	int model = places.k + 1;

	if (rspg_answer_wanted(fcinfo, places.k))
		answer_call(fcinfo, &places,
					rspg_store_open(rspg_registry_find(
						PG_ARGISNULL(model) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(model)))));
	return (Datum) 0;
}

Datum
recsys_recommend_for_features_with(PG_FUNCTION_ARGS)
{
	Places places = find_places(fcinfo, true);

	if (rspg_answer_wanted(fcinfo, places.k) && !PG_ARGISNULL(0))
		answer_call(fcinfo, &places,
					rspg_store_open_value(fcinfo->flinfo, (struct varlena *) PG_GETARG_POINTER(0)));
	return (Datum) 0;
}
