/*
 * plans.c
 *		Plans of queries as a caller, kept by the session.
 */
#include "pg/serve/plans.h"

#include "utils/memutils.h"

#define MAX_PLANS 256

static dlist_head kept = DLIST_STATIC_INIT(kept); /* used last first */
static int n_kept = 0;

static bool same_key(const RspgPlanKey *a, const RspgPlanKey *b);
static bool is_valid(const RspgPlans *plans);
static void drop(RspgPlans *plans);
static void make_room(void);

static bool
same_key(const RspgPlanKey *a, const RspgPlanKey *b)
{
	return a->role == b->role && a->relation == b->relation && a->type == b->type &&
		   strcmp(a->text, b->text) == 0 && strcmp(a->search_path, b->search_path) == 0;
}

static bool
is_valid(const RspgPlans *plans)
{
	int i;

	for (i = 0; i < RSPG_PLANS; i++)
		if (plans->plan[i] != NULL && !SPI_plan_is_valid(plans->plan[i]))
			return false;
	return true;
}

RspgPlans *
rspg_plans_find(const RspgPlanKey *key)
{
	dlist_iter iter;

	dlist_foreach(iter, &kept)
	{
		RspgPlans *plans = dlist_container(RspgPlans, node, iter.cur);

		if (!same_key(&plans->key, key))
			continue;
		dlist_move_head(&kept, &plans->node);
		/* one that is held makes itself valid where it runs */
		if (plans->holds > 0 || is_valid(plans))
			return plans;
		drop(plans);
		return NULL;
	}
	return NULL;
}

RspgPlans *
rspg_plans_keep(const RspgPlanKey *key, const SPIPlanPtr plan[RSPG_PLANS], int n_types,
				const Oid *types)
{
	MemoryContext mcxt;
	RspgPlans *plans;
	int i;

	make_room();
	mcxt = AllocSetContextCreate(TopMemoryContext, "recsys plan", ALLOCSET_SMALL_SIZES);
	plans = MemoryContextAllocZero(mcxt, sizeof(RspgPlans));
	plans->mcxt = mcxt;
	plans->key = *key;
	plans->key.text = MemoryContextStrdup(mcxt, key->text);
	plans->key.search_path = MemoryContextStrdup(mcxt, key->search_path);
	plans->n_types = n_types;
	plans->types = MemoryContextAlloc(mcxt, Max(n_types, 1) * sizeof(Oid));
	memcpy(plans->types, types, n_types * sizeof(Oid));
	for (i = 0; i < RSPG_PLANS; i++)
	{
		plans->plan[i] = plan[i];
		if (plan[i] != NULL)
			SPI_keepplan(plan[i]);
	}
	dlist_push_head(&kept, &plans->node);
	n_kept++;
	return plans;
}

/* Let those go that were not used for longest, and that no call holds. */
static void
make_room(void)
{
	dlist_node *node = dlist_is_empty(&kept) ? NULL : dlist_tail_node(&kept);

	while (node != NULL && n_kept >= MAX_PLANS)
	{
		RspgPlans *oldest = dlist_container(RspgPlans, node, node);

		node = dlist_has_prev(&kept, node) ? dlist_prev_node(&kept, node) : NULL;
		if (oldest->holds == 0)
			drop(oldest);
	}
}

static void
let_go(void *plans)
{
	((RspgPlans *) plans)->holds--;
}

void
rspg_plans_hold(RspgPlans *plans)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = let_go;
	callback->arg = plans;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	plans->holds++;
}

static void
drop(RspgPlans *plans)
{
	int i;

	dlist_delete(&plans->node);
	n_kept--;
	for (i = 0; i < RSPG_PLANS; i++)
		if (plans->plan[i] != NULL)
			SPI_freeplan(plans->plan[i]);
	MemoryContextDelete(plans->mcxt);
}

void
rspg_plans_run(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	int result = SPI_execute_plan(plan, values, nulls, true, 0);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not run a kept query: %s", SPI_result_code_string(result));
}

void
rspg_plans_scan(SPIPlanPtr plan, Datum *values, const char *nulls, long n,
				bool (*fetch)(void *opaque), void *opaque)
{
	Portal portal = SPI_cursor_open(NULL, plan, values, nulls, true);
	bool more;

	do
	{
		SPI_cursor_fetch(portal, true, n);
		more = SPI_processed == (uint64) n;
		more = fetch(opaque) && more;
		SPI_freetuptable(SPI_tuptable);
	} while (more);
	SPI_cursor_close(portal);
}
