/*
 * train_agg.c
 *		The aggregates train_als, train_ease, …: events in, recsys.model out.
 *
 *	SELECT recsys.train_als(user_id, item_id, weight, '{"factors": 32}') FROM events;
 *
 * One transition function serves every argument list and one final function
 * every algorithm: the algorithm is what follows "train_" in the aggregate's
 * name.  Rows with a null id, weight or time are counted and left out.  The
 * final function consumes the state, hence FINALFUNC_MODIFY = READ_WRITE.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/base/optionjson.h"
#include "pg/model/modeltype.h"
#include "pg/train/trainer.h"

#define AGGREGATE_PREFIX "train_"

typedef struct TrainState
{
	RspgTrainer *trainer;
	Jsonb *options; /* as given in the first row, NULL if none */
} TrainState;

static TrainState *start(FunctionCallInfo fcinfo, MemoryContext aggcontext, int options_arg);
static const RsAlgorithm *algorithm_of(FunctionCallInfo fcinfo);
static void check_same_options(TrainState *state, FunctionCallInfo fcinfo, int options_arg);
static void refuse_history(const RsOptions *options);
static TrainState *transition(FunctionCallInfo fcinfo, int time_arg, int weight_arg);

PG_FUNCTION_INFO_V1(recsys_train_transfn);
PG_FUNCTION_INFO_V1(recsys_train_ordered_transfn);
PG_FUNCTION_INFO_V1(recsys_train_features_transfn);
PG_FUNCTION_INFO_V1(recsys_train_finalfn);

/* (internal, user "any", item T [, weight float8 [, options jsonb]]) */
Datum
recsys_train_transfn(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(transition(fcinfo, -1, 3));
}

/* (internal, user "any", item T, ts timestamptz [, weight [, options]]) */
Datum
recsys_train_ordered_transfn(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(transition(fcinfo, 3, 4));
}

/*
 * Rows of features have no user, so there is nothing else that one did.
 */
static void
refuse_history(const RsOptions *options)
{
	int i;

	for (i = 0; options->table[i].name != NULL; i++)
		if (strcmp(options->table[i].name, "history") == 0 && options->value[i] > 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("option \"history\" needs events of known users"),
							errhint("Register the model with recsys.create_model() over a table of "
									"events.")));
}

/* (internal, features real[], item T [, options jsonb]) */
Datum
recsys_train_features_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext;
	TrainState *state;
	int options_arg = PG_NARGS() > 3 ? 3 : -1;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("training functions can only be called as aggregates")));
	if (PG_ARGISNULL(0))
	{
		state = start(fcinfo, aggcontext, options_arg);
		refuse_history(rspg_trainer_options(state->trainer));
	}
	else
	{
		state = (TrainState *) PG_GETARG_POINTER(0);
		check_same_options(state, fcinfo, options_arg);
	}
	rspg_trainer_add_features(state->trainer, fcinfo->args[1], fcinfo->args[2]);
	PG_RETURN_POINTER(state);
}

static TrainState *
transition(FunctionCallInfo fcinfo, int time_arg, int weight_arg)
{
	MemoryContext aggcontext;
	TrainState *state;
	bool has_weight = PG_NARGS() > weight_arg;
	int options_arg = PG_NARGS() > weight_arg + 1 ? weight_arg + 1 : -1;

	if (!AggCheckCallContext(fcinfo, &aggcontext))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("training functions can only be called as aggregates")));
	if (PG_ARGISNULL(0))
		state = start(fcinfo, aggcontext, options_arg);
	else
	{
		state = (TrainState *) PG_GETARG_POINTER(0);
		check_same_options(state, fcinfo, options_arg);
	}
	rspg_trainer_add(
		state->trainer, fcinfo->args[1], fcinfo->args[2], has_weight && PG_ARGISNULL(weight_arg),
		has_weight && !PG_ARGISNULL(weight_arg) ? PG_GETARG_FLOAT8(weight_arg) : 1.0,
		time_arg >= 0 && PG_ARGISNULL(time_arg),
		time_arg >= 0 && !PG_ARGISNULL(time_arg) ? PG_GETARG_TIMESTAMPTZ(time_arg) : 0);
	return state;
}

static TrainState *
start(FunctionCallInfo fcinfo, MemoryContext aggcontext, int options_arg)
{
	MemoryContext old = MemoryContextSwitchTo(aggcontext);
	TrainState *state = palloc0(sizeof(TrainState));
	const RsAlgorithm *algorithm = algorithm_of(fcinfo);
	Oid user_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	Oid item_type = get_fn_expr_argtype(fcinfo->flinfo, 2);
	RsOptions options;

	if (options_arg >= 0 && !PG_ARGISNULL(options_arg))
		state->options = PG_GETARG_JSONB_P_COPY(options_arg);
	rspg_options_from_jsonb(algorithm, state->options, &options);
	if (user_type == UNKNOWNOID || !OidIsValid(user_type))
		user_type = TEXTOID;
	state->trainer = rspg_trainer_create(aggcontext, algorithm, &options, user_type, item_type,
										 algorithm->ordered, "");
	MemoryContextSwitchTo(old);
	return state;
}

static const RsAlgorithm *
algorithm_of(FunctionCallInfo fcinfo)
{
	Aggref *aggref = AggGetAggref(fcinfo);
	char *name = aggref != NULL ? get_func_name(aggref->aggfnoid) : NULL;

	if (name == NULL || strncmp(name, AGGREGATE_PREFIX, strlen(AGGREGATE_PREFIX)) != 0)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("training functions can only be called as aggregates named "
							   "train_ and an algorithm")));
	return rspg_algorithm(name + strlen(AGGREGATE_PREFIX));
}

/*
 * Options are for the whole training: rows must agree on them.
 */
static void
check_same_options(TrainState *state, FunctionCallInfo fcinfo, int options_arg)
{
	Jsonb *options;
	bool same;

	if (options_arg < 0)
		return;
	if (PG_ARGISNULL(options_arg))
		same = state->options == NULL;
	else
	{
		options = PG_GETARG_JSONB_P(options_arg);
		same = state->options != NULL && VARSIZE(options) == VARSIZE(state->options) &&
			   memcmp(options, state->options, VARSIZE(options)) == 0;
	}
	if (!same)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options must be the same in every row")));
}

/*
 * NULL over no rows at all; an error over rows of which none could be used.
 */
Datum
recsys_train_finalfn(PG_FUNCTION_ARGS)
{
	TrainState *state;
	const RsModel *model;
	struct varlena *value;

	if (!AggCheckCallContext(fcinfo, NULL))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("training functions can only be called as aggregates")));
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (TrainState *) PG_GETARG_POINTER(0);
	model = rspg_trainer_finish(state->trainer, NULL);
	value = rspg_model_value(rspg_trainer_context(state->trainer), model);
	rspg_trainer_free(state->trainer);
	PG_RETURN_POINTER(value);
}
