/*
 * dead_letters.c
 *		Messages that could not be written, byte for byte, in recsys.dead_letter.
 */
#include "pg/stream/write/dead_letters.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/spi.h"
#include "pg/stream/write/message_headers.h"
#include "pg/stream/write/message_time.h"

#define N_ARGS 9

/* A message read again after a seek has its row already. */
static RspgStatement insert_statement = {
	"INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, "
	"message_time, key, payload, headers, sqlstate, error) "
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
	"ON CONFLICT (stream_id, partition, message_offset) DO UPDATE SET "
	"message_time = EXCLUDED.message_time, key = EXCLUDED.key, "
	"payload = EXCLUDED.payload, headers = EXCLUDED.headers, "
	"sqlstate = EXCLUDED.sqlstate, error = EXCLUDED.error, "
	"rejected_at = EXCLUDED.rejected_at",
	N_ARGS,
	{INT8OID, INT4OID, INT8OID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID, JSONBOID, TEXTOID, TEXTOID},
	NULL};
static RspgStatement find_statement = {
	"SELECT id, message_offset FROM recsys.dead_letter "
	"WHERE stream_id OPERATOR(pg_catalog.=) $1 AND partition OPERATOR(pg_catalog.=) $2 "
	"AND message_offset OPERATOR(pg_catalog.>=) $3 "
	"AND message_offset OPERATOR(pg_catalog.<=) $4 ORDER BY message_offset",
	4,
	{INT8OID, INT4OID, INT8OID, INT8OID},
	NULL};

static Datum
bytes_datum(const void *bytes, size_t length, char *null)
{
	*null = bytes != NULL ? ' ' : 'n';
	return bytes != NULL ? PointerGetDatum(cstring_to_text_with_len(bytes, length)) : (Datum) 0;
}

static void
insert_one(int64 stream, const RskMessage *message, const RspgReject *reject)
{
	Datum values[N_ARGS];
	char nulls[N_ARGS];
	bool timed = rspg_time_in_range(message->timestamp_ms);
	RskHeader *headers;
	int n_headers;

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(stream);
	values[1] = Int32GetDatum(message->partition);
	values[2] = Int64GetDatum(message->offset);
	nulls[3] = timed ? ' ' : 'n';
	values[3] = timed ? TimestampTzGetDatum(rspg_time_of_ms(message->timestamp_ms)) : (Datum) 0;
	values[4] = bytes_datum(message->key, message->key_length, &nulls[4]);
	values[5] = bytes_datum(message->payload, message->payload_length, &nulls[5]);
	headers = rspg_message_headers(message, &n_headers);
	nulls[6] = n_headers > 0 ? ' ' : 'n';
	values[6] =
		n_headers > 0
			? DirectFunctionCall1(jsonb_in, CStringGetDatum(rspg_headers_json(headers, n_headers)))
			: (Datum) 0;
	values[7] = CStringGetTextDatum(unpack_sql_state(reject->sqlstate));
	values[8] = CStringGetTextDatum(reject->error);
	rspg_execute(&insert_statement, values, nulls, false);
}

void
rspg_dead_letters_delete(const int64 *ids, int n)
{
	static RspgStatement statement = {
		"DELETE FROM recsys.dead_letter WHERE id OPERATOR(pg_catalog.=) ANY ($1)",
		1,
		{INT8ARRAYOID},
		NULL};
	Datum *values = palloc(Max(n, 1) * sizeof(Datum));
	Datum array;

	if (n == 0)
		return;
	for (int i = 0; i < n; i++)
		values[i] = Int64GetDatum(ids[i]);
	array = PointerGetDatum(
		construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	rspg_execute(&statement, &array, NULL, false);
}

/* --- what was read again and is no dead letter any more --- */

/* First and last offset of a partition in the batch; messages are in order. */
static void
offsets_of(const RspgBatch *batch, int first, Datum *from, Datum *to)
{
	int32 partition = batch->messages[first].partition;
	int last = batch->n - 1;

	while (batch->messages[last].partition != partition)
		last--;
	*from = Int64GetDatum(batch->messages[first].offset);
	*to = Int64GetDatum(batch->messages[last].offset);
}

/* Of the dead letters just found, delete those of messages that are none now. */
static void
delete_found(const RspgBatch *batch, int first)
{
	SPITupleTable *found = SPI_tuptable;
	uint64 n = SPI_processed;
	int64 *ids = palloc(n * sizeof(int64));
	int n_ids = 0;
	int at = first;
	bool isnull;

	for (uint64 i = 0; i < n; i++)
	{
		int64 offset = DatumGetInt64(SPI_getbinval(found->vals[i], found->tupdesc, 2, &isnull));

		while (at < batch->n &&
			   (batch->messages[at].partition != batch->messages[first].partition ||
				batch->messages[at].offset < offset))
			at++;
		if (at < batch->n && batch->messages[at].offset == offset &&
			batch->states[at] != RSPG_MESSAGE_REJECTED)
			ids[n_ids++] = DatumGetInt64(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull));
	}
	rspg_dead_letters_delete(ids, n_ids);
}

/*
 * After a seek back a message may be read again that was a dead letter and is
 * none now: left where it is, retry_dead_letters() would write it twice.
 */
static void
forget_written(const RspgBatch *batch)
{
	Bitmapset *done = NULL;

	for (int i = 0; i < batch->n; i++)
	{
		int32 partition = batch->messages[i].partition;
		Datum values[4];

		if (bms_is_member(partition, done))
			continue;
		done = bms_add_member(done, partition);
		values[0] = Int64GetDatum(batch->stream->id);
		values[1] = Int32GetDatum(partition);
		offsets_of(batch, i, &values[2], &values[3]);
		rspg_execute(&find_statement, values, NULL, false);
		if (SPI_processed > 0)
			delete_found(batch, i);
	}
	bms_free(done);
}

void
rspg_dead_letters_write(const RspgBatch *batch)
{
	MemoryContext context;
	MemoryContext old;
	ListCell *cell;

	forget_written(batch);
	if (batch->rejects == NIL)
		return;
	context =
		AllocSetContextCreate(CurrentMemoryContext, "recsys dead letter", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	foreach (cell, batch->rejects)
	{
		RspgReject *reject = lfirst(cell);

		insert_one(batch->stream->id, &batch->messages[reject->message], reject);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
