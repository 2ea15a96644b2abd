/*
 * train.c
 *		recsys.train(): from the source's rows to a live version.
 *
 * The source is read by a query that runs as the model's owner, whoever calls: a
 * member or a superuser does not read for them what they may not, nor run their
 * functions with other rights than theirs.  Its rows go one by one into the
 * trainer, through a DestReceiver, and are never held together.
 */
#include "pg/base/rspg.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/base/idarray.h"
#include "pg/base/optionjson.h"
#include "pg/base/role.h"
#include "pg/encode/vector.h"
#include "pg/model/source.h"
#include "pg/train/trainer.h"

/* of the events of the version before: a training on fewer is worth a warning */
#define SUSPICIOUS_SHARE 10

typedef struct TrainReceiver
{
	DestReceiver pub;
	RspgTrainer *trainer;
	MemoryContext row_context;
	Oid user_type; /* of the events */
} TrainReceiver;

typedef bool (*ReceiveSlot)(TupleTableSlot *slot, DestReceiver *self);

static void read_source(RspgTrainer *trainer, const char *sql);
static void read_users(RspgTrainer *trainer, const RspgRegistryRow *row, Oid user_type);
static void tell(const RspgRegistryRow *row, int32 version, const RspgTrainStats *stats, bool live);
static void warn(const RspgRegistryRow *row, int32 version, const RspgTrainStats *stats,
				 int64 events_before, bool live);

PG_FUNCTION_INFO_V1(recsys_train);

/*
 * recsys.train(model, deploy)
 */
Datum
recsys_train(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	RspgRegistryRow *row = rspg_registry_find_latest(name);
	const RsAlgorithm *algorithm = rspg_algorithm(row->algorithm);
	bool live = PG_GETARG_BOOL(1);
	bool ordered;
	RspgSourceQuery query;
	RspgTrainer *trainer;
	RspgTrainStats stats;
	RspgRole caller;
	int64 events_before;
	const RsModel *model;
	RsOptions options;
	int32 version;

	PreventCommandIfReadOnly("recsys.train()");
	rspg_require_owner(row);
	rspg_require_right(ACL_UPDATE, ACL_INSERT, "train a model");
	rspg_options_from_jsonb(algorithm, row->options, &options);
	ordered =
		(rs_algorithm_flags(algorithm, &options, row->time_column != NULL) & RS_SEQUENCES) != 0;
	query = rspg_source_training_query(row, ordered);
	trainer = rspg_trainer_create(CurrentMemoryContext, algorithm, &options, query.user_type,
								  query.item_type, ordered, row->name);
	caller = rspg_role_begin(row->owner);
	read_source(trainer, query.sql);
	if (row->features != NULL)
		read_users(trainer, row, query.user_type);
	rspg_role_end(caller);
	model = rspg_trainer_finish(trainer, &stats);
	events_before = rspg_version_events(row);
	version = rspg_version_store(row, rspg_trainer_context(trainer), model, &stats, live);
	rspg_trainer_free(trainer);
	tell(row, version, &stats, live);
	warn(row, version, &stats, events_before, live);
	PG_RETURN_INT32(version);
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receive_nothing(DestReceiver *self)
{
}

/*
 * Run a query in an open SPI connection; its rows go to receive one by one.
 * What the query is about names it in an error.
 */
static void
receive_rows(RspgTrainer *trainer, const char *sql, ParamListInfo params, ReceiveSlot receive,
			 Oid user_type, const char *what)
{
	TrainReceiver receiver = {
		.pub = {receive, receive_startup, receive_nothing, receive_nothing, DestNone},
		.trainer = trainer,
		.user_type = user_type};
	SPIExecuteOptions options = {.params = params, .read_only = true, .dest = &receiver.pub};

	receiver.row_context =
		AllocSetContextCreate(CurrentMemoryContext, "recsys row", ALLOCSET_SMALL_SIZES);
	if (SPI_execute_extended(sql, &options) < 0)
		elog(ERROR, "could not read the %s: %s", what, SPI_result_code_string(SPI_result));
	MemoryContextDelete(receiver.row_context);
}

/* (user, features); null features where the encoder's policy is to skip the row. */
static bool
receive_user(TupleTableSlot *slot, DestReceiver *self)
{
	TrainReceiver *receiver = (TrainReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->row_context);
	RspgConverter converter;
	Datum user;
	const float *values;
	int n;

	CHECK_FOR_INTERRUPTS();
	slot_getallattrs(slot);
	if (!slot->tts_isnull[0] && !slot->tts_isnull[1])
	{
		/* the two user columns may be of different types */
		rspg_converter_init(&converter,
							getBaseType(TupleDescAttr(slot->tts_tupleDescriptor, 0)->atttypid),
							receiver->user_type);
		values = rspg_features_array(DatumGetArrayTypeP(slot->tts_values[1]), 0, &n);
		if (rspg_convert_id(&converter, slot->tts_values[0], &user))
			rspg_trainer_add_user(receiver->trainer, user, values, n);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->row_context);
	return true;
}

/* (user, item, weight, time) */
static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	TrainReceiver *receiver = (TrainReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->row_context);
	NullableDatum cell[4];
	int i;

	slot_getallattrs(slot);
	for (i = 0; i < lengthof(cell); i++)
	{
		cell[i].value = slot->tts_values[i];
		cell[i].isnull = slot->tts_isnull[i];
	}
	rspg_trainer_add(receiver->trainer, cell[0], cell[1], cell[2], cell[3]);
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->row_context);
	return true;
}

static void
read_source(RspgTrainer *trainer, const char *sql)
{
	SPI_connect();
	receive_rows(trainer, sql, NULL, receive_row, InvalidOid, "source");
	SPI_finish();
}

/*
 * Fit the encoder over the relation of users, then read its rows through it.
 */
static void
read_users(RspgTrainer *trainer, const RspgRegistryRow *row, Oid user_type)
{
	ParamListInfo params;
	Oid argtype = JSONBOID;
	Datum spec = JsonbPGetDatum(row->features);
	Datum encoder;
	bool null;

	SPI_connect();
	if (SPI_execute_with_args(rspg_users_fit_query(row), 1, &argtype, &spec, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read the users: %s", SPI_result_code_string(SPI_result));
	encoder = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	if (null)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND), errmsg("there are no users to learn from"),
				 errdetail("The relation of users of model \"%s\" has no rows that its owner "
						   "sees.",
						   row->name)));
	rspg_trainer_set_encoder(trainer, (struct varlena *) DatumGetPointer(encoder));
	params = makeParamList(1);
	params->params[0].value = encoder;
	params->params[0].isnull = false;
	params->params[0].pflags = PARAM_FLAG_CONST;
	params->params[0].ptype = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	receive_rows(trainer, rspg_users_training_query(row), params, receive_user, user_type, "users");
	SPI_finish();
}

/*
 * Say what was read and what was not.
 */
static void
tell(const RspgRegistryRow *row, int32 version, const RspgTrainStats *stats, bool live)
{
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfo(&detail,
					 "Read " INT64_FORMAT " rows: " INT64_FORMAT " users, " INT64_FORMAT
					 " items; %.2f s",
					 stats->rows_read, stats->users, stats->items, stats->seconds);
	if (!isnan(stats->loss))
		appendStringInfo(&detail, ", %d iterations, final loss %.6g", stats->iterations,
						 stats->loss);
	appendStringInfoChar(&detail, '.');
	if (stats->events < stats->rows_read)
		appendStringInfo(&detail,
						 " Skipped " INT64_FORMAT " rows: " INT64_FORMAT
						 " without user, " INT64_FORMAT " without item, " INT64_FORMAT
						 " without weight, " INT64_FORMAT " without time.",
						 stats->rows_read - stats->events, stats->rows_null_user,
						 stats->rows_null_item, stats->rows_null_weight, stats->rows_null_time);
	ereport(NOTICE, (errmsg("model \"%s\" has version %d", row->name, version),
					 errdetail("%s", detail.data),
					 live ? 0
						  : errhint("It is not live: SELECT recsys.deploy(%s, %d); makes it so.",
									quote_literal_cstr(row->name), version)));
}

/*
 * The version answers, now or once it is deployed, whatever it was made of: say so
 * when that was next to nothing, or a small part of what the live version was made of.
 */
static void
warn(const RspgRegistryRow *row, int32 version, const RspgTrainStats *stats, int64 events_before,
	 bool live)
{
	if (stats->users < 2 || stats->items < 2)
		ereport(
			WARNING,
			(errmsg("version %d of model \"%s\" was trained on next to nothing", version,
					row->name),
			 errdetail("Users: " INT64_FORMAT ", items: " INT64_FORMAT ".", stats->users,
					   stats->items),
			 errhint("Nothing goes together with anything; it knows what is popular at best.")));
	if (stats->events < events_before / SUSPICIOUS_SHARE)
		ereport(WARNING,
				(errmsg("version %d of model \"%s\" was trained on far fewer events than the one "
						"before",
						version, row->name),
				 errdetail("Version %d: " INT64_FORMAT " events, now " INT64_FORMAT ".",
						   row->live_version, events_before, stats->events),
				 live ? errhint("SELECT recsys.deploy(%s, %d); goes back.",
								quote_literal_cstr(row->name), row->live_version)
					  : 0));
}
