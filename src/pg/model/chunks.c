/*
 * chunks.c
 *		The bytes of a model version, read from recsys.model_chunk.
 *
 * Chunks are fetched one at a time and read straight into place, so that a load
 * holds the model once.
 */
#include "pg/model/chunks.h"

#include "catalog/pg_type.h"
#include "utils/fmgrprotos.h"

#include "pg/base/spi.h"
#include "pg/base/varlena.h"

#define CHUNK_SQL                                                                                  \
	"SELECT seq, bytes, crc FROM recsys.model_chunk"                                               \
	" WHERE model_id OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2"              \
	" ORDER BY seq"

static const Oid key_types[2] = {INT8OID, INT4OID};

static void fail(const RspgRegistryRow *row, int64 seq, const char *what) __attribute__((noreturn));
static Size read_chunk(const RspgRegistryRow *row, HeapTuple tuple, TupleDesc desc, int64 seq,
					   char *to, uint64 room, uint64 *digest);

static void
fail(const RspgRegistryRow *row, int64 seq, const char *what)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("corrupt model \"%s\" version %d: chunk " INT64_FORMAT " %s", row->name,
						   row->live_version, seq, what)));
}

RspgChunks
rspg_chunks_find(const RspgRegistryRow *row)
{
	static RspgStatement find = {
		"SELECT v.bytes, COALESCE(c.stored, 0), COALESCE(c.digest, 0) FROM recsys.model_version v, "
		"LATERAL (SELECT pg_catalog.sum(pg_catalog.octet_length(k.bytes)) AS stored, "
		"pg_catalog.bit_xor(pg_catalog.hashint8extended(k.crc, k.seq)) AS digest "
		"FROM recsys.model_chunk k WHERE k.model_id OPERATOR(pg_catalog.=) v.model_id AND "
		"k.version OPERATOR(pg_catalog.=) v.version) c "
		"WHERE v.model_id OPERATOR(pg_catalog.=) $1 AND v.version OPERATOR(pg_catalog.=) $2",
		2,
		{INT8OID, INT4OID},
		NULL};
	Datum key[2] = {Int64GetDatum(row->id), Int32GetDatum(row->live_version)};
	int64 number[3]; /* length, length of the chunks, digest */
	bool is_null;

	SPI_connect();
	rspg_execute(&find, key, NULL, true);
	if (SPI_processed != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("version %d of model \"%s\" does not exist", row->live_version,
							   row->name)));
	for (int i = 0; i < lengthof(number); i++)
		number[i] = DatumGetInt64(
			SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &is_null));
	SPI_finish();
	/* a wrong length is found before there is room made for it */
	if (number[0] < 0 || number[0] > number[1])
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("corrupt model \"%s\" version %d: its length is " INT64_FORMAT
							   ", its chunks have " INT64_FORMAT,
							   row->name, row->live_version, number[0], number[1])));
	return (RspgChunks){.length = (uint64) number[0], .digest = (uint64) number[2]};
}

/*
 * Copy chunk seq to the place where it belongs, if it is what it should be;
 * its length.
 */
static Size
read_chunk(const RspgRegistryRow *row, HeapTuple tuple, TupleDesc desc, int64 seq, char *to,
		   uint64 room, uint64 *digest)
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
	*digest ^= rspg_chunk_digest(crc, seq);
	return length;
}

uint64
rspg_chunk_digest(pg_crc32c crc, int64 seq)
{
	return (uint64) DatumGetInt64(
		DirectFunctionCall2(hashint8extended, Int64GetDatum((int64) crc), Int64GetDatum(seq)));
}

uint64
rspg_chunks_read(const RspgRegistryRow *row, const RspgChunks *chunks, char *bytes,
				 const RspgArenaPlace *place)
{
	Datum key[2] = {Int64GetDatum(row->id), Int32GetDatum(row->live_version)};
	Portal portal;
	uint64 done = 0;
	uint64 digest = 0;
	int64 seq = 0;

	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, CHUNK_SQL, 2, (Oid *) key_types, key, NULL, true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, 1);
		if (SPI_processed == 0)
			break;
		done += read_chunk(row, SPI_tuptable->vals[0], SPI_tuptable->tupdesc, seq, bytes + done,
						   chunks->length - done, &digest);
		if (place != NULL)
			rspg_arena_progress(place, done);
		SPI_freetuptable(SPI_tuptable);
		seq++;
	}
	if (done != chunks->length)
		fail(row, seq, "is missing");
	SPI_cursor_close(portal);
	SPI_finish();
	return digest;
}
