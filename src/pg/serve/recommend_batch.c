/*
 * recommend_batch.c
 *		recsys.recommend_batch: the lists of many users.
 *
 * The histories of all of them are one query through a cursor, as the caller, one
 * user behind the other.  Users are gathered into blocks of bounded memory, answered
 * on all threads (core/serving/many.h) and written to the result, a tuplestore, which
 * goes to disk beyond work_mem: so memory does not grow with the number of users.  A
 * function in FROM is read to its end before its first row is used, whichever way it
 * hands out its rows, so giving them one by one would gain nothing.
 */
#include "pg/base/rspg.h"

#include <limits.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "core/serving/many.h"
#include "pg/base/guc.h"
#include "pg/base/idarray.h"
#include "pg/base/idmap.h"
#include "pg/base/progress.h"
#include "pg/base/role.h"
#include "pg/base/spi.h"
#include "pg/model/source.h"
#include "pg/serve/answer.h"
#include "pg/serve/chain.h"
#include "pg/serve/emit.h"
#include "pg/serve/explore.h"
#include "pg/serve/history.h"
#include "pg/serve/plans.h"
#include "pg/serve/ranking.h"
#include "pg/serve/request.h"
#include "pg/serve/subject.h"

#define BLOCK_USERS 2048
#define BLOCK_BYTES (64 * 1024 * 1024) /* of masks and hits */
#define BLOCK_EVENTS 1000000           /* a block ends behind the user who reaches it */
#define FETCH 1000                     /* rows of the cursor at a time */

/* An event of the user whose rows are being read. */
typedef struct Event
{
	int64 item; /* number in the model, or -1 */
	float8 weight;
	bool weight_is_null;
	bool seen;
} Event;

typedef struct Batch
{
	RspgRequest request; /* user.value is that of the row being written */
	RspgRegistryRow *row;
	RspgStored *stored;
	ReturnSetInfo *result;
	RspgAnswer plain; /* masks of the request, no history */
	bool ordered;     /* the order of a history matters */
	bool ahead;       /* hits are found in blocks: no stage wants them otherwise */
	uint32 wanted;    /* of them, a user */

	RspgIdArray given; /* users, as the caller has ids */
	bool all;
	uint64 place; /* of the given: how many of them are in blocks or behind */

	/* the user whose rows are being read */
	bool reading;
	Datum who; /* all: as the column has it, in mcxt */
	Datum user;
	bool skipped; /* the caller's type cannot hold it */
	uint64 rows;
	uint64 n_events;
	uint64 room;
	Event *event;
	MemoryContext mcxt; /* of who */

	/* rows of the cursor */
	bool converters;
	RspgConverter to_model;
	RspgConverter to_caller;
	FmgrInfo *equal;

	/* the block */
	MemoryContext block_mcxt;
	MemoryContext each_mcxt; /* of the rows of one user */
	uint32 block_room;
	uint32 n;
	uint64 block_events;
	RspgAnswer *answer; /* [block_room] */
	Datum *id;          /* [block_room] */
	uint64 done;        /* users */
	uint64 read;        /* events */
} Batch;

static void answer_block(Batch *batch);

PG_FUNCTION_INFO_V1(recsys_recommend_batch);

/* Begin a block, which is empty. */
static void
begin_block(Batch *batch)
{
	MemoryContextReset(batch->block_mcxt);
	batch->n = 0;
	batch->block_events = 0;
	batch->answer =
		MemoryContextAlloc(batch->block_mcxt, sizeof(RspgAnswer) * (Size) batch->block_room);
	batch->id = MemoryContextAlloc(batch->block_mcxt, sizeof(Datum) * (Size) batch->block_room);
}

/* Put a user with the events that were read into the block. */
static void
add_user(Batch *batch, Datum user)
{
	MemoryContext before = MemoryContextSwitchTo(batch->block_mcxt);
	RspgAnswer *answer = &batch->answer[batch->n];
	int16 length;
	bool by_value;
	uint64 i;

	*answer = batch->plain;
	answer->exclude = rspg_answer_bitmap_copy(answer, batch->plain.exclude);
	answer->mask.exclude = answer->exclude;
	get_typlenbyval(batch->request.user.type, &length, &by_value);
	batch->id[batch->n] = datumCopy(user, by_value, length);
	if (batch->row->features != NULL)
	{
		HeapTupleHeader features = rspg_user_row_read(batch->row, user, batch->request.user.type);

		if (features != NULL)
			rspg_answer_user_row(answer, features);
	}
	rspg_answer_history(answer, batch->n_events);
	for (i = 0; i < batch->n_events; i++)
	{
		/* a limited history comes newest first */
		const Event *event =
			&batch->event[batch->row->history_limit > 0 ? batch->n_events - 1 - i : i];

		rspg_answer_add(answer, event->item, event->weight, event->weight_is_null,
						batch->request.exclude_seen && event->seen);
	}
	if (!batch->ordered)
		rspg_answer_sort(answer);
	MemoryContextSwitchTo(before);
	batch->n++;
	batch->block_events += batch->n_events;
	batch->n_events = 0;
	batch->rows = 0;
	if (batch->n == batch->block_room || batch->block_events >= BLOCK_EVENTS)
		answer_block(batch);
}

/* Those of the given users before a place (from 1), who have no events. */
static void
add_strangers(Batch *batch, uint64 before)
{
	while (batch->place + 1 < before)
		add_user(batch, batch->given.id[batch->place++]);
}

/* The rows of a user are at their end. */
static void
end_user(Batch *batch)
{
	if (!batch->reading)
		return;
	batch->reading = false;
	if (!batch->all)
		add_user(batch, batch->given.id[batch->place++]);
	else if (!batch->skipped)
		add_user(batch, batch->user);
	batch->n_events = 0;
	batch->rows = 0;
}

/* Is this row of another user than the one before? */
static bool
is_another(const Batch *batch, TupleDesc desc, Datum who)
{
	if (!batch->reading)
		return true;
	if (!batch->all)
		return (uint64) DatumGetInt64(who) != batch->place + 1;
	return !DatumGetBool(
		FunctionCall2Coll(batch->equal, TupleDescAttr(desc, 0)->attcollation, batch->who, who));
}

static void
begin_user(Batch *batch, Oid type, Datum who)
{
	MemoryContext before;
	int16 length;
	bool by_value;

	end_user(batch);
	batch->reading = true;
	if (!batch->all)
	{
		add_strangers(batch, (uint64) DatumGetInt64(who));
		return;
	}
	MemoryContextReset(batch->mcxt);
	before = MemoryContextSwitchTo(batch->mcxt);
	get_typlenbyval(type, &length, &by_value);
	batch->who = datumCopy(who, by_value, length);
	batch->skipped = !rspg_convert_id(&batch->to_caller, batch->who, &batch->user);
	MemoryContextSwitchTo(before);
}

static void
add_event(Batch *batch, HeapTuple tuple, TupleDesc desc)
{
	Event event;
	bool null;
	Datum item = SPI_getbinval(tuple, desc, 2, &null);
	Datum weight = SPI_getbinval(tuple, desc, 3, &event.weight_is_null);

	batch->rows++;
	if (null || (batch->row->history_limit > 0 && batch->rows > (uint64) batch->row->history_limit))
		return;
	event.item = rspg_answer_find(&batch->plain, &batch->to_model, item);
	event.weight = event.weight_is_null ? 0 : DatumGetFloat8(weight);
	event.seen = DatumGetBool(SPI_getbinval(tuple, desc, 4, &null)) && !null;
	if (batch->n_events == batch->room)
	{
		batch->room *= 2;
		batch->event = repalloc_huge(batch->event, batch->room * sizeof(Event));
	}
	batch->event[batch->n_events++] = event;
}

/* Rows of the cursor: who, item, weight, seen. */
static bool
fetch(void *opaque)
{
	Batch *batch = opaque;
	SPITupleTable *table = SPI_tuptable;
	TupleDesc desc = table->tupdesc;
	uint64 n = SPI_processed;
	Oid type = getBaseType(SPI_gettypeid(desc, 1));
	MemoryContext rows =
		AllocSetContextCreate(CurrentMemoryContext, "recsys batch rows", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(rows);
	uint64 i;

	if (!batch->converters)
	{
		rspg_converter_init(&batch->to_model, SPI_gettypeid(desc, 2),
							rspg_id_type_oid(batch->plain.model->ids.type));
		if (batch->all)
		{
			rspg_converter_init(&batch->to_caller, type, batch->request.user.type);
			batch->equal = &lookup_type_cache(type, TYPECACHE_EQ_OPR_FINFO)->eq_opr_finfo;
		}
		batch->converters = true;
	}
	for (i = 0; i < n; i++)
	{
		bool null;
		Datum who = SPI_getbinval(table->vals[i], desc, 1, &null);

		if (is_another(batch, desc, who))
			begin_user(batch, type, who);
		add_event(batch, table->vals[i], desc);
	}
	batch->read += n;
	rspg_progress_rows(batch->read);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(rows);
	return true;
}

/* The best of the users of a block: hits[n][wanted], n_hits[n]. */
static RsHit *
find_hits(Batch *batch, uint32 *n_hits)
{
	RsHistory *histories = palloc(sizeof(RsHistory) * (Size) batch->n);
	RsMask *masks = palloc(sizeof(RsMask) * (Size) batch->n);
	RsHit *hits = MemoryContextAllocHuge(CurrentMemoryContext,
										 sizeof(RsHit) * Max((Size) batch->n * batch->wanted, 1));
	RsContext ctx = rspg_context(CurrentMemoryContext);
	uint32 i;

	for (i = 0; i < batch->n; i++)
	{
		histories[i] = rspg_answer_as_history(&batch->answer[i]);
		masks[i] = batch->answer[i].mask;
	}
	ctx.threads = recsys_threads;
	rspg_check(&ctx, rs_serving_batch(&ctx, batch->stored->serving, batch->n, histories, masks,
									  batch->wanted, hits, n_hits));
	return hits;
}

/* Write the rows of a block and begin the next. */
static void
answer_block(Batch *batch)
{
	MemoryContext before = MemoryContextSwitchTo(batch->block_mcxt);
	uint32 *n_hits = palloc(sizeof(uint32) * (Size) Max(batch->n, 1));
	RsHit *hits = batch->ahead && batch->n > 0 ? find_hits(batch, n_hits) : NULL;
	RsProgress progress = {.phase = "recommending", .loss = NAN};
	uint32 i;

	MemoryContextSwitchTo(batch->each_mcxt);
	for (i = 0; i < batch->n; i++)
	{
		RspgAnswer *answer = &batch->answer[i];
		RspgStage *stage = batch->ahead
							   ? rspg_ranking_stage_of(answer, hits + (Size) i * batch->wanted,
													   n_hits[i], batch->wanted)
							   : rspg_ranking_stage(&batch->request, answer, -1);

		CHECK_FOR_INTERRUPTS();
		batch->request.user.value = batch->id[i];
		rspg_emit(&batch->request, answer, batch->row->live_version,
				  rspg_chain_above(&batch->request, answer, stage), batch->result);
		MemoryContextReset(batch->each_mcxt);
	}
	MemoryContextSwitchTo(before);
	batch->done += batch->n;
	progress.iteration = (int) Min(batch->done, INT_MAX);
	progress.iterations = batch->all ? 0 : batch->given.n;
	rspg_progress_update(&progress);
	begin_block(batch);
}

/* The given users as the column has ids; null for one that it cannot hold. */
static ArrayType *
as_column(const Batch *batch, Oid type)
{
	Datum *id = palloc(sizeof(Datum) * Max((Size) batch->given.n, 1));
	bool *null = palloc(sizeof(bool) * Max((Size) batch->given.n, 1));
	int dims[1] = {batch->given.n};
	int lower[1] = {1};
	RspgConverter converter;
	int16 length;
	bool by_value;
	char align;
	int i;

	rspg_converter_init(&converter, batch->request.user.type, type);
	for (i = 0; i < batch->given.n; i++)
		null[i] = !rspg_convert_id(&converter, batch->given.id[i], &id[i]);
	get_typlenbyvalalign(type, &length, &by_value, &align);
	return construct_md_array(id, null, batch->given.n > 0 ? 1 : 0, dims, lower, type, length,
							  by_value, align);
}

/* Read all histories, whose rows lead from block to block. */
static void
read_histories(Batch *batch)
{
	RspgSeen seen = rspg_subject_seen(&batch->request, batch->row);
	RspgSourceQuery query = rspg_source_histories_query(
		batch->row, batch->ordered, seen.events != NULL || seen.age != NULL, !batch->all);
	Oid types[3] = {batch->all ? TEXTARRAYOID : rspg_array_type(query.user_type), TEXTARRAYOID,
					INTERVALOID};
	Datum values[3] = {0, PointerGetDatum(seen.events), PointerGetDatum(seen.age)};
	char nulls[4] = {batch->all ? 'n' : ' ', seen.events == NULL ? 'n' : ' ',
					 seen.age == NULL ? 'n' : ' '};
	RspgRole caller = rspg_role_begin_reading(batch->row->owner);
	SPIPlanPtr plan;

	if (!batch->all)
		values[0] = PointerGetDatum(as_column(batch, query.user_type));
	SPI_connect();
	plan = rspg_prepare_cursor(query.sql, lengthof(types), types, 0);
	rspg_plans_scan(plan, values, nulls, FETCH, fetch, batch);
	SPI_finish();
	end_user(batch);
	if (!batch->all)
		add_strangers(batch, (uint64) batch->given.n + 1);
	answer_block(batch);
	rspg_role_end(caller);
}

static void
prepare(Batch *batch)
{
	RspgRequest *request = &batch->request;
	const RsModel *model = rs_serving_model(batch->stored->serving);
	Size of_user;

	batch->plain = rspg_answer_begin(batch->stored, batch->row, request->id_type);
	batch->ordered = rspg_subject_ordered(batch->row, batch->plain.model);
	rspg_explore_begin(request, &batch->plain);
	rspg_answer_masks(&batch->plain, request->exclude, request->candidates);
	batch->ahead = request->filter == NULL && request->diversity == 0 &&
				   request->max_per_group == NULL && request->explore == 0;
	batch->wanted = (uint32) Min((uint64) request->k + request->skip, model->ids.n);
	of_user = model->ids.n / 8 + (batch->ahead ? batch->wanted * sizeof(RsHit) : 0);
	batch->block_room = Max(Min(BLOCK_USERS, BLOCK_BYTES / Max(of_user, 1)), 1);
	batch->room = 1024;
	batch->event = palloc(batch->room * sizeof(Event));
	batch->mcxt =
		AllocSetContextCreate(CurrentMemoryContext, "recsys batch user", ALLOCSET_SMALL_SIZES);
	batch->block_mcxt =
		AllocSetContextCreate(CurrentMemoryContext, "recsys batch", ALLOCSET_DEFAULT_SIZES);
	batch->each_mcxt =
		AllocSetContextCreate(CurrentMemoryContext, "recsys batch answer", ALLOCSET_DEFAULT_SIZES);
	begin_block(batch);
}

static Datum
recommend_batch(PG_FUNCTION_ARGS)
{
	Batch *batch = palloc0(sizeof(Batch));
	RspgRequest *request = &batch->request;

	*request = rspg_request_read(fcinfo);
	batch->result = (ReturnSetInfo *) fcinfo->resultinfo;
	/* the subject of each answer in its turn */
	request->user =
		(RspgGiven){TupleDescAttr(batch->result->setDesc, 0)->atttypid, false, (Datum) 0};
	batch->given = rspg_id_array(request->users, "users");
	batch->all = request->users == NULL;
	if (request->k == 0)
		return (Datum) 0;
	batch->stored = rspg_subject_open(request, fcinfo->flinfo, &batch->row);
	prepare(batch);
	rspg_progress_begin(batch->row->name, batch->row->algorithm);
	read_histories(batch);
	rspg_progress_end();
	return (Datum) 0;
}

Datum
recsys_recommend_batch(PG_FUNCTION_ARGS)
{
	return rspg_store_call(recommend_batch, fcinfo);
}
