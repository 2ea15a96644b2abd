/*
 * chunks.c
 *		The bytes of a model version, read from recsys.model_chunk.
 *
 * Chunks are fetched one at a time and read straight into place, so that a load
 * holds the model once.
 */
#include "pg/model/chunks.h"

#include "catalog/pg_type.h"
#include "port/pg_crc32c.h"

#include "pg/base/spi.h"
#include "pg/base/varlena.h"

#define CHUNK_SQL                                                                                  \
	"SELECT seq, bytes, crc FROM recsys.model_chunk"                                               \
	" WHERE model_id OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2"              \
	" ORDER BY seq"

static const Oid key_types[2] = {INT8OID, INT4OID};

static void fail(const RspgRegistryRow *row, int64 seq, const char *what) __attribute__((noreturn));
static Size read_chunk(const RspgRegistryRow *row, HeapTuple tuple, TupleDesc desc, int64 seq,
					   char *to, uint64 room);

static void
fail(const RspgRegistryRow *row, int64 seq, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("corrupt model \"%s\" version %d: chunk " INT64_FORMAT " %s", row->name,
						   row->live_version, seq, what)));
}

uint64
rspg_chunks_length(const RspgRegistryRow *row)
{
	static RspgStatement find = {
		"SELECT v.bytes, (SELECT COALESCE(pg_catalog.sum(pg_catalog.octet_length(c.bytes)), 0) "
		"FROM recsys.model_chunk c WHERE c.model_id OPERATOR(pg_catalog.=) v.model_id AND "
		"c.version OPERATOR(pg_catalog.=) v.version) FROM recsys.model_version v "
		"WHERE v.model_id OPERATOR(pg_catalog.=) $1 AND v.version OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	Datum key[2] = {Int64GetDatum(row->id), Int32GetDatum(row->live_version)};
	bool is_null;
	int64 length;
	int64 stored;

	SPI_connect();
	rspg_execute(&find, key, NULL, true);
	if (SPI_processed != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("version %d of model \"%s\" does not exist", row->live_version,
							   row->name)));
	length =
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null));
	stored =
		DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &is_null));
	SPI_finish();
	/* a wrong length is found before there is room made for it */
	if (length < 0 || length > stored)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("corrupt model \"%s\" version %d: its length is " INT64_FORMAT
							   ", its chunks have " INT64_FORMAT,
							   row->name, row->live_version, length, stored)));
	return (uint64) length;
}

/*
 * Copy chunk seq to the place where it belongs, if it is what it should be;
 * its length.
 */
static Size
read_chunk(const RspgRegistryRow *row, HeapTuple tuple, TupleDesc desc, int64 seq, char *to,
		   uint64 room)
{
	bool is_null[3];
	Datum number = SPI_getbinval(tuple, desc, 1, &is_null[0]);
	Datum content = SPI_getbinval(tuple, desc, 2, &is_null[1]);
	Datum expected = SPI_getbinval(tuple, desc, 3, &is_null[2]);
	Size length;
	pg_crc32c crc;

	if (is_null[0] || DatumGetInt32(number) != seq)
		fail(row, seq, "is missing");
	if (is_null[1] || is_null[2])
		fail(row, seq, "is null");
	length = rspg_varlena_length((struct varlena *) DatumGetPointer(content));
	if (length > room)
		fail(row, seq, "is too long");
	rspg_varlena_read((struct varlena *) DatumGetPointer(content), to);
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, to, length);
	FIN_CRC32C(crc);
	if ((int64) crc != DatumGetInt64(expected))
		fail(row, seq, "has a wrong checksum");
	return length;
}

void
rspg_chunks_read(const RspgRegistryRow *row, char *bytes, uint64 length)
{
	Datum key[2] = {Int64GetDatum(row->id), Int32GetDatum(row->live_version)};
	Portal portal;
	uint64 done = 0;
	int64 seq = 0;

	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, CHUNK_SQL, 2, (Oid *) key_types, key, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 1);
		if (SPI_processed == 0)
			break;
		done += read_chunk(row, SPI_tuptable->vals[0], SPI_tuptable->tupdesc, seq, bytes + done,
						   length - done);
		SPI_freetuptable(SPI_tuptable);
		seq++;
	}
	if (done != length)
		fail(row, seq, "is missing");
	SPI_cursor_close(portal);
	SPI_finish();
}
