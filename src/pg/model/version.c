/*
 * version.c
 *		Versions of registered models: write them, and hand them out as values.
 *
 * A version's bytes stand in recsys.model_chunk in pieces of 4 MB, written
 * straight from the core as it draws them, so that no value of the whole size
 * is ever made.
 */
#include "pg/model/version.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/algorithms/algorithms.h"
#include "core/model/modelbytes.h"
#include "core/model/modelread.h"
#include "pg/base/check.h"
#include "pg/base/idmap.h"
#include "pg/base/rspg.h"
#include "pg/base/spi.h"
#include "pg/model/arena.h"
#include "pg/model/chunks.h"
#include "pg/model/modeltype.h"

#define CHUNK_BYTES (4 * 1024 * 1024)

typedef struct ChunkWriter
{
	int64 model_id;
	int32 version;
	int32 seq;
	bytea *chunk; /* room for CHUNK_BYTES */
	Size filled;
	uint64 digest;
	RspgArenaPlace *place; /* in shared memory, NULL: not there */
	uint64 shared;         /* bytes written there */
} ChunkWriter;

static RspgArenaPlace *place_shared(const RspgRegistryRow *row, int64 key, uint64 length);
static bool write_piece(void *opaque, const void *bytes, size_t length);
static void flush_chunk(ChunkWriter *writer);
static int32 next_version(const RspgRegistryRow *row);
static void insert_version(const RspgRegistryRow *row, int32 version, int64 key,
						   const RsModel *model, const RspgTrainStats *stats);
static Datum epochs_datum(const RsModel *model, Size offset);
static void make_live(const RspgRegistryRow *row, int32 version, int64 key);
static void create_saved(const char *name, const RsModel *model);
static Datum options_datum(const RsModel *model);

PG_FUNCTION_INFO_V1(recsys_save_model);
PG_FUNCTION_INFO_V1(recsys_load_model);

int32
rspg_version_store(const RspgRegistryRow *row, RsContext *ctx, const RsModel *model,
				   const RspgTrainStats *stats, bool live)
{
	ChunkWriter writer = {0};
	int64 key;

	if (!pg_strong_random(&key, sizeof(key)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	SPI_connect();
	writer.model_id = row->id;
	writer.version = next_version(row);
	insert_version(row, writer.version, key, model, stats);
	writer.chunk = palloc(VARHDRSZ + CHUNK_BYTES);
	if (live)
		writer.place = place_shared(row, key, rs_model_size(model));
	rspg_check(ctx, rs_model_write(ctx, model, write_piece, &writer));
	flush_chunk(&writer);
	if (live)
		make_live(row, writer.version, key);
	if (writer.place != NULL)
	{
		rspg_arena_publish(writer.place, writer.digest, writer.version);
		rspg_arena_unpin(writer.place);
	}
	SPI_finish();
	return writer.version;
}

/*
 * Room for what will be live, written there as it is stored, so that no session has to
 * read it: nobody asks for its key before the commit, nor ever after a rollback.  The
 * version that answers until then stays.  NULL if there is none.
 */
static RspgArenaPlace *
place_shared(const RspgRegistryRow *row, int64 key, uint64 length)
{
	RspgArenaKey arena_key = rspg_arena_key(row, key, length, 0);
	RspgArenaPlace *place;

	(void) rspg_arena_open(CurrentMemoryContext, &arena_key, row, true, &place);
	return place;
}

/*
 * One more than the highest, under a lock on the model's row that makes
 * concurrent trainings take turns here.
 */
static int32
next_version(const RspgRegistryRow *row)
{
	static RspgStatement highest = {
		"SELECT pg_catalog.max(version) FROM recsys.model_version WHERE model_id "
		"OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	Datum value = Int64GetDatum(row->id);
	bool null;
	Datum version;

	rspg_registry_lock(row);
	rspg_execute(&highest, &value, NULL, false);
	version = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
	if (!null && DatumGetInt32(version) == PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("model \"%s\" has no number left for a version", row->name),
						errdetail("It has version %d.", PG_INT32_MAX),
						errhint("Deploy another, and remove that one by recsys.drop_version().")));
	return null ? 1 : DatumGetInt32(version) + 1;
}

int64
rspg_version_events(const RspgRegistryRow *row)
{
	static RspgStatement find = {
		"SELECT events FROM recsys.model_version WHERE model_id OPERATOR(pg_catalog.=) $1 "
		"AND version OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	Datum key[2] = {Int64GetDatum(row->id), Int32GetDatum(row->live_version)};
	int64 events = 0;
	bool null;

	SPI_connect();
	rspg_execute(&find, key, NULL, false);
	if (SPI_processed == 1)
		events =
			DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	SPI_finish();
	return events;
}

static Datum
options_datum(const RsModel *model)
{
	char buffer[4096];

	(void) rs_options_json(&model->options, buffer, sizeof(buffer));
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(buffer));
}

/*
 * One number of every epoch, NaN as null.
 */
static Datum
epochs_datum(const RsModel *model, Size offset)
{
	Datum *values = palloc(Max(model->n_epochs, 1) * sizeof(Datum));
	bool *nulls = palloc0(Max(model->n_epochs, 1) * sizeof(bool));
	int lower = 1;
	int i;

	for (i = 0; i < model->n_epochs; i++)
	{
		double value = *(const double *) ((const char *) &model->epochs[i] + offset);

		values[i] = Float8GetDatum(value);
		nulls[i] = isnan(value);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, (int *) &model->n_epochs, &lower,
											  FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
											  TYPALIGN_DOUBLE));
}

static void
insert_version(const RspgRegistryRow *row, int32 version, int64 key, const RsModel *model,
			   const RspgTrainStats *stats)
{
	static RspgStatement insert = {
		"INSERT INTO recsys.model_version (model_id, version, key, algorithm, options, id_type, "
		"bytes, users, items, events, iterations, loss, rows_read, rows_skipped, seconds, "
		"trained_by, epoch_loss, epoch_validation_loss, epoch_validation_hit_rate) VALUES ($1, $2, "
		"$3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
		19,
		{INT8OID, INT4OID, INT8OID, TEXTOID, JSONBOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID,
		 INT4OID, FLOAT8OID, INT8OID, INT8OID, FLOAT8OID, REGROLEOID, FLOAT8ARRAYOID,
		 FLOAT8ARRAYOID, FLOAT8ARRAYOID},
		NULL};
	Datum values[19] = {Int64GetDatum(row->id),
						Int32GetDatum(version),
						Int64GetDatum(key),
						CStringGetTextDatum(model->algorithm->name),
						options_datum(model),
						CStringGetTextDatum(rspg_id_type_name(model->ids.type)),
						Int64GetDatum((int64) rs_model_size(model)),
						Int64GetDatum((int64) model->n_users),
						Int64GetDatum((int64) model->ids.n),
						Int64GetDatum((int64) model->n_events),
						Int32GetDatum(model->iterations),
						Float8GetDatum(model->loss),
						Int64GetDatum(stats ? stats->rows_read : 0),
						Int64GetDatum(stats ? stats->rows_null_user + stats->rows_null_item +
												  stats->rows_null_weight + stats->rows_null_time
											: 0),
						Float8GetDatum(stats ? stats->seconds : 0),
						ObjectIdGetDatum(GetUserId()),
						epochs_datum(model, offsetof(RsEpoch, loss)),
						epochs_datum(model, offsetof(RsEpoch, validation_loss)),
						epochs_datum(model, offsetof(RsEpoch, validation_hit_rate))};
	char nulls[20] = "                   ";

	if (isnan(model->loss))
		nulls[11] = 'n';
	if (stats == NULL)
		nulls[12] = nulls[13] = nulls[14] = 'n';
	if (model->n_epochs == 0)
		nulls[16] = nulls[17] = nulls[18] = 'n';
	rspg_execute(&insert, values, nulls, false);
}

static void
make_live(const RspgRegistryRow *row, int32 version, int64 key)
{
	static RspgStatement update = {
		"UPDATE recsys.model_registry SET live_version = $2, live_key = $3 "
		"WHERE id OPERATOR(pg_catalog.=) $1",
		3,
		{INT8OID, INT4OID, INT8OID},
		NULL};
	Datum values[3] = {Int64GetDatum(row->id), Int32GetDatum(version), Int64GetDatum(key)};

	rspg_execute(&update, values, NULL, false);
}

static bool
write_piece(void *opaque, const void *bytes, size_t length)
{
	ChunkWriter *writer = opaque;
	const char *next = bytes;

	if (writer->place != NULL)
	{
		memcpy(writer->place->bytes + writer->shared, bytes, length);
		writer->shared += length;
	}
	while (length > 0)
	{
		Size part = Min(length, CHUNK_BYTES - writer->filled);

		memcpy(VARDATA(writer->chunk) + writer->filled, next, part);
		writer->filled += part;
		next += part;
		length -= part;
		if (writer->filled == CHUNK_BYTES)
			flush_chunk(writer);
	}
	return true;
}

static void
flush_chunk(ChunkWriter *writer)
{
	static RspgStatement insert = {
		"INSERT INTO recsys.model_chunk (model_id, version, seq, crc, bytes) "
		"VALUES ($1, $2, $3, $4, $5)",
		5,
		{INT8OID, INT4OID, INT4OID, INT8OID, BYTEAOID},
		NULL};
	Datum values[5];
	pg_crc32c crc;

	if (writer->filled == 0)
		return;
	CHECK_FOR_INTERRUPTS();
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, VARDATA(writer->chunk), writer->filled);
	FIN_CRC32C(crc);
	SET_VARSIZE(writer->chunk, VARHDRSZ + writer->filled);
	values[0] = Int64GetDatum(writer->model_id);
	values[1] = Int32GetDatum(writer->version);
	values[2] = Int32GetDatum(writer->seq);
	values[3] = Int64GetDatum((int64) crc);
	values[4] = PointerGetDatum(writer->chunk);
	rspg_execute(&insert, values, NULL, false);
	writer->digest ^= rspg_chunk_digest(crc, writer->seq);
	writer->seq++;
	writer->filled = 0;
}

/*
 * recsys.save_model(model, value): the next version of a registered model, which
 * is made, without a source, where there is none of that name.
 */
Datum
recsys_save_model(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	struct varlena *value = PG_GETARG_VARLENA_P(1);
	RsContext ctx = rspg_context(CurrentMemoryContext);
	RspgRegistryRow *row;
	RsModel model;
	int32 version;

	rspg_check(&ctx, rs_model_read(&ctx, rs_algorithms(), RSPG_MODEL_BYTES(value),
								   RSPG_MODEL_LENGTH(value), &model));
	create_saved(name, &model);
	row = rspg_registry_find_latest(name);
	rspg_require_owner(row);
	rspg_require_right(ACL_UPDATE, ACL_INSERT, "save a model");
	if (OidIsValid(row->source) && strcmp(row->algorithm, model.algorithm->name) != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("model \"%s\" is of algorithm \"%s\", the value of \"%s\"", name,
							   row->algorithm, model.algorithm->name),
						errhint("Save the value under another name.")));
	version = rspg_version_store(row, &ctx, &model, NULL, true);
	rs_model_free(&ctx, &model);
	PG_RETURN_INT32(version);
}

static void
create_saved(const char *name, const RsModel *model)
{
	static RspgStatement find = {
		"SELECT FROM recsys.model_registry WHERE name OPERATOR(pg_catalog.=) $1",
		1,
		{TEXTOID},
		NULL};
	static RspgStatement insert = {
		"INSERT INTO recsys.model_registry (name, algorithm, options, owner) "
		"VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
		4,
		{TEXTOID, TEXTOID, JSONBOID, REGROLEOID},
		NULL};
	Datum values[4] = {CStringGetTextDatum(name), CStringGetTextDatum(model->algorithm->name),
					   options_datum(model), ObjectIdGetDatum(GetUserId())};

	rspg_check_name(name, "a model");
	SPI_connect();
	rspg_execute(&find, values, NULL, false);
	if (SPI_processed == 0)
	{
		rspg_require_right(ACL_INSERT, ACL_NO_RIGHTS, "create a model");
		rspg_execute(&insert, values, NULL, false);
		/* a name that is taken but not seen is somebody else's */
		if (SPI_processed == 0)
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("must be owner of model \"%s\"", name)));
	}
	SPI_finish();
}

/*
 * recsys.load_model(model, version)
 */
Datum
recsys_load_model(PG_FUNCTION_ARGS)
{
	char *name = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));
	RspgRegistryRow *row = rspg_registry_find(name);
	RspgChunks chunks;
	struct varlena *value;

	if (!PG_ARGISNULL(1))
		row->live_version = PG_GETARG_INT32(1);
	else if (row->live_version == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("model \"%s\" has no live version", row->name),
						errhint("Train it with recsys.train(), or name a version.")));
	chunks = rspg_chunks_find(row);
	value = rspg_model_allocate(chunks.length);
	(void) rspg_chunks_read(row, &chunks, (char *) RSPG_MODEL_BYTES(value), NULL);
	/* whoever may write to model_chunk can write a right CRC over wrong bytes */
	rspg_model_validate(value);
	PG_RETURN_POINTER(value);
}
