/*
 * groups.c
 *		How many of a group may stand in an answer.
 *
 * A group is a column and the text of its value.  Values are read as the filter is:
 * with the rights, row security and snapshot of the caller.
 */
#include "pg/serve/groups.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "pg/base/idarray.h"
#include "pg/base/idmap.h"
#include "pg/base/jsonb_read.h"
#include "pg/base/role.h"
#include "pg/base/spi.h"
#include "pg/encode/rowvalues.h"
#include "pg/model/source.h"
#include "pg/serve/plans.h"

#define FEWEST 64

typedef struct GroupKey
{
	uint32 column;
	const char *value;
} GroupKey;

typedef struct GroupEntry
{
	GroupKey key;
	uint32 number;
} GroupEntry;

struct RspgGroups
{
	const RspgAnswer *answer;
	uint32 n; /* columns */
	char **column;
	uint32 *most;
	SPIPlanPtr plan;
	Oid id_type; /* of the relation of items */
	RspgConverter to_relation;
	RspgConverter to_model;
	HTAB *table; /* of GroupEntry */
	uint32 n_groups;
	uint32 room;
	uint32 *left; /* [room] */
	uint32 *group;
};

static uint32
hash_group(const void *key, Size size)
{
	const GroupKey *group = key;

	return hash_bytes((const unsigned char *) group->value, (int) strlen(group->value)) ^
		   group->column;
}

static int
compare_groups(const void *a, const void *b, Size size)
{
	const GroupKey *left = a;
	const GroupKey *right = b;

	return left->column != right->column || strcmp(left->value, right->value) != 0;
}

static uint32
read_most(const char *column, const JsonbValue *value)
{
	float8 most;

	if (value->type != jbvNumeric ||
		!rspg_number_of(NUMERICOID, NumericGetDatum(value->val.numeric), &most) ||
		!(most >= 1 && most <= PG_INT32_MAX) || most != (float8) (uint32) most)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_per_group of \"%s\" must be a whole number from 1", column)));
	return (uint32) most;
}

static void
read_columns(RspgGroups *groups, Jsonb *json)
{
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbValue value;
	char *name;

	groups->column = palloc(JB_ROOT_COUNT(json) * sizeof(char *));
	groups->most = palloc(JB_ROOT_COUNT(json) * sizeof(uint32));
	while (rspg_jsonb_next_member(&iterator, &name, &value))
	{
		groups->most[groups->n] = read_most(name, &value);
		groups->column[groups->n++] = name;
	}
}

/* The plan that reads the values; made once for a role and the columns. */
static void
find_plan(RspgGroups *groups)
{
	const RspgRegistryRow *row = groups->answer->row;
	Oid ids = rspg_array_type(groups->id_type);
	RspgPlanKey key = {GetUserId(), row->items, groups->id_type,
					   rspg_items_values_query(row, groups->column, (int) groups->n), ""};
	RspgPlans *plans = rspg_plans_find(&key);

	if (plans == NULL)
	{
		SPIPlanPtr plan;

		SPI_connect();
		plan = rspg_prepare_cursor(key.text, 1, &ids, CURSOR_OPT_GENERIC_PLAN);
		plans = rspg_plans_keep(&key, (SPIPlanPtr[RSPG_PLANS]){plan}, 0, NULL);
		SPI_finish();
	}
	rspg_plans_hold(plans);
	groups->plan = plans->plan[0];
}

RspgGroups *
rspg_groups_read(const RspgRequest *request, const RspgAnswer *answer)
{
	HASHCTL control = {.keysize = sizeof(GroupKey),
					   .entrysize = sizeof(GroupEntry),
					   .hash = hash_group,
					   .match = compare_groups,
					   .hcxt = CurrentMemoryContext};
	Oid model_type = rspg_id_type_oid(answer->model->ids.type);
	RspgGroups *groups;
	RspgRole caller;

	if (request->max_per_group == NULL)
		return NULL;
	if (!JB_ROOT_IS_OBJECT(request->max_per_group))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("max_per_group must be a JSON object of whole numbers"),
						errhint("For example: {\"brand\": 2}.")));
	if (JB_ROOT_COUNT(request->max_per_group) == 0)
		return NULL;
	groups = palloc0(sizeof(RspgGroups));
	groups->answer = answer;
	read_columns(groups, request->max_per_group);
	groups->id_type = rspg_items_id_type(answer->row);
	caller = rspg_role_begin_reading(answer->row->owner);
	find_plan(groups);
	rspg_role_end(caller);
	rspg_converter_init_exact(&groups->to_relation, model_type, groups->id_type);
	rspg_converter_init_exact(&groups->to_model, groups->id_type, model_type);
	groups->table = hash_create("recsys groups", FEWEST, &control,
								HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	groups->room = FEWEST;
	groups->left = palloc(groups->room * sizeof(uint32));
	return groups;
}

/* Number of a group, which may be a new one. */
static uint32
find_group(RspgGroups *groups, uint32 column, char *value)
{
	GroupKey key = {column, value};
	bool found;
	GroupEntry *group = hash_search(groups->table, &key, HASH_ENTER, &found);

	if (found)
		return group->number;
	if (groups->n_groups == groups->room)
	{
		groups->room *= 2;
		groups->left = repalloc_huge(groups->left, groups->room * sizeof(uint32));
	}
	groups->left[groups->n_groups] = groups->most[column];
	group->number = groups->n_groups++;
	return group->number;
}

/* Items by number, with their places among the picks. */
typedef struct Place
{
	uint32 item;
	uint32 place;
} Place;

static int
by_item(const void *a, const void *b)
{
	uint32 left = ((const Place *) a)->item;
	uint32 right = ((const Place *) b)->item;

	return left < right ? -1 : left > right;
}

/* The groups of one row of the relation, in the memory of the call. */
static void
take_row(RspgGroups *groups, HeapTuple tuple, TupleDesc desc, const Place *places, uint32 n,
		 MemoryContext target)
{
	bool null;
	Datum id = SPI_getbinval(tuple, desc, 1, &null);
	int64 item = null ? -1 : rspg_answer_find(groups->answer, &groups->to_model, id);
	Place wanted = {(uint32) item, 0};
	const Place *place = item < 0 ? NULL : bsearch(&wanted, places, n, sizeof(Place), by_item);
	MemoryContext spi;
	uint32 c;

	if (place == NULL)
		return;
	spi = MemoryContextSwitchTo(target);
	for (c = 0; c < groups->n; c++)
	{
		Datum value = SPI_getbinval(tuple, desc, (int) c + 2, &null);

		if (!null)
			groups->group[(Size) place->place * groups->n + c] =
				find_group(groups, c, TextDatumGetCString(value));
	}
	MemoryContextSwitchTo(spi);
}

RsQuota
rspg_groups_of(RspgGroups *groups, const RspgPick *picks, uint32 n)
{
	MemoryContext target = CurrentMemoryContext;
	Size cells = Max((Size) n, 1) * groups->n;
	Place *places = palloc(Max((Size) n, 1) * sizeof(Place));
	RspgRole caller;
	Datum ids;
	uint64 i;

	if (groups->group != NULL)
		pfree(groups->group);
	groups->group = MemoryContextAllocHuge(target, cells * sizeof(uint32));
	for (i = 0; i < cells; i++)
		groups->group[i] = RS_NO_GROUP;
	for (i = 0; i < n; i++)
		places[i] = (Place){picks[i].item, (uint32) i};
	pg_qsort(places, n, sizeof(Place), by_item);
	caller = rspg_role_begin_reading(groups->answer->row->owner);
	ids = PointerGetDatum(rspg_answer_id_array(groups->answer, &groups->to_relation, picks, n));
	SPI_connect();
	rspg_plans_run(groups->plan, &ids, NULL);
	for (i = 0; i < SPI_processed; i++)
		take_row(groups, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, places, n, target);
	SPI_finish();
	rspg_role_end(caller);
	pfree(places);
	return (RsQuota){groups->n, groups->group, groups->left};
}
