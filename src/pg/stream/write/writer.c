/*
 * writer.c
 *		A batch of messages into the target, without those that cannot be written.
 *
 * Messages are decoded and converted first; what fails there costs itself only.
 * The rest is written by one statement in a subtransaction.  Where that fails
 * for a message's fault, each half is tried, and so on down to the message:
 * O(r log n) statements for r bad ones of n.  In a hunt that is done for other
 * errors, too.
 */
#include "pg/stream/write/writer.h"

#include "access/relation.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/stream/write/attempt.h"
#include "pg/stream/write/convert.h"
#include "pg/stream/write/insert.h"
#include "pg/stream/write/message_rows.h"
#include "pg/stream/write/transform.h"

/* What contexts keep when they are reset: most batches fit, and need not be given
 * fresh pages by the kernel. */
#define KEPT_BYTES (2 * 1024 * 1024)

struct RspgWriter
{
	MemoryContext context;
	MemoryContext shape_context;   /* what follows from the target's columns */
	MemoryContext batch_context;   /* reset before each batch */
	MemoryContext attempt_context; /* reset after each attempt to write */
	const RspgStream *stream;
	TupleDesc target_desc; /* as they were; NULL = not read yet */
	bytea *hooks;          /* triggers and indexes, as they were */
	RspgMapping *mapping;
	RspgTransform *transform; /* or NULL */
	RspgInsert *insert;
	bool keep_deferred;
	const int *good; /* of the batch: one that was written; NULL = none yet */
};

/* no server has it: the control of a hunt went well */
#define ERRCODE_CONTROL_WRITTEN MAKE_SQLSTATE('R', 'S', '0', '0', '0')

/* A range of the messages to be written, and what writing it gave */
typedef struct Range
{
	RspgWriter *writer;
	RspgBatch *batch;
	const int *pending; /* numbers of messages */
	int n;
	int64 rows;
} Range;

static void connect_spi(RspgWriter *writer);
static void read_shape(RspgWriter *writer);
static void check_partitions(const RspgWriter *writer);
static void drop_shape(RspgWriter *writer);
static void make_shape(RspgWriter *writer, Relation target);
static void write_range(RspgWriter *writer, RspgBatch *batch, const int *pending, int n);
static void attempt_range(void *opaque);
static void attempt_control(void *opaque);
static void end_hunt(RspgWriter *writer, RspgBatch *batch);

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
	rspg_convert_defaults(writer->mapping, &writer->stream->options);
}

void
rspg_writer_keep_deferred(RspgWriter *writer)
{
	writer->keep_deferred = true;
}

void
rspg_writer_free(RspgWriter *writer)
{
	drop_shape(writer);
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

/*
 * What decides on the order of rows beside columns, which a trigger or an index may
 * take another's place in.
 */
static bytea *
read_hooks(Relation target)
{
	const TriggerDesc *triggers = target->trigdesc;
	List *indexes = RelationGetIndexList(target);
	StringInfoData hooks;
	ListCell *cell;

	initStringInfo(&hooks);
	appendStringInfoSpaces(&hooks, VARHDRSZ);
	foreach (cell, indexes)
		appendBinaryStringInfo(&hooks, (char *) &lfirst_oid(cell), sizeof(Oid));
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		appendBinaryStringInfo(&hooks, (char *) &triggers->triggers[i].tgoid, sizeof(Oid));
		appendBinaryStringInfo(&hooks, (char *) &triggers->triggers[i].tgtype, sizeof(int16));
	}
	list_free(indexes);
	SET_VARSIZE(hooks.data, hooks.len);
	return (bytea *) hooks.data;
}

static bool
same_hooks(const RspgWriter *writer, Relation target)
{
	bytea *hooks = read_hooks(target);
	bool same = VARSIZE(hooks) == VARSIZE(writer->hooks) &&
				memcmp(hooks, writer->hooks, VARSIZE(hooks)) == 0;

	pfree(hooks);
	return same;
}

/* Do target and transform look as they did when the shape was made? */
static bool
is_same(const RspgWriter *writer, Relation target)
{
	return writer->target_desc != NULL &&
		   equalTupleDescs(writer->target_desc, RelationGetDescr(target)) &&
		   strcmp(writer->insert->target, rspg_target_name(target)) == 0 &&
		   same_hooks(writer, target) &&
		   (writer->transform == NULL || rspg_transform_is_same(writer->transform, writer->stream));
}

/*
 * Lock the target; where its columns, or the transform's, changed since the last
 * batch, map them anew.
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
	rspg_target_check_local(target);
	if (!is_same(writer, target))
	{
		drop_shape(writer);
		old = MemoryContextSwitchTo(writer->shape_context);
		make_shape(writer, target);
		MemoryContextSwitchTo(old);
	}
	relation_close(target, NoLock);
}

static void
check_partitions(const RspgWriter *writer)
{
	Relation target = relation_open(writer->stream->target, NoLock);

	rspg_target_check_local(target);
	relation_close(target, NoLock);
}

static void
drop_shape(RspgWriter *writer)
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
}

static void
make_shape(RspgWriter *writer, Relation target)
{
	const RspgStream *stream = writer->stream;

	rspg_target_check(target);
	if (stream->options.transform != NULL)
	{
		RspgTransform *transform = rspg_transform_create(target, stream);

		writer->mapping = rspg_mapping_event();
		writer->insert = rspg_insert_create(target, stream, transform->attnums, transform->types,
											transform->n_columns);
		writer->transform = transform;
	}
	else
	{
		RspgMapping *mapping = rspg_mapping_create(target, stream);
		AttrNumber *attnums = palloc(mapping->n_columns * sizeof(AttrNumber));

		for (int i = 0; i < mapping->n_columns; i++)
			attnums[i] = mapping->columns[i].attnum;
		writer->mapping = mapping;
		writer->insert = rspg_insert_create(target, stream, attnums, NULL, mapping->n_columns);
	}
	writer->hooks = read_hooks(target);
	writer->target_desc = CreateTupleDescCopyConstr(RelationGetDescr(target));
}

RspgBatch *
rspg_writer_write(RspgWriter *writer, const RskMessage *messages, int n, void (*attempting)(void))
{
	MemoryContext old;
	RspgBatch *batch;
	int *pending;
	int n_pending = 0;

	rspg_writer_clear(writer);
	read_shape(writer);
	old = MemoryContextSwitchTo(writer->batch_context);
	batch = palloc0(sizeof(RspgBatch));
	batch->stream = writer->stream;
	batch->messages = messages;
	batch->n = n;
	batch->states = palloc0(Max(n, 1));
	if (attempting != NULL)
	{
		batch->hunt = palloc0(sizeof(RspgHunt));
		batch->hunt->attempting = attempting;
	}
	writer->good = NULL;
	connect_spi(writer);
	rspg_message_rows(batch, writer->mapping);
	pending = palloc(Max(n, 1) * sizeof(int));
	for (int i = 0; i < n; i++)
		if (batch->states[i] == RSPG_MESSAGE_PENDING)
			pending[n_pending++] = i;
	if (n_pending > 0)
		write_range(writer, batch, pending, n_pending);
	if (batch->hunt != NULL)
		end_hunt(writer, batch);
	check_partitions(writer); /* attached while rows were written */
	SPI_finish();
	MemoryContextSwitchTo(old);
	return batch;
}

void
rspg_writer_clear(RspgWriter *writer)
{
	MemoryContextReset(writer->batch_context);
	MemoryContextReset(writer->attempt_context);
}

/* Write these messages, or as many of them as can be. */
static void
write_range(RspgWriter *writer, RspgBatch *batch, const int *pending, int n)
{
	Range range = {writer, batch, pending, n, 0};
	ErrorData *error;

	CHECK_FOR_INTERRUPTS();
	if (batch->hunt != NULL)
		batch->hunt->attempting();
	error = rspg_attempt(attempt_range, &range, false, batch->hunt != NULL);
	MemoryContextReset(writer->attempt_context);
	if (error == NULL)
	{
		batch->rows += range.rows;
		writer->good = pending;
		rspg_batch_success(batch);
		return;
	}
	if (n == 1 && !rspg_message_fault(error, false))
	{
		rspg_batch_suspect(batch, pending[0], error, NULL);
		return;
	}
	if (n == 1)
		rspg_batch_reject_error(batch, pending[0], error, NULL);
	FreeErrorData(error);
	if (n == 1)
		return;
	write_range(writer, batch, pending, n / 2);
	write_range(writer, batch, pending + n / 2, n - n / 2);
}

/* In a subtransaction. */
static void
attempt_range(void *opaque)
{
	Range *range = opaque;
	RspgBatch *batch = range->batch;
	RspgWriter *writer = range->writer;

	MemoryContextSwitchTo(writer->attempt_context);
	if (writer->transform != NULL)
	{
		Datum *events = MemoryContextAllocHuge(CurrentMemoryContext, range->n * sizeof(Datum));

		for (int i = 0; i < range->n; i++)
			events[i] = batch->values[range->pending[i]];
		range->rows = rspg_transform_write(writer->transform, writer->insert, events, range->n);
	}
	else
	{
		RspgRows rows;

		rspg_rows_begin(&rows, writer->insert);
		for (int i = 0; i < range->n; i++)
		{
			Size at = (Size) range->pending[i] * batch->n_columns;

			range->rows += rspg_rows_add(&rows, batch->values + at, batch->cells + at);
		}
		range->rows += rspg_rows_flush(&rows);
	}
	/* SET CONSTRAINTS ALL IMMEDIATE: what was deferred must fail here, where the
	 * message is to be found, and not at commit */
	if (writer->keep_deferred)
		rspg_check_deferred();
	else
		AfterTriggerSetState(makeNode(ConstraintsSetStmt));
}

/* A message that could be written, again; never to stay. */
static void
attempt_control(void *opaque)
{
	attempt_range(opaque);
	ereport(ERROR, (errcode(ERRCODE_CONTROL_WRITTEN), errmsg("written")));
}

/*
 * Suspects that nothing was written after: is it the server that does not write
 * any more?  A message that went in before says so.  An error of its own, as that
 * its key is there already, does as well as none.
 */
static void
end_hunt(RspgWriter *writer, RspgBatch *batch)
{
	Range range = {writer, batch, writer->good, 1, 0};

	if (batch->hunt->n_suspects == 0)
		return;
	if (writer->good == NULL)
		ReThrowError(batch->hunt->error);
	batch->hunt->attempting();
	FreeErrorData(rspg_attempt(attempt_control, &range, false, false));
	MemoryContextReset(writer->attempt_context);
}
