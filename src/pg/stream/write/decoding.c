/*
 * decoding.c
 *		Messages of a batch to datums, or to rejects.
 *
 * What the decoder refuses costs nothing more.  What an input function refuses
 * raises an error: the subtransaction is rolled back and the next one goes on
 * behind that message; datums made before it stay.
 */
#include "pg/stream/write/batch.h"

#include "miscadmin.h"

#include "kafka/decode_csv.h"

typedef struct Conversion
{
	RspgBatch *batch;
	int next; /* message to convert */
	RspgColumn *column;
	RskValue *values; /* of the message */
} Conversion;

static void convert_messages(void *opaque);
static void convert_message(Conversion *conversion, int i);
static bool decode(Conversion *conversion, int i);

void
rspg_batch_convert(RspgBatch *batch)
{
	RspgMapping *mapping = batch->writer->mapping;
	Conversion conversion = {batch, 0, NULL, NULL};

	if (mapping != NULL)
		conversion.values = palloc(Max(mapping->n_fields, 1) * sizeof(RskValue));
	while (conversion.next < batch->n)
	{
		ErrorData *error = rspg_attempt(convert_messages, &conversion, true);

		if (error == NULL)
			break;
		rspg_batch_reject_error(batch, conversion.next, error,
								conversion.column != NULL ? conversion.column->name : NULL);
		FreeErrorData(error);
		conversion.next++;
	}
}

/* In a subtransaction. */
static void
convert_messages(void *opaque)
{
	Conversion *conversion = opaque;

	for (; conversion->next < conversion->batch->n; conversion->next++)
	{
		CHECK_FOR_INTERRUPTS();
		conversion->column = NULL;
		if (decode(conversion, conversion->next))
			convert_message(conversion, conversion->next);
	}
}

static int
decode_sqlstate(RskDecodeStatus status)
{
	switch (status)
	{
		case RSK_DECODE_ENCODING:
			return ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		case RSK_DECODE_ZERO:
			return ERRCODE_UNTRANSLATABLE_CHARACTER;
		case RSK_DECODE_DEPTH:
			return ERRCODE_STATEMENT_TOO_COMPLEX;
		case RSK_DECODE_NOT_OBJECT:
			return ERRCODE_SQL_JSON_OBJECT_NOT_FOUND;
		case RSK_DECODE_FIELDS:
			return ERRCODE_BAD_COPY_FILE_FORMAT;
		case RSK_DECODE_SYNTAX:
		case RSK_DECODE_OK:
			break;
	}
	return ERRCODE_INVALID_TEXT_REPRESENTATION;
}

/* Payload to values; false where the message is skipped or rejected. */
static bool
decode(Conversion *conversion, int i)
{
	RspgBatch *batch = conversion->batch;
	RspgWriter *writer = batch->writer;
	const RspgStreamOptions *options = &writer->stream->options;
	const RskMessage *message = &batch->messages[i];
	bool csv = options->format == RSPG_FORMAT_CSV;
	RskDecodeFailure failure;
	RskDecodeStatus status;

	if (message->payload == NULL)
	{
		if (options->tombstone == RSPG_TOMBSTONE_SKIP)
			batch->states[i] = RSPG_MESSAGE_SKIPPED;
		else
			rspg_batch_reject(batch, i, ERRCODE_NULL_VALUE_NOT_ALLOWED,
							  "the message has no payload (a tombstone)");
		return false;
	}
	if (message->payload_length > (size_t) options->max_message_bytes)
	{
		rspg_batch_reject(batch, i, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						  "the message has %zu bytes, of at most %d", message->payload_length,
						  options->max_message_bytes);
		return false;
	}
	if (writer->mapping != NULL && writer->mapping->n_fields == 0)
		return true; /* whatever the payload is */
	if (csv)
		status =
			rsk_decode_csv(message->payload, message->payload_length, options->delimiter,
						   options->quote, conversion->values, writer->mapping->n_fields, &failure);
	else
		status = rsk_decode_json(
			writer->mapping != NULL ? &writer->mapping->paths : &writer->no_paths, message->payload,
			message->payload_length, conversion->values, &failure);
	if (status == RSK_DECODE_NOT_OBJECT && writer->transform != NULL)
		return true;
	if (status != RSK_DECODE_OK)
		rspg_batch_reject(batch, i, decode_sqlstate(status), "invalid %s: %s at byte %zu",
						  csv ? "CSV" : "JSON", failure.message, failure.at + 1);
	return status == RSK_DECODE_OK;
}

/* Values to the datums of the message's row. */
static void
convert_message(Conversion *conversion, int i)
{
	RspgBatch *batch = conversion->batch;
	RspgWriter *writer = batch->writer;
	const RskMessage *message = &batch->messages[i];
	Datum *values = batch->values + (Size) i * batch->n_columns;
	char *cells = batch->cells + (Size) i * batch->n_columns;
	RskHeader *headers = NULL;
	int n_headers = 0;
	int c;

	if (writer->headers_wanted)
		headers = rspg_message_headers(message, &n_headers);
	for (c = 0; c < batch->n_columns; c++)
	{
		RspgColumn *column =
			writer->mapping != NULL ? &writer->mapping->columns[c] : &writer->event;

		conversion->column = column;
		cells[c] = rspg_convert(column, message, conversion->values, headers, n_headers,
								&writer->stream->options, &values[c]);
		if (writer->mapping != NULL && writer->insert->is_key[c] && cells[c] != RSPG_CELL_VALUE)
		{
			conversion->column = NULL;
			rspg_insert_no_key(writer->insert, c);
		}
	}
}
