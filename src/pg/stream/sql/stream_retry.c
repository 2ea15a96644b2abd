/*
 * stream_retry.c
 *		retry_dead_letters(): the bytes of dead letters through the writer again.
 *
 * It runs as the caller, who must be the stream's owner: a member, or a
 * superuser, would run the owner's triggers and functions with rights that the
 * owner lacks.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/role.h"
#include "pg/base/spi.h"
#include "pg/stream/definition/stream.h"
#include "pg/stream/write/attempt.h"
#include "pg/stream/write/dead_letters.h"
#include "pg/stream/write/message_headers.h"
#include "pg/stream/write/message_time.h"
#include "pg/stream/write/writer.h"

#define FETCH 100 /* rows at once */

/* Dead letters of one batch, as messages */
typedef struct Letters
{
	MemoryContext context;
	int n;
	int64 *ids;
	RskMessage *messages;
	Size bytes;
} Letters;

typedef struct Counts
{
	int64 retried;
	int64 rejected;
} Counts;

PG_FUNCTION_INFO_V1(recsys_retry_dead_letters);

/* A column as bytes that stay, or NULL. */
static const void *
column_bytes(HeapTuple tuple, TupleDesc desc, int column, size_t *length)
{
	bool null;
	Datum value = SPI_getbinval(tuple, desc, column, &null);
	bytea *bytes;

	*length = 0;
	if (null)
		return NULL;
	bytes = DatumGetByteaPCopy(value);
	*length = VARSIZE_ANY_EXHDR(bytes);
	return VARDATA_ANY(bytes);
}

static void
read_letter(HeapTuple tuple, TupleDesc desc, Letters *letters)
{
	RskMessage *message = &letters->messages[letters->n];
	bool null;
	Datum value;

	memset(message, 0, sizeof(*message));
	letters->ids[letters->n++] = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &null));
	message->partition = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &null));
	message->offset = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &null));
	value = SPI_getbinval(tuple, desc, 4, &null);
	message->timestamp_ms = null ? -1 : rspg_time_to_ms(DatumGetTimestampTz(value));
	message->key = column_bytes(tuple, desc, 5, &message->key_length);
	message->payload = column_bytes(tuple, desc, 6, &message->payload_length);
	value = SPI_getbinval(tuple, desc, 7, &null);
	if (!null)
		rspg_headers_read(DatumGetJsonbPCopy(value), message);
	letters->bytes += message->key_length + message->payload_length;
}

/* The next batch, at least one letter; 0 at the end. */
static int
fetch_letters(Portal portal, const RspgStreamOptions *options, Letters *letters)
{
	MemoryContext old;

	MemoryContextReset(letters->context);
	letters->n = 0;
	letters->bytes = 0;
	letters->ids = MemoryContextAlloc(letters->context, options->batch_rows * sizeof(int64));
	letters->messages =
		MemoryContextAlloc(letters->context, options->batch_rows * sizeof(RskMessage));
	while (letters->n < options->batch_rows && letters->bytes < options->batch_bytes)
	{
		uint64 i;

		/* one by one where they are large */
		SPI_cursor_fetch(portal, true,
						 letters->bytes > (Size) letters->n * 10000
							 ? 1
							 : Min(FETCH, options->batch_rows - letters->n));
		if (SPI_processed == 0)
			break;
		old = MemoryContextSwitchTo(letters->context);
		for (i = 0; i < SPI_processed; i++)
			read_letter(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, letters);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	}
	return letters->n;
}

/* Those that were written go, the others stay with what was wrong this time. */
static void
settle(const Letters *letters, const RspgBatch *batch)
{
	static RspgStatement keep = {
		"UPDATE recsys.dead_letter SET retries = retries OPERATOR(pg_catalog.+) 1, sqlstate = $2, "
		"error = $3 WHERE id OPERATOR(pg_catalog.=) $1",
		3,
		{INT8OID, TEXTOID, TEXTOID},
		NULL};
	int64 *done = palloc(letters->n * sizeof(int64));
	Datum values[3];
	ListCell *cell;
	int n = 0;
	int i;

	foreach (cell, batch->rejects)
	{
		RspgReject *reject = lfirst(cell);

		values[0] = Int64GetDatum(letters->ids[reject->message]);
		values[1] = CStringGetTextDatum(unpack_sql_state(reject->sqlstate));
		values[2] = CStringGetTextDatum(reject->error);
		rspg_execute(&keep, values, NULL, false);
	}
	for (i = 0; i < letters->n; i++)
		if (batch->states[i] != RSPG_MESSAGE_REJECTED)
			done[n++] = letters->ids[i];
	rspg_dead_letters_delete(done, n);
}

/* The letters that the arguments 1 … 7 choose, in the order of their offsets. */
static Portal
open_letters(FunctionCallInfo fcinfo, int64 stream)
{
	static Oid types[8] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID,
						   INT8OID, INT8OID,        TEXTOID,        INT8OID};
	Datum values[8];
	char nulls[8];
	int i;

	values[0] = Int64GetDatum(stream);
	nulls[0] = ' ';
	for (i = 1; i < 8; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		values[i] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
	}
	if (!PG_ARGISNULL(7) && PG_GETARG_INT64(7) < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"max_messages\" must not be negative")));
	return SPI_cursor_open_with_args(
		NULL,
		"SELECT id, partition, message_offset, message_time, key, payload, headers "
		"FROM recsys.dead_letter WHERE stream_id OPERATOR(pg_catalog.=) $1 "
		"AND ($2 IS NULL OR rejected_at OPERATOR(pg_catalog.>=) $2) "
		"AND ($3 IS NULL OR rejected_at OPERATOR(pg_catalog.<) $3) "
		"AND ($4 IS NULL OR partition OPERATOR(pg_catalog.=) $4) "
		"AND ($5 IS NULL OR message_offset OPERATOR(pg_catalog.>=) $5) "
		"AND ($6 IS NULL OR message_offset OPERATOR(pg_catalog.<=) $6) "
		"AND ($7 IS NULL OR sqlstate OPERATOR(pg_catalog.=) $7) "
		"ORDER BY partition, message_offset LIMIT $8 FOR UPDATE",
		8, types, values, nulls, false, 0);
}

static const RspgStream *
find_stream(const char *name)
{
	const RspgStream *stream = rspg_stream_find(name);

	if (stream == NULL)
		rspg_stream_unknown(name);
	if (stream->owner != GetUserId())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("only the owner of stream \"%s\" may retry its dead letters", name),
						errhint("SET ROLE to the owner first: the rows are written, and the "
								"target's triggers run, as the current user.")));
	return stream;
}

static Counts
retry(FunctionCallInfo fcinfo)
{
	const RspgStream *stream = find_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	RspgWriter *writer = rspg_writer_create(CurrentMemoryContext, stream);
	Portal portal = open_letters(fcinfo, stream->id);
	Letters letters = {0};
	Counts counts = {0, 0};

	rspg_writer_keep_deferred(writer);
	/* what the caller's transaction deferred so far is not a message's fault */
	rspg_check_deferred();
	letters.context =
		AllocSetContextCreate(CurrentMemoryContext, "recsys dead letters", ALLOCSET_DEFAULT_SIZES);
	while (fetch_letters(portal, &stream->options, &letters) > 0)
	{
		RspgBatch *batch = rspg_writer_write(writer, letters.messages, letters.n, NULL);
		MemoryContext old = MemoryContextSwitchTo(letters.context);

		settle(&letters, batch);
		MemoryContextSwitchTo(old);
		counts.retried += letters.n;
		counts.rejected += list_length(batch->rejects);
	}
	SPI_cursor_close(portal);
	rspg_writer_free(writer);
	return counts;
}

/*
 * recsys.retry_dead_letters(stream, since, until, partition, from_offset,
 *		to_offset, sqlstate, max_messages) → (retried, written, rejected)
 */
Datum
recsys_retry_dead_letters(PG_FUNCTION_ARGS)
{
	Datum values[3];
	bool nulls[3] = {false};
	TupleDesc desc;
	Counts counts;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("stream must not be null")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	SPI_connect();
	/* who came here by SET ROLE is not for triggers to be, for deferred ones neither:
	 * one of them can defer others again */
	rspg_role_keep_to_end();
	counts = retry(fcinfo);
	SPI_finish();
	values[0] = Int64GetDatum(counts.retried);
	values[1] = Int64GetDatum(counts.retried - counts.rejected);
	values[2] = Int64GetDatum(counts.rejected);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
