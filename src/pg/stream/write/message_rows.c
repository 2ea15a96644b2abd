/*
 * message_rows.c
 *		Messages of a batch to rows of datums, or to rejects.
 *
 * What the decoder refuses costs nothing more.  What an input function refuses
 * raises an error: the subtransaction is rolled back and the next one goes on
 * behind that message; datums made before it stay.
 */
#include "pg/stream/write/message_rows.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "kafka/decode_csv.h"
#include "pg/stream/write/attempt.h"
#include "pg/stream/write/convert.h"
#include "pg/stream/write/message_headers.h"

typedef struct Conversion
{
	RspgBatch *batch;
	const RspgMapping *mapping;
	int next;                 /* message to convert */
	const RspgColumn *column; /* at hand */
	RskValue *values;         /* of the message */
} Conversion;

static void convert_messages(void *opaque);
static bool decode(Conversion *conversion, int i);
static void convert_message(Conversion *conversion, int i);

void
rspg_message_rows(RspgBatch *batch, const RspgMapping *mapping)
{
	Conversion conversion = {batch, mapping, 0, NULL, NULL};
	Size cells = (Size) Max(batch->n, 1) * mapping->n_columns;

	batch->n_columns = mapping->n_columns;
	batch->values = MemoryContextAllocHuge(CurrentMemoryContext, cells * sizeof(Datum));
	batch->cells = MemoryContextAllocHuge(CurrentMemoryContext, cells);
	conversion.values = palloc(Max(mapping->n_fields, 1) * sizeof(RskValue));
	while (conversion.next < batch->n)
	{
		int from = conversion.next;
		const char *column;
		ErrorData *error;

		if (batch->hunt != NULL)
			batch->hunt->attempting();
		error = rspg_attempt(convert_messages, &conversion, true, batch->hunt != NULL);
		if (conversion.next > from)
			rspg_batch_success(batch);
		if (error == NULL)
			break;
		column = conversion.column != NULL ? conversion.column->name : NULL;
		if (rspg_message_fault(error, true))
		{
			rspg_batch_reject_error(batch, conversion.next, error, column);
			FreeErrorData(error);
		}
		else
			rspg_batch_suspect(batch, conversion.next, error, column);
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
	const RspgMapping *mapping = conversion->mapping;
	const RspgStreamOptions *options = &batch->stream->options;
	const RskMessage *message = &batch->messages[i];
	bool csv = options->format == RSPG_FORMAT_CSV;
	RskDecodeFailure failure;
	RskDecodeStatus status;

	if (message->skip)
	{
		rspg_batch_reject(batch, i, ERRCODE_QUERY_CANCELED, "passed over by skip_message()");
		return false;
	}
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
	if (mapping->n_fields == 0 && !mapping->any_json)
		return true; /* whatever the payload is */
	if (csv)
		status = rsk_decode_csv(message->payload, message->payload_length, options->delimiter,
								options->quote, conversion->values, mapping->n_fields, &failure);
	else
		status = rsk_decode_json(&mapping->paths, message->payload, message->payload_length,
								 conversion->values, &failure);
	if (status == RSK_DECODE_OK || (status == RSK_DECODE_NOT_OBJECT && mapping->any_json))
		return true;
	rspg_batch_reject(batch, i, decode_sqlstate(status), "invalid %s: %s at byte %zu",
					  csv ? "CSV" : "JSON", failure.message, failure.at + 1);
	return false;
}

/* Values to the datums of the message's row. */
static void
convert_message(Conversion *conversion, int i)
{
	RspgBatch *batch = conversion->batch;
	const RspgMapping *mapping = conversion->mapping;
	const RskMessage *message = &batch->messages[i];
	Datum *values = batch->values + (Size) i * batch->n_columns;
	char *cells = batch->cells + (Size) i * batch->n_columns;
	RskHeader *headers = NULL;
	int n_headers = 0;
	bool any = false;
	int c;

	if (mapping->headers_wanted)
		headers = rspg_message_headers(message, &n_headers);
	for (c = 0; c < batch->n_columns; c++)
	{
		RspgColumn *column = &mapping->columns[c];

		conversion->column = column;
		cells[c] = rspg_convert(column, message, conversion->values, headers, n_headers,
								&batch->stream->options, &values[c]);
		any |= cells[c] != RSPG_CELL_ABSENT;
		if (column->is_key && cells[c] != RSPG_CELL_VALUE)
		{
			conversion->column = NULL;
			rspg_target_no_key(quote_identifier(column->name));
		}
	}
	if (!any)
		rspg_batch_reject(batch, i, ERRCODE_SQL_JSON_MEMBER_NOT_FOUND,
						  "the message has none of the fields that columns are made of");
}
