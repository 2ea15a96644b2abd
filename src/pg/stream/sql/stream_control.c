/*
 * stream_control.c
 *		pause_stream(), resume_stream(), seek_stream(), skip_message() and
 *		drop_stream().
 *
 * A seek to offsets of partitions writes them at once.  Earliest, latest and a
 * time are the broker's to resolve: they wait in seek_to for the worker, which
 * moves the offsets and clears it in one transaction.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "kafka/lookup.h"
#include "pg/base/check.h"
#include "pg/base/jsonb_read.h"
#include "pg/base/spi.h"
#include "pg/host/jobs.h"
#include "pg/stream/definition/losses.h"
#include "pg/stream/definition/stream_options.h"
#include "pg/stream/sql/stream_check.h"
#include "pg/stream/sql/stream_lock.h"

/* Digits of an offset: what an int64 surely holds */
#define MAX_OFFSET_DIGITS 18

static void seek_text(int64 id, const char *start);
static void seek_offsets(int64 id, Jsonb *offsets);

PG_FUNCTION_INFO_V1(recsys_pause_stream);
PG_FUNCTION_INFO_V1(recsys_resume_stream);
PG_FUNCTION_INFO_V1(recsys_seek_stream);
PG_FUNCTION_INFO_V1(recsys_skip_message);
PG_FUNCTION_INFO_V1(recsys_drop_stream);
PG_FUNCTION_INFO_V1(recsys_stream_deletefn);

/*
 * recsys.pause_stream(stream)
 */
Datum
recsys_pause_stream(PG_FUNCTION_ARGS)
{
	static RspgStatement pause = {
		"UPDATE recsys.stream SET enabled = false, "
		"generation = generation OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	/* what its workers last saw of the topic's end goes with them */
	static RspgStatement look = {
		"UPDATE recsys.stream_offset o SET end_offset = r.end_offset "
		"FROM recsys_support.stream_state_rows() r WHERE o.stream_id OPERATOR(pg_catalog.=) $1 "
		"AND r.stream_id OPERATOR(pg_catalog.=) $1 AND r.database OPERATOR(pg_catalog.=) $2 "
		"AND r.partition OPERATOR(pg_catalog.=) o.partition "
		"AND r.end_offset OPERATOR(pg_catalog.>) 0",
		2,
		{INT8OID, OIDOID},
		NULL};
	Datum id[2];

	SPI_connect();
	id[0] = Int64GetDatum(rspg_stream_lock(text_to_cstring(PG_GETARG_TEXT_PP(0))).id);
	id[1] = ObjectIdGetDatum(MyDatabaseId);
	rspg_execute(&pause, id, NULL, false);
	rspg_execute(&look, id, NULL, false);
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}

/*
 * recsys.resume_stream(stream): also after a stop, and in a database that the row
 * was restored into
 */
Datum
recsys_resume_stream(PG_FUNCTION_ARGS)
{
	static RspgStatement resume = {
		"UPDATE recsys.stream SET enabled = true, stop_reason = NULL, stop_sqlstate = NULL, "
		"stopped_at = NULL, system_id = $2, database_id = $3, "
		"generation = generation OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) $1",
		3,
		{INT8OID, INT8OID, OIDOID},
		NULL};
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum values[3];

	SPI_connect();
	values[0] = Int64GetDatum(rspg_stream_lock(name).id);
	values[1] = Int64GetDatum((int64) GetSystemIdentifier());
	values[2] = ObjectIdGetDatum(MyDatabaseId);
	rspg_execute(&resume, values, NULL, false);
	rspg_stream_validate(name);
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}

/* An argument that is meant as an object of offsets, or NULL. */
static Jsonb *
offsets_of(const char *start)
{
	Jsonb *json;

	if (start[strspn(start, " \t\r\n")] != '{')
		return NULL;
	json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(start)));
	if (JB_ROOT_COUNT(json) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("offsets to seek to must name a partition"),
						errhint("For example: {\"0\": 1700, \"1\": 0}.")));
	return json;
}

/*
 * recsys.seek_stream(stream, start)
 */
Datum
recsys_seek_stream(PG_FUNCTION_ARGS)
{
	char *start = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Jsonb *offsets = offsets_of(start);
	int64 id;

	if (offsets == NULL)
		start = rspg_stream_start_utc(start);
	SPI_connect();
	id = rspg_stream_lock(text_to_cstring(PG_GETARG_TEXT_PP(0))).id;
	if (offsets != NULL)
		seek_offsets(id, offsets);
	else
		seek_text(id, start);
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}

/*
 * All partitions move, so what is remembered of the cluster and of the last
 * message is no longer to be compared with.
 */
static void
seek_text(int64 id, const char *start)
{
	static RspgStatement stream = {
		"UPDATE recsys.stream SET seek_to = $2, cluster_id = NULL, "
		"generation = generation OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) $1",
		2,
		{INT8OID, TEXTOID},
		NULL};
	static RspgStatement offsets = {
		"UPDATE recsys.stream_offset SET last_offset = NULL, skip = NULL "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	Datum values[2] = {Int64GetDatum(id), CStringGetTextDatum(start)};

	rspg_execute(&stream, values, NULL, false);
	rspg_execute(&offsets, values, NULL, false);
}

static int
partition_of(const char *digits)
{
	Size length = strlen(digits);
	int partition = 0;
	int i;

	for (i = 0; i < length && i < 5 && digits[i] >= '0' && digits[i] <= '9'; i++)
		partition = partition * 10 + (digits[i] - '0');
	if (i < length || length == 0 || (length > 1 && digits[0] == '0') ||
		partition >= RSK_MAX_PARTITIONS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"%s\" is not a number of a partition", digits),
						errdetail("Partitions are 0 to %d.", RSK_MAX_PARTITIONS - 1)));
	return partition;
}

static int64
offset_of(const JsonbValue *value, int partition)
{
	char *text = "";

	if (value->type == jbvNumeric)
		text =
			DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	if (text[0] == '\0' || strlen(text) > MAX_OFFSET_DIGITS ||
		text[strspn(text, "0123456789")] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("offset of partition %d must be a whole number of 0 or more", partition),
				 errdetail("It has up to %d digits.", MAX_OFFSET_DIGITS)));
	return strtoll(text, NULL, 10);
}

/*
 * The other partitions stay where they are; a seek that still waits is forgotten.
 */
static void
seek_offsets(int64 id, Jsonb *offsets)
{
	static RspgStatement stream = {
		"UPDATE recsys.stream SET seek_to = NULL, "
		"generation = generation OPERATOR(pg_catalog.+) 1 WHERE id OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	static RspgStatement one = {
		"INSERT INTO recsys.stream_offset (stream_id, partition, next_offset) VALUES ($1, $2, $3) "
		"ON CONFLICT (stream_id, partition) DO UPDATE SET next_offset = EXCLUDED.next_offset, "
		"last_offset = NULL, skip = NULL, updated = pg_catalog.clock_timestamp()",
		3,
		{INT8OID, INT4OID, INT8OID},
		NULL};
	/* once a worker has seen the topic, all its partitions are there */
	static RspgStatement unknown = {
		"SELECT FROM recsys.stream s WHERE id OPERATOR(pg_catalog.=) $1 AND cluster_id IS NOT NULL "
		"AND NOT EXISTS (SELECT FROM recsys.stream_offset o WHERE "
		"o.stream_id OPERATOR(pg_catalog.=) s.id AND o.partition OPERATOR(pg_catalog.=) $2)",
		2,
		{INT8OID, INT4OID},
		NULL};
	static RspgStatement before = {
		"SELECT next_offset FROM recsys.stream_offset WHERE stream_id OPERATOR(pg_catalog.=) $1 "
		"AND partition OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	Datum values[3] = {Int64GetDatum(id)};
	bool null;
	JsonbIterator *iterator = JsonbIteratorInit(&offsets->root);
	JsonbValue item;
	char *key;
	int partition;

	rspg_execute(&stream, values, NULL, false);
	while (rspg_jsonb_next_member(&iterator, &key, &item))
	{
		partition = partition_of(key);
		values[1] = Int32GetDatum(partition);
		values[2] = Int64GetDatum(offset_of(&item, partition));
		rspg_execute(&unknown, values, NULL, false);
		if (SPI_processed != 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the stream knows no partition %d", partition),
							errdetail("recsys.stream_status has those of its topic."),
							errhint("New partitions are found within seconds.")));
		rspg_execute(&before, values, NULL, false);
		if (SPI_processed == 1)
			rspg_loss_seek(id, partition,
						   DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
													   1, &null)),
						   DatumGetInt64(values[2]));
		rspg_execute(&one, values, NULL, false);
	}
}

/*
 * recsys.skip_message(stream, partition, message_offset): its worker is to start
 * anew, with that
 */
Datum
recsys_skip_message(PG_FUNCTION_ARGS)
{
	static RspgStatement anew = {
		"UPDATE recsys.stream SET generation = generation OPERATOR(pg_catalog.+) 1 "
		"WHERE id OPERATOR(pg_catalog.=) $1",
		1,
		{INT8OID},
		NULL};
	static RspgStatement skip = {
		"UPDATE recsys.stream_offset SET skip = ARRAY(SELECT DISTINCT s FROM "
		"pg_catalog.unnest(pg_catalog.array_append(skip, $3)) s "
		"WHERE s OPERATOR(pg_catalog.>=) next_offset) "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2 "
		"AND next_offset OPERATOR(pg_catalog.<=) $3",
		3,
		{INT8OID, INT4OID, INT8OID},
		NULL};
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum values[3] = {0, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};

	SPI_connect();
	values[0] = Int64GetDatum(rspg_stream_lock(name).id);
	rspg_execute(&anew, values, NULL, false);
	rspg_execute(&skip, values, NULL, false);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stream \"%s\" does not wait for offset %lld of partition %d", name,
						(long long) PG_GETARG_INT64(2), PG_GETARG_INT32(1)),
				 errhint("recsys.stream_status has its partitions and their next offsets.")));
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}

/*
 * What belongs to a stream goes; returns how many dead letters.
 */
static uint64
forget(Datum id)
{
	/* Not by foreign keys: a parallel pg_restore would load the tables out of
	 * their order. */
	static RspgStatement steps[] = {
		{"DELETE FROM recsys.stream_loss WHERE stream_id OPERATOR(pg_catalog.=) $1",
		 1,
		 {INT8OID},
		 NULL},
		{"DELETE FROM recsys.stream_offset WHERE stream_id OPERATOR(pg_catalog.=) $1",
		 1,
		 {INT8OID},
		 NULL},
		{"DELETE FROM recsys.dead_letter WHERE stream_id OPERATOR(pg_catalog.=) $1",
		 1,
		 {INT8OID},
		 NULL}};
	int i;

	for (i = 0; i < lengthof(steps); i++)
		rspg_execute(&steps[i], &id, NULL, false);
	return SPI_processed;
}

/*
 * recsys.stream_deletefn(): a row that is deleted without drop_stream(), or with
 * all others, or gets another id, leaves nothing that a stream of somebody else could
 * come to own.
 */
Datum
recsys_stream_deletefn(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = rspg_trigger(fcinfo);
	TupleDesc desc;
	bool null;

	desc = RelationGetDescr(trigger->tg_relation);
	SPI_connect();
	if (TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event))
	{
		SPI_execute("DELETE FROM recsys.stream", false, 0); /* row by row, as below */
		SPI_finish();
		return PointerGetDatum(NULL);
	}
	(void) forget(SPI_getbinval(trigger->tg_trigtuple, desc, SPI_fnumber(desc, "id"), &null));
	SPI_finish();
	rspg_jobs_wake_at_commit("stream");
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple
																	  : trigger->tg_trigtuple);
}

/*
 * recsys.drop_stream(stream)
 */
Datum
recsys_drop_stream(PG_FUNCTION_ARGS)
{
	static RspgStatement drop = {
		"DELETE FROM recsys.stream WHERE id OPERATOR(pg_catalog.=) $1", 1, {INT8OID}, NULL};
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	uint64 dead_letters;
	Datum id;

	SPI_connect();
	id = Int64GetDatum(rspg_stream_lock(name).id);
	dead_letters = forget(id);
	rspg_execute(&drop, &id, NULL, false);
	SPI_finish();
	if (dead_letters > 0)
		ereport(NOTICE, (errmsg_plural("dropped %llu dead letter of stream \"%s\"",
									   "dropped %llu dead letters of stream \"%s\"",
									   (unsigned long) dead_letters,
									   (unsigned long long) dead_letters, name)));
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}
