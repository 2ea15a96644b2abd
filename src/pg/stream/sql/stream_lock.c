/*
 * stream_lock.c
 *		A stream's row, found and locked by a session that changes it.
 *
 * A worker holds its queue from before the first row of a batch until its commit,
 * so when a change has been committed, nothing more is written by a worker
 * that did not know of it.
 */
#include "pg/stream/sql/stream_lock.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "pg/base/spi.h"
#include "pg/stream/definition/stream.h"

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

	rspg_execute(&find, &value, NULL, false);
	if (SPI_processed != 1)
		rspg_stream_unknown(name);
	row.id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
	row.owner =
		DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &null));
	if (!has_privs_of_role(GetUserId(), row.owner))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be owner of stream \"%s\"", name)));
	PreventCommandIfReadOnly("the change of a stream"); /* a standby knows no such lock */
	rspg_stream_queue(row.id, ExclusiveLock);
	value = Int64GetDatum(row.id);
	rspg_execute(&lock, &value, NULL, false);
	if (SPI_processed != 1) /* dropped while we waited */
		rspg_stream_unknown(name);
	row.topic = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return row;
}
