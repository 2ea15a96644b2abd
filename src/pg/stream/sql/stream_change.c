/*
 * stream_change.c
 *		pause_stream(), resume_stream() and drop_stream().
 *
 * Each locks the row first.  A worker holds it FOR SHARE from before the first
 * row of a batch until its commit, so when a change has been committed, nothing
 * more is written by a worker that did not know of it.
 */
#include "pg/stream/definition/stream.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg/base/spi.h"
#include "pg/host/jobs.h"
#include "pg/stream/sql/stream_sql.h"

PG_FUNCTION_INFO_V1(recsys_pause_stream);
PG_FUNCTION_INFO_V1(recsys_resume_stream);
PG_FUNCTION_INFO_V1(recsys_drop_stream);
PG_FUNCTION_INFO_V1(recsys_stream_deletefn);

static void
fail_unknown(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("stream \"%s\" does not exist", name),
					errhint("SELECT * FROM recsys.streams shows those that you may see.")));
}

RspgStreamRow
rspg_stream_lock(const char *name)
{
	static RspgStatement find = {
		"SELECT id, owner FROM recsys.stream WHERE name OPERATOR(pg_catalog.=) $1",
		1,
		{TEXTOID},
		NULL};
	static RspgStatement lock = {
		"SELECT topic FROM recsys.stream WHERE id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
		1,
		{INT8OID},
		NULL};
	RspgStreamRow row;
	Datum value = CStringGetTextDatum(name);
	bool null;

	(void) rspg_execute(&find, &value, NULL, false);
	if (SPI_processed != 1)
		fail_unknown(name);
	row.id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	row.owner =
		DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &null));
	if (!has_privs_of_role(GetUserId(), row.owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of stream \"%s\"", name)));
	PreventCommandIfReadOnly("the change of a stream"); /* a standby knows no such lock */
	rspg_stream_queue(row.id, ExclusiveLock);
	value = Int64GetDatum(row.id);
	(void) rspg_execute(&lock, &value, NULL, false);
	if (SPI_processed != 1) /* dropped while we waited */
		fail_unknown(name);
	row.topic = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return row;
}

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
	Datum id;

	SPI_connect();
	id = Int64GetDatum(rspg_stream_lock(text_to_cstring(PG_GETARG_TEXT_PP(0))).id);
	(void) rspg_execute(&pause, &id, NULL, false);
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
	(void) rspg_execute(&resume, values, NULL, false);
	rspg_stream_validate(name);
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
		(void) rspg_execute(&steps[i], &id, NULL, false);
	return SPI_processed;
}

/*
 * recsys.stream_deletefn(): a row that is deleted without drop_stream(), or gets
 * another id, leaves nothing that a stream of somebody else could come to own.
 */
Datum
recsys_stream_deletefn(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc desc;
	bool null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("function must be called by a trigger")));
	desc = RelationGetDescr(trigger->tg_relation);
	SPI_connect();
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
	(void) rspg_execute(&drop, &id, NULL, false);
	SPI_finish();
	if (dead_letters > 0)
		ereport(NOTICE, (errmsg_plural("dropped %llu dead letter of stream \"%s\"",
									   "dropped %llu dead letters of stream \"%s\"",
									   (unsigned long) dead_letters,
									   (unsigned long long) dead_letters, name)));
	rspg_jobs_wake_at_commit("stream");
	PG_RETURN_VOID();
}
