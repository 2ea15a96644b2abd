/*
 * losses.c
 *		Offsets that a stream went past without reading them: recsys.stream_loss.
 */
#include "pg/stream/definition/losses.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "pg/base/spi.h"

void
rspg_loss_record(int64 stream, int32 partition, int64 next, int64 to, const char *policy)
{
	static RspgStatement statement = {
		"WITH same AS (UPDATE recsys.stream_loss SET to_offset = $4, policy = $5, "
		"noticed = pg_catalog.clock_timestamp() WHERE stream_id OPERATOR(pg_catalog.=) $1 "
		"AND partition OPERATOR(pg_catalog.=) $2 AND from_offset OPERATOR(pg_catalog.=) $3 "
		"AND policy OPERATOR(pg_catalog.=) 'error' RETURNING 1) "
		"INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, "
		"reason) SELECT $1, $2, $3, $4, $5, 'the broker does not keep these messages any more' "
		"WHERE NOT EXISTS (SELECT FROM same)",
		5,
		{INT8OID, INT4OID, INT8OID, INT8OID, TEXTOID},
		NULL};
	Datum values[5] = {Int64GetDatum(stream), Int32GetDatum(partition), Int64GetDatum(next),
					   Int64GetDatum(to), CStringGetTextDatum(policy)};

	rspg_execute(&statement, values, NULL, false);
}

void
rspg_loss_seek(int64 stream, int32 partition, int64 next, int64 to)
{
	/* of these offsets a stop may have recorded the first as lost */
	static RspgStatement forward = {
		"INSERT INTO recsys.stream_loss (stream_id, partition, from_offset, to_offset, policy, "
		"reason) SELECT $1, $2, f, $4, 'seek', 'seek_stream() went past these messages' "
		"FROM (SELECT COALESCE(pg_catalog.max(to_offset), $3) AS f FROM recsys.stream_loss "
		"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2 "
		"AND from_offset OPERATOR(pg_catalog.=) $3 AND policy OPERATOR(pg_catalog.=) 'error') x "
		"WHERE f OPERATOR(pg_catalog.<) $4",
		4,
		{INT8OID, INT4OID, INT8OID, INT8OID},
		NULL};
	static RspgStatement back = {
		"WITH all_of AS (DELETE FROM recsys.stream_loss WHERE stream_id OPERATOR(pg_catalog.=) $1 "
		"AND partition OPERATOR(pg_catalog.=) $2 AND from_offset OPERATOR(pg_catalog.>=) $3 "
		"AND policy OPERATOR(pg_catalog.=) 'seek') "
		"UPDATE recsys.stream_loss SET to_offset = $3 WHERE stream_id OPERATOR(pg_catalog.=) $1 "
		"AND partition OPERATOR(pg_catalog.=) $2 AND from_offset OPERATOR(pg_catalog.<) $3 "
		"AND to_offset OPERATOR(pg_catalog.>) $3 AND policy OPERATOR(pg_catalog.=) 'seek'",
		3,
		{INT8OID, INT4OID, INT8OID},
		NULL};
	Datum values[4] = {Int64GetDatum(stream), Int32GetDatum(partition)};

	values[2] = Int64GetDatum(to > next ? next : to);
	values[3] = Int64GetDatum(to);
	if (to > next)
		rspg_execute(&forward, values, NULL, false);
	else if (to < next)
		rspg_execute(&back, values, NULL, false);
}
