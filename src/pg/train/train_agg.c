/*
 * train_agg.c
 *		The aggregates train_als, train_ease, …: events in, recsys.model out.
 *
 *	SELECT recsys.train_als(user_id, item_id, weight, '{"factors": 32}') FROM events;
 *
 * One transition and one final function serve every algorithm and argument list:
 * the algorithm is what follows "train_" in the aggregate's name.  Rows with a null id, weight or time are counted and left out.  The
 * final function consumes the state, hence FINALFUNC_MODIFY = READ_WRITE.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/base/aggregate.h"
#include "pg/base/optionjson.h"
#include "pg/model/modeltype.h"
#include "pg/train/trainer.h"

#define AGGREGATE_PREFIX "train_"

typedef struct TrainState
{
	RspgTrainer *trainer;
	Jsonb *options; /* as given in the first row, NULL if none */

	/* places of the arguments that not every aggregate has, -1: not this one */
	int time_arg;
	int weight_arg;
	int options_arg;
	bool features;        /* the first argument: of a row that is a user of its own */
	bool literal_user;    /* a constant whose type nobody has said: a cstring */
	NullableDatum absent; /* stands for a time or weight that is not given: 1 is both */
} TrainState;

static TrainState *start(FunctionCallInfo fcinfo, MemoryContext aggcontext);
static const RsAlgorithm *algorithm_of(FunctionCallInfo fcinfo);
static void check_same_options(TrainState *state, FunctionCallInfo fcinfo);

PG_FUNCTION_INFO_V1(recsys_train_transfn);
PG_FUNCTION_INFO_V1(recsys_train_finalfn);

/*
 * (internal, user "any", item T [, ts timestamptz] [, weight float8 [, options jsonb]]),
 * with ts where the algorithm is ordered, or where it learns from features
 * (internal, features real[], item T [, options jsonb]).
 */
Datum
recsys_train_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext = rspg_aggregate_context(fcinfo);
	TrainState *state;
	NullableDatum user = fcinfo->args[1];
	NullableDatum item = fcinfo->args[2];

	if (PG_ARGISNULL(0))
		state = start(fcinfo, aggcontext);
	else
	{
		state = (TrainState *) PG_GETARG_POINTER(0);
		check_same_options(state, fcinfo);
	}
	if (state->features)
		rspg_trainer_add_features(state->trainer, user, item);
	else
	{
		if (state->literal_user && !user.isnull)
			user.value = CStringGetTextDatum(DatumGetCString(user.value));
		rspg_trainer_add(state->trainer, user, item,
						 state->weight_arg < 0 ? state->absent : fcinfo->args[state->weight_arg],
						 state->time_arg < 0 ? state->absent : fcinfo->args[state->time_arg]);
	}
	PG_RETURN_POINTER(state);
}

/*
 * Rows of features have no user, so there is nothing else that one did.
 */
static void
refuse_history(const RsAlgorithm *algorithm, const RsOptions *options)
{
	if (rs_algorithm_flags(algorithm, options, false) & RS_HISTORY)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"history\" needs events of known users"),
						errhint("Register the model with recsys.create_model() over a table of "
								"events.")));
}

/* Where the arguments stand. */
static void
find_places(TrainState *state, const RsAlgorithm *algorithm, int nargs)
{
	int next = 3;

	state->features = (algorithm->flags & RS_FEATURES) != 0;
	state->time_arg = !state->features && (algorithm->flags & RS_SEQUENCES) ? next++ : -1;
	state->weight_arg = !state->features && nargs > next ? next++ : -1;
	state->options_arg = nargs > next ? next : -1;
	state->absent.value = Float8GetDatum(1.0);
}

static TrainState *
start(FunctionCallInfo fcinfo, MemoryContext aggcontext)
{
	MemoryContext old = MemoryContextSwitchTo(aggcontext);
	TrainState *state = palloc0(sizeof(TrainState));
	const RsAlgorithm *algorithm = algorithm_of(fcinfo);
	Oid user_type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	RsOptions options;

	find_places(state, algorithm, PG_NARGS());
	if (state->options_arg >= 0 && !PG_ARGISNULL(state->options_arg))
		state->options = PG_GETARG_JSONB_P_COPY(state->options_arg);
	rspg_options_from_jsonb(algorithm, state->options, &options);
	if (state->features)
		refuse_history(algorithm, &options);
	state->literal_user = user_type == UNKNOWNOID;
	state->trainer = rspg_trainer_create(
		aggcontext, algorithm, &options, state->literal_user ? TEXTOID : user_type,
		get_fn_expr_argtype(fcinfo->flinfo, 2), state->time_arg >= 0, "");
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
check_same_options(TrainState *state, FunctionCallInfo fcinfo)
{
	int options_arg = state->options_arg;
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

	(void) rspg_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (TrainState *) PG_GETARG_POINTER(0);
	model = rspg_trainer_finish(state->trainer, NULL);
	value = rspg_model_value(rspg_trainer_context(state->trainer), model);
	rspg_trainer_free(state->trainer);
	PG_RETURN_POINTER(value);
}
