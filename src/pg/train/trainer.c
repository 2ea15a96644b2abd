/*
 * trainer.c
 *		Rows in, model out: what the aggregates and recsys.train() share.
 *
 * Everything is allocated below one memory context, so that an error anywhere
 * frees it.  Rows are kept as (user code, item code, weight [, time]); ids are
 * numbered anew before training, so that the model does not depend on the order
 * of the rows.
 */
#include "pg/train/trainer.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/base/guc.h"
#include "pg/base/progress.h"
#include "pg/base/seam.h"
#include "pg/encode/vector.h"
#include "pg/train/dictionary.h"
#include "pg/train/trainer_features.h"

/* how often rows are shown in training_progress and memory is looked at */
#define ROWS_PER_CHECK 8192

struct RspgTrainer
{
	MemoryContext mcxt;
	MemoryContextCallback at_reset;
	RsContext ctx;
	const RsAlgorithm *algorithm;
	RsOptions options;
	bool ordered; /* events have a time */
	Oid user_type;
	Oid item_type;
	RspgDictionary *users;
	RspgDictionary *items;
	RsEvents *events;
	RspgTrainerFeatures features;
	RsModel model;
	RspgTrainStats stats;
	instr_time started;
};

static void check_memory(RspgTrainer *trainer);
static void fail_on_weight(RspgTrainer *trainer, Datum user, Datum item, float8 weight);
static void at_reset(void *arg);

/* The trainer whose rows training_progress shows; only the outermost one is. */
static RspgTrainer *shown = NULL;

/* A value's text form, for errors. */
static char *
text_of(Oid type, Datum value)
{
	Oid output;
	bool varlena;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

RspgTrainer *
rspg_trainer_create(MemoryContext parent, const RsAlgorithm *algorithm, const RsOptions *options,
					Oid user_type, Oid item_type, bool ordered, const char *label)
{
	MemoryContext mcxt = AllocSetContextCreate(parent, "recsys training", ALLOCSET_DEFAULT_SIZES);
	RspgTrainer *trainer = MemoryContextAllocZero(mcxt, sizeof(RspgTrainer));

	trainer->mcxt = mcxt;
	trainer->algorithm = algorithm;
	trainer->options = *options;
	trainer->ordered = ordered;
	trainer->user_type = user_type;
	trainer->item_type = item_type;
	INSTR_TIME_SET_CURRENT(trainer->started);
	trainer->ctx = rspg_context(mcxt);
	trainer->ctx.threads = recsys_threads;
	trainer->ctx.memory_limit = (size_t) recsys_train_memory * 1024;
	trainer->users = rspg_dictionary_create(mcxt, user_type, "user id");
	trainer->items = rspg_dictionary_create(mcxt, item_type, "item id");
	trainer->events = rs_events_create(&trainer->ctx, ordered);
	if (trainer->events == NULL)
		rspg_check(&trainer->ctx, trainer->ctx.status);
	trainer->features.ctx = &trainer->ctx;
	trainer->features.mcxt = mcxt;
	trainer->at_reset.func = at_reset;
	trainer->at_reset.arg = trainer;
	MemoryContextRegisterResetCallback(mcxt, &trainer->at_reset);
	if (shown == NULL)
	{
		shown = trainer;
		rspg_progress_begin(label, algorithm->name);
	}
	return trainer;
}

static void
at_reset(void *arg)
{
	if (shown == arg)
	{
		shown = NULL;
		rspg_progress_end();
	}
}

void
rspg_trainer_add(RspgTrainer *trainer, NullableDatum user, NullableDatum item, NullableDatum weight,
				 NullableDatum time)
{
	RspgTrainStats *stats = &trainer->stats;

	if ((++stats->rows_read % ROWS_PER_CHECK) == 0)
		check_memory(trainer);
	if (user.isnull)
		stats->rows_null_user++;
	else if (item.isnull)
		stats->rows_null_item++;
	else if (weight.isnull)
		stats->rows_null_weight++;
	else if (time.isnull && trainer->ordered)
		stats->rows_null_time++;
	else
	{
		float8 w = DatumGetFloat8(weight.value);

		if (!isfinite(w) || fabs(w) > FLT_MAX)
			fail_on_weight(trainer, user.value, item.value, w);
		rspg_check(&trainer->ctx,
				   rs_events_append(&trainer->ctx, trainer->events,
									rspg_dictionary_code(trainer->users, user.value),
									rspg_dictionary_code(trainer->items, item.value), (float) w,
									trainer->ordered ? DatumGetTimestampTz(time.value) : 0));
	}
}

void
rspg_trainer_add_features(RspgTrainer *trainer, NullableDatum features, NullableDatum item)
{
	RspgTrainStats *stats = &trainer->stats;
	int64 row = ++stats->rows_read;
	ArrayType *array;
	const float *values;
	uint32 code;
	uint32 number;
	int n;

	if (row % 1024 == 0)
		check_memory(trainer);
	if (item.isnull)
	{
		stats->rows_null_item++;
		return;
	}
	if (features.isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("features must not be null"),
				 errdetail("Row " INT64_FORMAT " has none.", row),
				 errhint("Leave such rows out with FILTER, or impute what is unknown, for "
						 "example with recsys.fit_encoder().")));
	array = DatumGetArrayTypeP(features.value);
	values = rspg_features_array(array, row, &n);
	code = rspg_dictionary_code(trainer->items, item.value);
	number = rspg_trainer_features_add(&trainer->features, values, n, row, code);
	rspg_check(&trainer->ctx,
			   rs_events_append(&trainer->ctx, trainer->events, number, code, 1.0f, 0));
	if ((Pointer) array != DatumGetPointer(features.value))
		pfree(array);
}

void
rspg_trainer_add_user(RspgTrainer *trainer, Datum user, const float *values, int n)
{
	if (!rspg_trainer_features_set(&trainer->features, rspg_dictionary_find(trainer->users, user),
								   rspg_dictionary_count(trainer->users), values, n))
		ereport(ERROR, (errcode(ERRCODE_CARDINALITY_VIOLATION),
						errmsg("user %s has more than one row of features",
							   text_of(trainer->user_type, user)),
						errhint("Make the user column of the relation of users unique.")));
}

void
rspg_trainer_set_encoder(RspgTrainer *trainer, struct varlena *encoder)
{
	MemoryContext old = MemoryContextSwitchTo(trainer->mcxt);

	trainer->features.encoder = PG_DETOAST_DATUM_COPY(PointerGetDatum(encoder));
	MemoryContextSwitchTo(old);
}

/*
 * The dictionaries grow outside the core's account: look at the sum.
 */
static void
check_memory(RspgTrainer *trainer)
{
	Size limit = (Size) recsys_train_memory * 1024;
	Size dictionaries = rspg_dictionary_bytes(trainer->users) +
						rspg_dictionary_bytes(trainer->items) +
						rspg_trainer_features_bytes(&trainer->features);

	CHECK_FOR_INTERRUPTS();
	if (shown == trainer)
		rspg_progress_rows((uint64) trainer->stats.rows_read);
	if (dictionaries >= limit || trainer->ctx.memory_used > limit - dictionaries)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY),
						errmsg("training needs more memory than it may use"),
						errdetail("After " INT64_FORMAT
								  " rows, ids, events and features take %.1f MB, and the "
								  "bound is %.1f MB.",
								  trainer->stats.rows_read,
								  (double) (dictionaries + trainer->ctx.memory_used) / 1048576.0,
								  (double) limit / 1048576.0),
						errhint("Raise recsys.train_memory, or train on fewer events.")));
	trainer->ctx.memory_limit = limit - dictionaries;
}

static void
fail_on_weight(RspgTrainer *trainer, Datum user, Datum item, float8 weight)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("weight must be a finite number within the range of real"),
					errdetail("User %s, item %s has weight %g.", text_of(trainer->user_type, user),
							  text_of(trainer->item_type, item), weight),
					errhint("Leave such rows out with WHERE or FILTER, or mend them.")));
}

/*
 * Train on what was added; RS_ERR_EMPTY's error when no row was usable.
 */
const RsModel *
rspg_trainer_finish(RspgTrainer *trainer, RspgTrainStats *stats)
{
	RsContext *ctx = &trainer->ctx;
	uint32 n_users = trainer->features.by_row ? rs_features_count(trainer->features.rows)
											  : rspg_dictionary_count(trainer->users);
	uint32 n_items = rspg_dictionary_count(trainer->items);
	uint32_t *user_rank;
	uint32_t *item_rank = NULL;
	uint32_t *feature_row;
	void *owned[4];
	RsIds ids;
	RsProblem problem;
	RsEvents *events = trainer->events;
	instr_time now;
	int i;

	check_memory(trainer);
	trainer->stats.users = n_users;
	trainer->stats.items = n_items;
	trainer->stats.events = (int64) events->count;
	if (trainer->stats.events == 0)
	{
		rs_fail(ctx, RS_ERR_EMPTY, "no events to train on");
		if (trainer->stats.rows_read == 0)
			rs_detail(ctx, "There are no rows, or none that may be seen.");
		else
			rs_detail(ctx, "All %lld rows have a null id, weight or time.",
					  (long long) trainer->stats.rows_read);
		rspg_check(ctx, RS_ERR_EMPTY);
	}
	rspg_check(ctx, rspg_dictionary_ids(trainer->items, ctx, &ids, &item_rank, owned));
	user_rank = trainer->features.by_row ? rspg_trainer_features_rank(&trainer->features, item_rank)
										 : rspg_dictionary_rank_by_hash(trainer->users, ctx);
	if (user_rank == NULL)
		rspg_check(ctx, ctx->status);
	trainer->events = NULL; /* freed by the build, whatever happens */
	rspg_check(ctx, rs_problem_build(
						ctx, events,
						rs_algorithm_flags(trainer->algorithm, &trainer->options, trainer->ordered),
						user_rank, n_users, item_rank, n_items, &problem));
	feature_row = rspg_trainer_features_give(&trainer->features, user_rank, &problem);
	rs_free(ctx, user_rank);
	rs_free(ctx, item_rank);
	rspg_check(
		ctx, rs_train(ctx, trainer->algorithm, &trainer->options, &problem, &ids, &trainer->model));
	rs_problem_free(ctx, &problem);
	rs_free(ctx, feature_row);
	rs_features_free(ctx, trainer->features.rows);
	trainer->features.rows = NULL;
	rspg_trainer_features_add_encoder(&trainer->features, &trainer->model);
	for (i = 0; i < 4; i++)
		if (owned[i] != NULL)
			trainer->model.owned[trainer->model.n_owned++] = owned[i];
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, trainer->started);
	trainer->stats.seconds = INSTR_TIME_GET_DOUBLE(now);
	trainer->stats.iterations = trainer->model.iterations;
	trainer->stats.loss = trainer->model.loss;
	if (stats != NULL)
		*stats = trainer->stats;
	return &trainer->model;
}

RsContext *
rspg_trainer_context(RspgTrainer *trainer)
{
	return &trainer->ctx;
}

void
rspg_trainer_free(RspgTrainer *trainer)
{
	MemoryContextDelete(trainer->mcxt);
}
