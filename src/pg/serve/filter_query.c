/*
 * filter_query.c
 *		A filter, one SQL expression over the model's relation of items, as plans.
 *
 * It is parsed as an expression alone before it becomes part of a query: what is a
 * whole expression by itself stays within its parentheses.
 */
#include "pg/serve/filter_query.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "parser/parse_coerce.h"
#include "parser/parse_expr.h"
#include "parser/parse_node.h"
#include "parser/parse_param.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "pg/base/idarray.h"
#include "pg/base/spi.h"
#include "pg/model/source.h"

static Node *parse_alone(const char *filter);
static void find_types(const RspgRegistryRow *row, const char *filter, Oid **types, int *n);
static RspgPlans *make_plans(const RspgRegistryRow *row, const char *filter,
							 const RspgPlanKey *key);
static void bind_values(RspgFilterQuery *query, const RspgPlans *plans, const char *filter,
						ArrayType *filter_values);

/* A position in the filter is none in the caller's query. */
static void
point_into_filter(void *filter)
{
	int position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(filter);
}

/* A star that a list of targets may have, and no expression. */
static bool
is_star(const Node *node)
{
	return IsA(node, ColumnRef) && IsA(linitial(((const ColumnRef *) node)->fields), A_Star);
}

/*
 * The expression that the text is, and nothing else.
 */
static Node *
parse_alone(const char *filter)
{
	RawStmt *raw = linitial_node(RawStmt, raw_parser(filter, RAW_PARSE_PLPGSQL_EXPR));
	SelectStmt *select = castNode(SelectStmt, raw->stmt);
	SelectStmt bare = {.type = T_SelectStmt};
	ResTarget *target = NULL;

	if (list_length(select->targetList) == 1)
		target = linitial_node(ResTarget, select->targetList);
	/* such a statement is a SELECT without the word: it could have every clause of one */
	bare.targetList = select->targetList;
	bare.limitOption = select->limitOption;
	if (target == NULL || target->name != NULL || target->indirection != NIL ||
		is_star(target->val) || !equal(select, &bare))
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("filter must be one SQL expression"),
						errdetail("Found \"%s\".", filter),
						errhint("For example: in_stock AND price < $1.")));
	return target->val;
}

/*
 * Analyze it as a condition over the relation of items: types of its parameters.
 */
static void
find_types(const RspgRegistryRow *row, const char *filter, Oid **types, int *n)
{
	ErrorContextCallback callback = {error_context_stack, point_into_filter, (void *) filter};
	ParseState *state = make_parsestate(NULL);
	Relation items = table_open(row->items, AccessShareLock);
	ParseNamespaceItem *item;
	Node *expression;
	int i;

	error_context_stack = &callback;
	state->p_sourcetext = filter;
	setup_parse_variable_parameters(state, types, n);
	item = addRangeTableEntryForRelation(state, items, AccessShareLock, NULL, false, true);
	addNSItemToQuery(state, item, false, true, true);
	expression = transformExpr(state, parse_alone(filter), EXPR_KIND_WHERE);
	(void) coerce_to_boolean(state, expression, "filter");
	error_context_stack = callback.previous;
	for (i = 0; i < *n; i++)
		if (!OidIsValid((*types)[i]) || (*types)[i] == UNKNOWNOID)
			ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
							errmsg("could not determine data type of parameter $%d", i + 1),
							errdetail("The filter is \"%s\".", filter),
							errhint("Cast it, for example $%d::text.", i + 1)));
	free_parsestate(state);
	table_close(items, NoLock);
}

static RspgPlans *
make_plans(const RspgRegistryRow *row, const char *filter, const RspgPlanKey *key)
{
	Oid *types = NULL;
	int n = 0;
	Oid *all_types;
	SPIPlanPtr plan[RSPG_PLANS];

	find_types(row, filter, &types, &n);
	all_types = palloc((n + 1) * sizeof(Oid));
	if (n > 0)
		memcpy(all_types, types, n * sizeof(Oid));
	all_types[n] = rspg_array_type(key->type);
	/* values are no part of the first two, which are made once */
	plan[0] = rspg_prepare_cursor(rspg_items_query(row, filter, n + 1), n + 1, all_types,
								  CURSOR_OPT_GENERIC_PLAN);
	plan[1] = rspg_prepare_cursor(key->text, n, all_types, CURSOR_OPT_GENERIC_PLAN);
	plan[2] = n > 0 ? rspg_prepare_cursor(key->text, n, all_types, CURSOR_OPT_CUSTOM_PLAN) : NULL;
	return rspg_plans_keep(key, plan, n, all_types);
}

static void
bind_values(RspgFilterQuery *query, const RspgPlans *plans, const char *filter,
			ArrayType *filter_values)
{
	Datum *value = NULL;
	bool *null = NULL;
	int n = 0;
	int i;

	if (filter_values != NULL)
		deconstruct_array(filter_values, TEXTOID, -1, false, TYPALIGN_INT, &value, &null, &n);
	if (n != plans->n_types)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter takes %d values, but filter_values has %d", plans->n_types, n),
				 errdetail("The filter is \"%s\".", filter)));
	query->n = n;
	query->values = palloc0((n + 1) * sizeof(Datum));
	query->nulls = palloc((n + 2) * sizeof(char));
	memset(query->nulls, ' ', n + 1);
	query->nulls[n + 1] = '\0';
	for (i = 0; i < n; i++)
	{
		Oid input;
		Oid parameter;

		getTypeInputInfo(plans->types[i], &input, &parameter);
		query->values[i] = OidInputFunctionCall(
			input, null[i] ? NULL : TextDatumGetCString(value[i]), parameter, -1);
		if (null[i])
			query->nulls[i] = 'n';
	}
}

RspgFilterQuery
rspg_filter_query(const RspgRegistryRow *row, const char *filter, ArrayType *filter_values)
{
	RspgPlanKey key = {GetUserId(), row->items, rspg_items_id_type(row),
					   rspg_items_query(row, filter, 0), namespace_search_path};
	RspgPlans *plans = rspg_plans_find(&key);
	RspgFilterQuery query = {.id_type = key.type};

	if (plans == NULL)
	{
		SPI_connect();
		plans = make_plans(row, filter, &key);
		SPI_finish();
	}
	rspg_plans_hold(plans);
	query.probe = plans->plan[0];
	query.all = plans->plan[1];
	query.bound = plans->plan[2];
	bind_values(&query, plans, filter, filter_values);
	return query;
}

static void
estimate(CachedPlan *cached, double *rows, double *cost)
{
	PlannedStmt *planned = linitial_node(PlannedStmt, cached->stmt_list);

	*rows = planned->planTree->plan_rows;
	*cost = planned->planTree->total_cost;
	ReleaseCachedPlan(cached, CurrentResourceOwner);
}

void
rspg_filter_estimate(SPIPlanPtr plan, double *rows, double *cost)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);

	*rows = 0;
	*cost = 0;
	if (cached != NULL)
		estimate(cached, rows, cost);
}

void
rspg_filter_estimate_bound(const RspgFilterQuery *query, double *rows, double *cost)
{
	CachedPlanSource *source =
		linitial_node(CachedPlanSource, SPI_plan_get_plan_sources(query->bound));
	ParamListInfo values = makeParamList(query->n);
	int i;

	for (i = 0; i < query->n; i++)
		values->params[i] = (ParamExternData){.value = query->values[i],
											  .isnull = query->nulls[i] == 'n',
											  .pflags = PARAM_FLAG_CONST,
											  .ptype = source->param_types[i]};
	estimate(GetCachedPlan(source, values, CurrentResourceOwner, NULL), rows, cost);
}
