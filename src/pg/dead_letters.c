/*
 * dead_letters.c
 *		Messages that could not be written, byte for byte, into recsys.dead_letter.
 */
#include "pg/batch.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/times.h"

#define N_ARGS 9

static SPIPlanPtr plan = NULL;

RskHeader *
rspg_message_headers(const RskMessage *message, int *n)
{
	RskHeader *headers = NULL;

	*n = rsk_message_headers(message, NULL, 0);
	if (*n > 0)
	{
		headers = palloc(*n * sizeof(RskHeader));
		*n = rsk_message_headers(message, headers, *n);
	}
	return headers;
}

/* A message read again after a seek has its row already. */
static void
prepare(void)
{
	static Oid types[N_ARGS] = {INT8OID,  INT4OID,  INT8OID, TIMESTAMPTZOID, BYTEAOID,
								BYTEAOID, JSONBOID, TEXTOID, TEXTOID};

	plan = SPI_prepare("INSERT INTO recsys.dead_letter (stream_id, partition, message_offset, "
					   "message_time, key, payload, headers, sqlstate, error) "
					   "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
					   "ON CONFLICT (stream_id, partition, message_offset) DO UPDATE SET "
					   "message_time = EXCLUDED.message_time, key = EXCLUDED.key, "
					   "payload = EXCLUDED.payload, headers = EXCLUDED.headers, "
					   "sqlstate = EXCLUDED.sqlstate, error = EXCLUDED.error, "
					   "rejected_at = EXCLUDED.rejected_at",
					   N_ARGS, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare the insert of dead letters: %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
}

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
	SPI_execute_plan(plan, values, nulls, false, 0);
}

void
rspg_dead_letters_insert(RspgBatch *batch)
{
	MemoryContext context;
	MemoryContext old;
	ListCell *cell;

	if (batch->rejects == NIL)
		return;
	if (plan == NULL)
		prepare();
	context =
		AllocSetContextCreate(CurrentMemoryContext, "recsys dead letter", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	foreach (cell, batch->rejects)
	{
		RspgReject *reject = lfirst(cell);

		insert_one(batch->writer->stream->id, &batch->messages[reject->message], reject);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
