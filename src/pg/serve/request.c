/*
 * request.c
 *		What a call asks for: the arguments of the functions that answer.
 *
 * Where a function has which argument is looked up in pg_proc once a session.
 */
#include "pg/serve/request.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "nodes/execnodes.h"
#include "storage/itemptr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

typedef enum Argument
{
	USER_ID,
	USERS,
	FEATURES,
	ITEM_ID,
	ITEMS,
	MODEL,
	VERSION,
	K,
	SKIP,
	EXCLUDE_SEEN,
	EXCLUDE,
	CANDIDATES,
	FILTER,
	FILTER_VALUES,
	EXCLUDE_EVENTS,
	EXCLUDE_FOR,
	DIVERSITY,
	DIVERSITY_METHOD,
	MAX_PER_GROUP,
	EXPLORE,
	SEED,
	AMONG,
	ARGUMENTS
} Argument;

static const char *const names[ARGUMENTS] = {
	[USER_ID] = "user_id",
	[USERS] = "users",
	[FEATURES] = "features",
	[ITEM_ID] = "item_id",
	[ITEMS] = "items",
	[MODEL] = "model",
	[VERSION] = "version",
	[K] = "k",
	[SKIP] = "skip",
	[EXCLUDE_SEEN] = "exclude_seen",
	[EXCLUDE] = "exclude",
	[CANDIDATES] = "candidates",
	[FILTER] = "filter",
	[FILTER_VALUES] = "filter_values",
	[EXCLUDE_EVENTS] = "exclude_events",
	[EXCLUDE_FOR] = "exclude_for",
	[DIVERSITY] = "diversity",
	[DIVERSITY_METHOD] = "diversity_method",
	[MAX_PER_GROUP] = "max_per_group",
	[EXPLORE] = "explore",
	[SEED] = "seed",
	[AMONG] = "among",
};

/* Where a function has its arguments; an oid that was given anew has another row. */
typedef struct Layout
{
	Oid function;
	TransactionId xmin;
	ItemPointerData tid;
	int place[ARGUMENTS]; /* -1: it has none */
} Layout;

static HTAB *layouts = NULL;

static const Layout *find_layout(Oid function);
static void read_layout(Layout *layout, HeapTuple function);
static RspgGiven given(FunctionCallInfo fcinfo, int place);
static ArrayType *array_or_null(FunctionCallInfo fcinfo, int place);
static uint32 count(FunctionCallInfo fcinfo, const Layout *layout, Argument argument);

static const Layout *
find_layout(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Layout *layout;
	bool found;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	if (layouts == NULL)
	{
		HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(Layout)};

		layouts = hash_create("recsys arguments", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	layout = hash_search(layouts, &function, HASH_ENTER, &found);
	if (!found || layout->xmin != HeapTupleHeaderGetRawXmin(tuple->t_data) ||
		!ItemPointerEquals(&layout->tid, &tuple->t_self))
	{
		layout->xmin = InvalidTransactionId;
		read_layout(layout, tuple);
	}
	ReleaseSysCache(tuple);
	return layout;
}

static void
read_layout(Layout *layout, HeapTuple function)
{
	bool null;
	Datum all = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proargnames, &null);
	Datum modes = SysCacheGetAttr(PROCOID, function, Anum_pg_proc_proargmodes, &null);
	char **name;
	int n = get_func_input_arg_names(all, modes, &name);
	int argument;
	int i;

	for (argument = 0; argument < ARGUMENTS; argument++)
	{
		layout->place[argument] = -1;
		for (i = 0; i < n; i++)
			if (name[i] != NULL && strcmp(name[i], names[argument]) == 0)
				layout->place[argument] = i;
	}
	layout->tid = function->t_self;
	layout->xmin = HeapTupleHeaderGetRawXmin(function->t_data);
}

static RspgGiven
given(FunctionCallInfo fcinfo, int place)
{
	RspgGiven value = {InvalidOid, true, (Datum) 0};

	if (place < 0)
		return value;
	value.type = get_fn_expr_argtype(fcinfo->flinfo, place);
	value.null = PG_ARGISNULL(place);
	if (!value.null)
		value.value = PG_GETARG_DATUM(place);
	return value;
}

static bool
is_given(FunctionCallInfo fcinfo, int place)
{
	return place >= 0 && !PG_ARGISNULL(place);
}

static ArrayType *
array_or_null(FunctionCallInfo fcinfo, int place)
{
	return is_given(fcinfo, place) ? PG_GETARG_ARRAYTYPE_P(place) : NULL;
}

/* An array of ids, or its text. */
static ArrayType *
list_or_null(FunctionCallInfo fcinfo, int place)
{
	if (!is_given(fcinfo, place) || get_fn_expr_argtype(fcinfo->flinfo, place) != TEXTOID)
		return array_or_null(fcinfo, place);
	return DatumGetArrayTypeP(
		OidInputFunctionCall(F_ARRAY_IN, text_to_cstring(PG_GETARG_TEXT_PP(place)), TEXTOID, -1));
}

static char *
text_or_null(FunctionCallInfo fcinfo, int place)
{
	return is_given(fcinfo, place) ? text_to_cstring(PG_GETARG_TEXT_PP(place)) : NULL;
}

/* A number that is not negative, 0 for null. */
static uint32
count(FunctionCallInfo fcinfo, const Layout *layout, Argument argument)
{
	int place = layout->place[argument];
	int32 number = is_given(fcinfo, place) ? PG_GETARG_INT32(place) : 0;

	if (number < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("%s must not be negative, but is %d", names[argument], number)));
	return (uint32) number;
}

static void
read_model(FunctionCallInfo fcinfo, const Layout *layout, RspgRequest *request)
{
	RspgGiven model = given(fcinfo, layout->place[MODEL]);
	int version = layout->place[VERSION];

	request->by_value = model.type != TEXTOID;
	if (!model.null && request->by_value)
		request->value = (struct varlena *) DatumGetPointer(model.value);
	else if (!model.null)
		request->model = TextDatumGetCString(model.value);
	if (!is_given(fcinfo, version))
		return;
	request->version = PG_GETARG_INT32(version);
	if (request->version < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("version must be at least 1, but is %d", request->version),
						errhint("SELECT * FROM recsys.model_versions shows what there is.")));
}

int
rspg_request_k_place(Oid function)
{
	return find_layout(function)->place[K];
}

RspgRequest
rspg_request_read(FunctionCallInfo fcinfo)
{
	const Layout *layout = find_layout(fcinfo->flinfo->fn_oid);
	const int *place = layout->place;
	RspgRequest request = {0};
	TupleDesc columns;

	InitMaterializedSRF(fcinfo, 0);
	columns = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	request.id_type =
		TupleDescAttr(columns, columns->natts == RSPG_BATCH_COLUMNS ? 1 : 0)->atttypid;
	request.user = given(fcinfo, place[USER_ID]);
	request.features = given(fcinfo, place[FEATURES]);
	request.item = given(fcinfo, place[ITEM_ID]);
	request.users = list_or_null(fcinfo, place[USERS]);
	request.items = list_or_null(fcinfo, place[ITEMS]);
	read_model(fcinfo, layout, &request);
	request.k = count(fcinfo, layout, K);
	request.skip = count(fcinfo, layout, SKIP);
	request.exclude_seen =
		!is_given(fcinfo, place[EXCLUDE_SEEN]) || PG_GETARG_BOOL(place[EXCLUDE_SEEN]);
	request.exclude = array_or_null(fcinfo, place[EXCLUDE]);
	request.candidates = array_or_null(fcinfo, place[CANDIDATES]);
	request.filter = text_or_null(fcinfo, place[FILTER]);
	request.filter_values = array_or_null(fcinfo, place[FILTER_VALUES]);
	request.exclude_events = array_or_null(fcinfo, place[EXCLUDE_EVENTS]);
	if (is_given(fcinfo, place[EXCLUDE_FOR]))
		request.exclude_for = PG_GETARG_INTERVAL_P(place[EXCLUDE_FOR]);
	if (is_given(fcinfo, place[DIVERSITY]))
		request.diversity = PG_GETARG_FLOAT8(place[DIVERSITY]);
	request.diversity_method = text_or_null(fcinfo, place[DIVERSITY_METHOD]);
	if (is_given(fcinfo, place[MAX_PER_GROUP]))
		request.max_per_group = PG_GETARG_JSONB_P(place[MAX_PER_GROUP]);
	if (is_given(fcinfo, place[EXPLORE]))
		request.explore = PG_GETARG_FLOAT8(place[EXPLORE]);
	if (is_given(fcinfo, place[SEED]))
		request.seed = PG_GETARG_INT64(place[SEED]);
	request.among = list_or_null(fcinfo, place[AMONG]);
	return request;
}
