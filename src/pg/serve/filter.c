/*
 * filter.c
 *		A stage that lets those items through for which the request's filter is true.
 *
 * Two ways lead to the same rows.  Items come in the order of their scores, and the
 * filter is asked of a batch of them at a time: few are looked at where many pass.  Or
 * all that pass are asked for first, and the ranking is of them alone: one query where
 * few pass.  The planner's costs choose, and what has cost as much without an end as
 * the other way is left for it.
 *
 * The filter runs with the rights, row security and snapshot of the caller; but not as
 * a superuser over a relation of somebody else's model (see history.c).
 */
#include "pg/serve/filter.h"

#include "utils/array.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"

#include "pg/base/idmap.h"
#include "pg/base/role.h"
#include "pg/serve/filter_query.h"
#include "pg/serve/ranking.h"

#define LEAST_BATCH 64
#define LARGEST_BATCH 8192
#define FETCH 4096
/* ids that the planner takes an array to have that it does not know */
#define PLANNED_IDS 10
/* share of what the planner has rows by an index cost, from whatever page, where the
 * pages are in memory: items that rank high are asked for again and again */
#define CACHED 0.25
/* of a row that passes, beside its query's: found among the model's ids */
#define ROW_COST 0.05

typedef enum Way
{
	UNDECIDED,
	PROBE,
	MASK /* by all that pass; the ranking has it, and nothing is left to do here */
} Way;

typedef struct Filter
{
	RspgStage stage;
	RspgAnswer *answer;
	RspgFilterQuery query;
	RspgConverter to_relation;
	RspgConverter to_model;
	Way way;
	double n_rows;   /* of the relation */
	double pass;     /* expected share of the items that pass */
	double all_rows; /* expected */
	double all_cost;
	double id_cost; /* of probing one */
	bool scanned;   /* all were asked for, perhaps in vain */
	bool replanned; /* with the values */

	uint64 *passing; /* bitmap */
	uint64 *probed;  /* bitmap of what was taken from the ranking */
	uint32 n_probed;
	uint32 n_passed;
	RspgPick *batch;
	uint32 n;     /* of the batch, those that passed */
	uint32 given; /* of these */
	bool all;     /* the ranking has no more */
} Filter;

static void decide(Filter *filter, uint32 wanted);
static void choose(Filter *filter, uint32 wanted);
static bool scan_all(Filter *filter, uint32 wanted);
static void probe(Filter *filter, uint32 wanted);
static void ask(Filter *filter, uint32 n);

static void
pass_row(Filter *filter, HeapTuple tuple, TupleDesc desc)
{
	bool null;
	Datum id = SPI_getbinval(tuple, desc, 1, &null);
	int64 item = null ? -1 : rspg_answer_find(filter->answer, &filter->to_model, id);

	if (item >= 0)
		rspg_bitmap_add(filter->passing, (uint32) item);
}

/* Rows of the relation, as last counted, or as many as the model has items. */
static double
count_rows(const RspgAnswer *answer)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(answer->row->items));
	double rows = 0;

	if (HeapTupleIsValid(tuple))
	{
		rows = ((Form_pg_class) GETSTRUCT(tuple))->reltuples;
		ReleaseSysCache(tuple);
	}
	return rows > 0 ? rows : Max(answer->model->ids.n, 1);
}

static double
probing_cost(const Filter *filter, uint32 wanted, double pass)
{
	double n = Min(wanted / pass, filter->answer->model->ids.n);

	return n * filter->id_cost;
}

static void
decide(Filter *filter, uint32 wanted)
{
	RspgRole caller = rspg_role_begin_reading(filter->answer->row->owner);
	double rows;
	double cost;

	SPI_connect();
	rspg_filter_estimate(filter->query.all, &filter->all_rows, &filter->all_cost);
	rspg_filter_estimate(filter->query.probe, &rows, &cost);
	SPI_finish();
	rspg_role_end(caller);
	filter->id_cost = cost / PLANNED_IDS * CACHED;
	filter->n_rows = count_rows(filter->answer);
	filter->way = PROBE;
	choose(filter, wanted);
}

/* By what the planner expects of the query for all that pass. */
static void
choose(Filter *filter, uint32 wanted)
{
	filter->all_cost += filter->all_rows * ROW_COST;
	filter->pass = Max(Min(filter->all_rows / filter->n_rows, 1), 1 / filter->n_rows);
	if (filter->all_cost < probing_cost(filter, wanted, filter->pass) && scan_all(filter, wanted))
		filter->way = MASK;
}

/*
 * A plan without the values knows no more of price < $1 than that a third may pass.
 * Where the first batch says that this is far off, planning with the values pays.
 */
static bool
is_surprised(const Filter *filter)
{
	return filter->query.bound != NULL && !filter->replanned && !filter->scanned &&
		   filter->n_probed > 0 && 4 * filter->n_passed < filter->pass * filter->n_probed;
}

static void
replan(Filter *filter, uint32 wanted)
{
	RspgRole caller = rspg_role_begin_reading(filter->answer->row->owner);

	SPI_connect();
	rspg_filter_estimate_bound(&filter->query, &filter->all_rows, &filter->all_cost);
	SPI_finish();
	rspg_role_end(caller);
	filter->replanned = true;
	choose(filter, wanted);
}

/* --- all that pass --- */

typedef struct Passing
{
	Filter *filter;
	uint32 wanted;
	double seen;
	bool given_up;
} Passing;

/* Rows of the scan; false where so many pass that it is cheaper to probe. */
static bool
take_rows(void *opaque)
{
	Passing *scan = opaque;
	Filter *filter = scan->filter;
	double pass;
	uint64 i;

	for (i = 0; i < SPI_processed; i++)
		pass_row(filter, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	scan->seen += SPI_processed;
	pass = Min(scan->seen / filter->n_rows, 1);
	if (filter->n_probed == 0 && SPI_processed == FETCH && scan->seen > 4 * filter->all_rows &&
		probing_cost(filter, scan->wanted, pass) < filter->all_cost / 2)
		scan->given_up = true;
	return !scan->given_up;
}

/*
 * Ask for all that pass and have the ranking rank no others, and none that it has
 * given already.  False where that was given up.
 */
static bool
scan_all(Filter *filter, uint32 wanted)
{
	RspgAnswer *answer = filter->answer;
	Passing scan = {.filter = filter, .wanted = wanted};
	Size words = ((Size) answer->model->ids.n + 63) / 64;
	RspgRole caller = rspg_role_begin_reading(answer->row->owner);
	Size i;

	filter->scanned = true;
	SPI_connect();
	rspg_plans_scan(filter->replanned ? filter->query.bound : filter->query.all,
					filter->query.values, filter->query.nulls, FETCH, take_rows, &scan);
	SPI_finish();
	rspg_role_end(caller);
	if (scan.given_up)
		return false;
	for (i = 0; i < words; i++)
	{
		if (answer->mask.include != NULL)
			filter->passing[i] &= answer->mask.include[i];
		answer->exclude[i] |= filter->probed[i];
	}
	answer->mask.include = filter->passing;
	rspg_ranking_restart(filter->stage.below);
	return true;
}

/* --- a batch at a time --- */

/* Which of the first n items of the batch pass? */
static void
ask(Filter *filter, uint32 n)
{
	RspgRole caller = rspg_role_begin_reading(filter->answer->row->owner);
	ArrayType *ids = rspg_answer_id_array(filter->answer, &filter->to_relation, filter->batch, n);
	uint64 i;

	filter->query.values[filter->query.n] = PointerGetDatum(ids);
	SPI_connect();
	rspg_plans_run(filter->query.probe, filter->query.values, filter->query.nulls);
	for (i = 0; i < SPI_processed; i++)
		pass_row(filter, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	rspg_role_end(caller);
	pfree(ids);
}

/*
 * Take the next batch and keep what passes.
 */
static void
probe(Filter *filter, uint32 wanted)
{
	double pass =
		filter->n_probed == 0 ? filter->pass : (filter->n_passed + 1.0) / (filter->n_probed + 2.0);
	double size = Max(wanted / pass * 1.2, LEAST_BATCH);
	uint32 n;
	uint32 i;

	n = (uint32) Min(size, LARGEST_BATCH);
	if (filter->batch == NULL)
		filter->batch = palloc(LARGEST_BATCH * sizeof(RspgPick));
	filter->n = filter->given = 0;
	i = rspg_stage_next(filter->stage.below, filter->batch, n);
	filter->all = i < n;
	n = i;
	ask(filter, n);
	filter->n_probed += n;
	for (i = 0; i < n; i++)
	{
		RspgPick pick = filter->batch[i];

		rspg_bitmap_add(filter->probed, pick.item);
		if (rspg_bitmap_has(filter->passing, pick.item))
			filter->batch[filter->n++] = pick;
	}
	filter->n_passed += filter->n;
}

static uint32
next(RspgStage *stage, RspgPick *picks, uint32 n)
{
	Filter *filter = (Filter *) stage;
	uint32 done = 0;

	if (filter->way == UNDECIDED)
		decide(filter, n);
	while (filter->way == PROBE && done < n)
	{
		if (filter->given < filter->n)
			picks[done++] = filter->batch[filter->given++];
		else if (filter->all)
			return done;
		else if (is_surprised(filter))
			replan(filter, n - done);
		else if (!filter->scanned && filter->n_probed * filter->id_cost > filter->all_cost)
		{
			if (scan_all(filter, n - done))
				filter->way = MASK;
		}
		else
			probe(filter, n - done);
	}
	return done + (done < n ? rspg_stage_next(stage->below, picks + done, n - done) : 0);
}

RspgStage *
rspg_filter_stage(const RspgRequest *request, RspgAnswer *answer, RspgStage *below)
{
	Filter *filter;
	Oid model_type = rspg_id_type_oid(answer->model->ids.type);
	RspgRole caller;

	if (request->filter == NULL)
	{
		if (request->filter_values != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("filter_values has no filter to go with")));
		return below;
	}
	filter = palloc0(sizeof(Filter));
	filter->stage.next = next;
	filter->stage.below = below;
	filter->answer = answer;
	caller = rspg_role_begin_reading(answer->row->owner);
	filter->query = rspg_filter_query(answer->row, request->filter, request->filter_values);
	rspg_role_end(caller);
	rspg_converter_init_exact(&filter->to_relation, model_type, filter->query.id_type);
	rspg_converter_init_exact(&filter->to_model, filter->query.id_type, model_type);
	filter->passing = rspg_answer_bitmap(answer);
	filter->probed = rspg_answer_bitmap(answer);
	return &filter->stage;
}
