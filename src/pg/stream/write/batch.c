/*
 * batch.c
 *		A batch of messages on its way into the target.
 */
#include "pg/stream/write/batch.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/* Errors may quote a value of any length. */
#define MAX_ERROR_BYTES 2000
/* Suspects in a row that are not everybody */
#define MAX_SUSPECTS 32

void
rspg_batch_reject(RspgBatch *batch, int message, int sqlstate, const char *format, ...)
{
	RspgReject *reject = palloc(sizeof(RspgReject));
	StringInfoData text;
	va_list args;
	int more;

	initStringInfo(&text);
	for (;;)
	{
		va_start(args, format);
		more = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (more == 0)
			break;
		enlargeStringInfo(&text, more);
	}
	if (text.len > MAX_ERROR_BYTES)
	{
		text.len = pg_mbcliplen(text.data, text.len, MAX_ERROR_BYTES - 3);
		strcpy(text.data + text.len, "...");
	}
	reject->message = message;
	reject->sqlstate = sqlstate;
	reject->error = text.data;
	reject->hunted = false;
	batch->states[message] = RSPG_MESSAGE_REJECTED;
	batch->rejects = lappend(batch->rejects, reject);
}

void
rspg_batch_reject_error(RspgBatch *batch, int message, const ErrorData *error, const char *column)
{
	const char *detail = error->detail;

	rspg_batch_reject(batch, message, error->sqlerrcode, "%s%s%s%s%s%s",
					  column != NULL ? "column \"" : "", column != NULL ? column : "",
					  column != NULL ? "\": " : "", error->message ? error->message : "",
					  detail != NULL ? ": " : "", detail != NULL ? detail : "");
}

void
rspg_batch_suspect(RspgBatch *batch, int message, ErrorData *error, const char *column)
{
	RspgHunt *hunt = batch->hunt;

	rspg_batch_reject_error(batch, message, error, column);
	((RspgReject *) llast(batch->rejects))->hunted = true;
	if (hunt->n_suspects++ == 0)
		hunt->error = error;
	if (hunt->n_suspects > MAX_SUSPECTS)
		ReThrowError(hunt->error);
}

void
rspg_batch_success(RspgBatch *batch)
{
	if (batch->hunt != NULL)
		batch->hunt->n_suspects = 0;
}

int
rspg_batch_rejected_at_end(const RspgBatch *batch)
{
	int n = 0;

	while (n < batch->n && batch->states[batch->n - 1 - n] == RSPG_MESSAGE_REJECTED)
		n++;
	return n;
}

const RspgReject *
rspg_batch_last_reject(const RspgBatch *batch)
{
	const RspgReject *last = NULL;
	ListCell *cell;

	foreach (cell, batch->rejects)
	{
		const RspgReject *reject = lfirst(cell);

		if (last == NULL || reject->message > last->message)
			last = reject;
	}
	return last;
}
