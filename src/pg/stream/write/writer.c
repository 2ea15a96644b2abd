/*
 * writer.c
 *		A batch of messages into the target, without those that cannot be written.
 *
 * Messages are decoded and converted first; what fails there costs itself only.
 * The rest is written by one statement in a subtransaction.  Where that fails
 * for a message's fault, each half is tried, and so on down to the message:
 * O(r log n) statements for r bad ones of n.
 */
#include "pg/stream/write/batch.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* What contexts keep when they are reset: most batches fit, and need not be given
 * fresh pages by the kernel. */
#define KEPT_BYTES (2 * 1024 * 1024)

/* A range of the pending messages, and what writing it gave */
typedef struct Range
{
	RspgBatch *batch;
	int from;
	int to;
	int64 rows;
	int64 skipped;
} Range;

static void connect_spi(RspgWriter *writer);
static void read_shape(RspgWriter *writer);
static void make_shape(RspgWriter *writer, Relation target);
static void make_mapping(RspgWriter *writer, Relation target);
static void make_transform(RspgWriter *writer, Relation target);
static void write_range(RspgBatch *batch, int from, int to);
static void attempt_range(void *opaque);
static void fill_result(RspgBatch *batch);

RspgWriter *
rspg_writer_create(MemoryContext parent, const RspgStream *stream)
{
	/* the caller's, and so freed on error, until all is well */
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "recsys writer", ALLOCSET_DEFAULT_SIZES);
	RspgWriter *writer = MemoryContextAllocZero(context, sizeof(RspgWriter));

	writer->context = context;
	writer->stream = stream;
	writer->shape_context =
		AllocSetContextCreate(context, "recsys writer columns", ALLOCSET_SMALL_SIZES);
	writer->batch_context =
		AllocSetContextCreate(context, "recsys writer batch", KEPT_BYTES, ALLOCSET_DEFAULT_INITSIZE,
							  ALLOCSET_DEFAULT_MAXSIZE);
	writer->attempt_context =
		AllocSetContextCreate(context, "recsys writer attempt", KEPT_BYTES,
							  ALLOCSET_DEFAULT_INITSIZE, ALLOCSET_DEFAULT_MAXSIZE);
	rsk_paths_init(&writer->no_paths, &writer->root);
	read_shape(writer);
	connect_spi(writer);
	rspg_insert_check(writer->insert);
	if (writer->transform != NULL)
		rspg_transform_check(writer->transform);
	SPI_finish();
	MemoryContextSetParent(context, parent);
	return writer;
}

void
rspg_writer_check_defaults(RspgWriter *writer)
{
	if (writer->mapping != NULL)
		rspg_convert_defaults(writer->mapping, &writer->stream->options);
}

void
rspg_writer_free(RspgWriter *writer)
{
	if (writer->insert != NULL)
		rspg_insert_free(writer->insert);
	if (writer->transform != NULL)
		rspg_transform_free(writer->transform);
	MemoryContextDelete(writer->context);
}

/*
 * An SPI connection of our own: relations registered with it live as long as it
 * does, in the current context.
 */
static void
connect_spi(RspgWriter *writer)
{
	MemoryContext old = CurrentMemoryContext;

	SPI_connect();
	MemoryContextSwitchTo(old);
	SPI_register_relation(&writer->insert->relation);
	if (writer->transform != NULL)
		SPI_register_relation(&writer->transform->events);
}

static int
count_triggers(Relation target)
{
	return target->trigdesc != NULL ? target->trigdesc->numtriggers : 0;
}

static int
count_indexes(Relation target)
{
	List *indexes = RelationGetIndexList(target);
	int n = list_length(indexes);

	list_free(indexes);
	return n;
}

/* Does the target look as it did when the shape was made? */
static bool
is_same(const RspgWriter *writer, Relation target)
{
	return writer->target_desc != NULL &&
		   equalTupleDescs(writer->target_desc, RelationGetDescr(target)) &&
		   strcmp(writer->insert->target, rspg_insert_target(target)) == 0 &&
		   writer->n_triggers == count_triggers(target) &&
		   writer->n_indexes == count_indexes(target);
}

/*
 * Lock the target; where its columns changed since the last batch, map them anew.
 */
static void
read_shape(RspgWriter *writer)
{
	Relation target = try_relation_open(writer->stream->target, RowExclusiveLock);
	MemoryContext old;

	if (target == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the target of stream \"%s\" does not exist", writer->stream->name)));
	if (!is_same(writer, target))
	{
		if (writer->insert != NULL)
			rspg_insert_free(writer->insert);
		if (writer->transform != NULL)
			rspg_transform_free(writer->transform);
		writer->insert = NULL;
		writer->transform = NULL;
		writer->mapping = NULL;
		writer->target_desc = NULL;
		MemoryContextReset(writer->shape_context);
		old = MemoryContextSwitchTo(writer->shape_context);
		make_shape(writer, target);
		MemoryContextSwitchTo(old);
	}
	relation_close(target, NoLock);
}

static void
make_shape(RspgWriter *writer, Relation target)
{
	switch (target->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
			break;
		default:
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("\"%s\" is not a table", RelationGetRelationName(target)),
							errhint("A stream writes to a table or a view.")));
	}
	if (writer->stream->options.transform != NULL)
		make_transform(writer, target);
	else
		make_mapping(writer, target);
	writer->n_triggers = count_triggers(target);
	writer->n_indexes = count_indexes(target);
	writer->target_desc = CreateTupleDescCopyConstr(RelationGetDescr(target));
}

static void
make_mapping(RspgWriter *writer, Relation target)
{
	RspgMapping *mapping = rspg_mapping_create(target, writer->stream);
	AttrNumber *attnums = palloc(mapping->n_columns * sizeof(AttrNumber) + 1);
	int i;

	if (mapping->n_columns == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_TABLE_DEFINITION),
						errmsg("\"%s\" has no column that a stream may write",
							   RelationGetRelationName(target))));
	writer->headers_wanted = false;
	for (i = 0; i < mapping->n_columns; i++)
	{
		attnums[i] = mapping->columns[i].attnum;
		if (mapping->columns[i].from == RSPG_FROM_HEADER ||
			mapping->columns[i].from == RSPG_FROM_HEADERS)
			writer->headers_wanted = true;
	}
	writer->insert = rspg_insert_create(target, writer->stream, attnums, NULL, mapping->n_columns);
	writer->mapping = mapping;
}

static void
make_transform(RspgWriter *writer, Relation target)
{
	RspgTransform *transform;
	RspgColumn *event = &writer->event;
	Oid input;

	if (writer->stream->mapping != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a stream has a mapping or a transform, not both")));
	if (writer->stream->options.format != RSPG_FORMAT_JSON)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a transform takes JSON"),
						errhint("Leave out option \"format\", or option \"transform\".")));
	transform = rspg_transform_create(target, writer->stream);
	memset(event, 0, sizeof(*event));
	event->name = "event";
	event->from = RSPG_FROM_PAYLOAD;
	event->type = event->base = JSONBOID;
	event->typmod = -1;
	getTypeInputInfo(JSONBOID, &input, &event->ioparam);
	fmgr_info_cxt(input, &event->input, CurrentMemoryContext);
	writer->insert = rspg_insert_create(target, writer->stream, transform->attnums,
										transform->types, transform->n_columns);
	writer->transform = transform;
}

RspgBatch *
rspg_batch_write(RspgWriter *writer, const RskMessage *messages, int n, RspgBatchResult *result)
{
	MemoryContext old;
	RspgBatch *batch;
	Size cells;

	memset(result, 0, sizeof(*result));
	MemoryContextReset(writer->batch_context);
	MemoryContextReset(writer->attempt_context);
	read_shape(writer);
	old = MemoryContextSwitchTo(writer->batch_context);
	batch = palloc0(sizeof(RspgBatch));
	batch->writer = writer;
	batch->messages = messages;
	batch->n = n;
	batch->result = result;
	batch->n_columns = writer->mapping != NULL ? writer->mapping->n_columns : 1;
	cells = (Size) Max(n, 1) * batch->n_columns;
	batch->states = palloc0(Max(n, 1));
	batch->values = MemoryContextAllocHuge(CurrentMemoryContext, cells * sizeof(Datum));
	batch->cells = MemoryContextAllocHuge(CurrentMemoryContext, cells);
	batch->pending = palloc(Max(n, 1) * sizeof(int));
	connect_spi(writer);
	rspg_batch_convert(batch);
	for (int i = 0; i < n; i++)
		if (batch->states[i] == RSPG_MESSAGE_PENDING)
			batch->pending[batch->n_pending++] = i;
	if (batch->n_pending > 0)
		write_range(batch, 0, batch->n_pending);
	fill_result(batch);
	SPI_finish();
	MemoryContextSwitchTo(old);
	return batch;
}

void
rspg_writer_write(RspgWriter *writer, const RskMessage *messages, int n, RspgBatchResult *result)
{
	RspgBatch *batch = rspg_batch_write(writer, messages, n, result);

	rspg_dead_letters_write(batch);
	MemoryContextReset(writer->batch_context);
}

/* Write pending messages from … to - 1, or as many of them as can be. */
static void
write_range(RspgBatch *batch, int from, int to)
{
	MemoryContext batch_context = CurrentMemoryContext;
	MemoryContext attempt_context = batch->writer->attempt_context;
	Range range = {batch, from, to, 0, 0};
	ErrorData *error;
	int middle;

	CHECK_FOR_INTERRUPTS();
	MemoryContextSwitchTo(attempt_context);
	error = rspg_attempt(attempt_range, &range, false);
	MemoryContextSwitchTo(batch_context);
	if (error == NULL)
	{
		batch->result->rows += range.rows;
		batch->result->skipped += range.skipped;
	}
	else if (to - from == 1)
		rspg_batch_reject_error(batch, batch->pending[from], error, NULL);
	MemoryContextReset(attempt_context);
	if (error == NULL || to - from == 1)
		return;
	middle = from + (to - from) / 2;
	write_range(batch, from, middle);
	write_range(batch, middle, to);
}

/* In a subtransaction. */
static void
attempt_range(void *opaque)
{
	Range *range = opaque;
	RspgBatch *batch = range->batch;
	RspgWriter *writer = batch->writer;
	ConstraintsSetStmt *immediate = makeNode(ConstraintsSetStmt);
	int i;

	if (writer->transform != NULL)
	{
		int n = range->to - range->from;
		Datum *events = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(Datum));

		for (i = 0; i < n; i++)
			events[i] = batch->values[batch->pending[range->from + i]];
		range->rows =
			rspg_transform_write(writer->transform, writer->insert, events, n, &range->skipped);
	}
	else
	{
		RspgRows rows;

		rspg_rows_begin(&rows, writer->insert);
		for (i = range->from; i < range->to; i++)
		{
			Size at = (Size) batch->pending[i] * batch->n_columns;

			range->rows += rspg_rows_add(&rows, batch->values + at, batch->cells + at);
		}
		range->rows += rspg_rows_flush(&rows);
	}
	/* SET CONSTRAINTS ALL IMMEDIATE: what was deferred must fail here, where the
	 * message is to be found, and not at commit */
	AfterTriggerSetState(immediate);
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

/* Errors may quote a value of any length. */
#define MAX_ERROR_BYTES 2000

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
	batch->states[message] = RSPG_MESSAGE_REJECTED;
	batch->rejects = lappend(batch->rejects, reject);
}

/* Counts, and the last message rejected. */
static void
fill_result(RspgBatch *batch)
{
	RspgBatchResult *result = batch->result;
	int last = -1;
	ListCell *cell;
	int i;

	result->rejected = list_length(batch->rejects);
	for (i = 0; i < batch->n; i++)
		if (batch->states[i] == RSPG_MESSAGE_SKIPPED)
			result->skipped++;
	for (i = batch->n - 1; i >= 0 && batch->states[i] == RSPG_MESSAGE_REJECTED; i--)
		result->rejected_at_end++;
	foreach (cell, batch->rejects)
	{
		RspgReject *reject = lfirst(cell);

		if (reject->message < last)
			continue;
		last = reject->message;
		strlcpy(result->sqlstate, unpack_sql_state(reject->sqlstate), sizeof(result->sqlstate));
		strlcpy(result->error, reject->error, sizeof(result->error));
		result
			->error[pg_mbcliplen(result->error, strlen(result->error), sizeof(result->error) - 1)] =
			'\0';
	}
}
