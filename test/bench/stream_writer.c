/*
 * stream_writer.c
 *		A library for the benchmark of the writer: batches of messages out of a
 *		table through rspg_writer_write(), a commit after each.
 *
 * CALL bench_write(stream, batch): all of table payloads (n, payload); a notice
 * gives the seconds.  recsys.so must be loaded before, for its symbols.
 */
#include "pg/stream/write/dead_letters.h"
#include "pg/stream/write/writer.h"

#include <sys/resource.h>

#include "executor/spi.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_write);

static RskMessage *
read_messages(MemoryContext context, int *n)
{
	RskMessage *messages;
	MemoryContext old;

	SPI_execute("SELECT payload FROM payloads ORDER BY n", true, 0);
	*n = SPI_processed;
	old = MemoryContextSwitchTo(context);
	messages = MemoryContextAllocHuge(context, (Size) *n * sizeof(RskMessage));
	memset(messages, 0, (Size) *n * sizeof(RskMessage));
	for (int i = 0; i < *n; i++)
	{
		char *payload = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);

		messages[i].payload = MemoryContextStrdup(context, payload);
		messages[i].payload_length = strlen(payload);
		messages[i].offset = i;
		messages[i].timestamp_ms = -1;
		pfree(payload);
	}
	SPI_freetuptable(SPI_tuptable);
	MemoryContextSwitchTo(old);
	return messages;
}

/* Seconds of processor that this process used */
static double
processor(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		   (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

Datum
bench_write(PG_FUNCTION_ARGS)
{
	MemoryContext context =
		AllocSetContextCreate(TopMemoryContext, "bench", ALLOCSET_DEFAULT_SIZES);
	char *name = MemoryContextStrdup(context, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int batch = PG_GETARG_INT32(1);
	RspgStream *stream;
	RspgWriter *writer;
	RskMessage *messages;
	MemoryContext old;
	instr_time start;
	instr_time end;
	double used;
	int64 rows = 0;
	int n;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	messages = read_messages(context, &n);
	old = MemoryContextSwitchTo(context);
	stream = rspg_stream_find(name);
	MemoryContextSwitchTo(old);
	writer = rspg_writer_create(context, stream);
	SPI_commit();
	used = processor();
	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < n; i += batch)
	{
		RspgBatch *done;

		PushActiveSnapshot(GetTransactionSnapshot());
		done = rspg_writer_write(writer, messages + i, Min(batch, n - i));
		rspg_dead_letters_write(done);
		PopActiveSnapshot();
		rows += done->rows;
		SPI_commit();
	}
	INSTR_TIME_SET_CURRENT(end);
	used = processor() - used;
	INSTR_TIME_SUBTRACT(end, start);
	rspg_writer_free(writer);
	SPI_finish();
	MemoryContextDelete(context);
	ereport(NOTICE, (errmsg("rows %lld in %.6f s, processor %.6f s", (long long) rows,
							INSTR_TIME_GET_DOUBLE(end), used)));
	PG_RETURN_VOID();
}
