/*
 * fresh.c
 *		Items that a model's relation of items has and the model does not know.
 *
 * All of the relation that passes the filter is read for it: what the model knows is
 * in no table that a query could join.
 */
#include "pg/serve/fresh.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/base/idarray.h"
#include "pg/base/idmap.h"
#include "pg/base/role.h"
#include "pg/serve/filter_query.h"

#define FETCH 4096
#define FEWEST 64

typedef struct Reading
{
	RspgFresh *fresh;
	const RsIds *ids;
	RspgConverter to_model;
	Oid output;
	int16 length;
	bool by_value;
	uint32 room;
	MemoryContext target;
} Reading;

/* One more that the model does not know. */
static void
add(Reading *reading, Datum id)
{
	RspgFresh *fresh = reading->fresh;
	MemoryContext caller = MemoryContextSwitchTo(reading->target);

	if (fresh->n == reading->room)
	{
		if (reading->room > PG_INT32_MAX / 2)
			ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many new items"),
							errhint("Ask for fewer of them by filter.")));
		reading->room *= 2;
		fresh->item = repalloc_huge(fresh->item, reading->room * sizeof(RspgFreshItem));
	}
	fresh->item[fresh->n].id = datumCopy(id, reading->by_value, reading->length);
	fresh->item[fresh->n].text = OidOutputFunctionCall(reading->output, id);
	fresh->n++;
	MemoryContextSwitchTo(caller);
}

static bool
take_rows(void *opaque)
{
	Reading *reading = opaque;
	uint64 i;

	for (i = 0; i < SPI_processed; i++)
	{
		bool null;
		Datum id = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null);
		Datum converted;

		CHECK_FOR_INTERRUPTS();
		if (!null && rspg_convert_id(&reading->to_model, id, &converted) &&
			rspg_ids_find(reading->ids, converted) < 0)
			add(reading, converted);
	}
	return true;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(((const RspgFreshItem *) a)->text, ((const RspgFreshItem *) b)->text);
}

RspgFresh *
rspg_fresh_read(const RspgRegistryRow *row, const RsIds *ids, const char *filter,
				ArrayType *filter_values)
{
	RspgFresh *fresh = palloc0(sizeof(RspgFresh));
	Reading reading = {.fresh = fresh, .ids = ids, .room = FEWEST, .target = CurrentMemoryContext};
	RspgFilterQuery query;
	RspgRole caller;
	bool varlena;
	uint32 n;
	uint32 i;

	fresh->type = rspg_id_type_oid(ids->type);
	fresh->item = palloc(reading.room * sizeof(RspgFreshItem));
	get_typlenbyval(fresh->type, &reading.length, &reading.by_value);
	getTypeOutputInfo(fresh->type, &reading.output, &varlena);
	caller = rspg_role_begin_reading(row->owner);
	query = rspg_filter_query(row, filter == NULL ? "true" : filter, filter_values);
	rspg_converter_init_exact(&reading.to_model, query.id_type, fresh->type);
	SPI_connect();
	rspg_plans_scan(query.all, query.values, query.nulls, FETCH, take_rows, &reading);
	SPI_finish();
	rspg_role_end(caller);
	pg_qsort(fresh->item, fresh->n, sizeof(RspgFreshItem), by_text);
	for (i = n = 0; i < fresh->n; i++)
		if (n == 0 || by_text(&fresh->item[i], &fresh->item[n - 1]) != 0)
			fresh->item[n++] = fresh->item[i];
	fresh->n = n;
	return fresh;
}

int64
rspg_fresh_find(const RspgFresh *fresh, Datum id)
{
	RspgFreshItem key;
	RspgFreshItem *found;
	Oid output;
	bool varlena;

	if (fresh->n == 0)
		return -1;
	getTypeOutputInfo(fresh->type, &output, &varlena);
	key.text = OidOutputFunctionCall(output, id);
	found = bsearch(&key, fresh->item, fresh->n, sizeof(RspgFreshItem), by_text);
	pfree(key.text);
	return found == NULL ? -1 : found - fresh->item;
}

typedef struct Drawn
{
	int64 hash;
	uint32 place;
} Drawn;

static int
by_hash(const void *a, const void *b)
{
	const Drawn *left = a;
	const Drawn *right = b;

	if (left->hash != right->hash)
		return left->hash < right->hash ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

uint32 *
rspg_fresh_draw(const RspgFresh *fresh, int64 seed)
{
	Size room = Max((Size) fresh->n, 1);
	Drawn *drawn = MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(Drawn));
	uint32 *order = MemoryContextAllocHuge(CurrentMemoryContext, room * sizeof(uint32));
	uint32 i;

	for (i = 0; i < fresh->n; i++)
	{
		const char *text = fresh->item[i].text;

		drawn[i].hash = (int64) hash_bytes_extended((const unsigned char *) text,
													(int) strlen(text), (uint64) seed);
		drawn[i].place = i;
	}
	pg_qsort(drawn, fresh->n, sizeof(Drawn), by_hash);
	for (i = 0; i < fresh->n; i++)
		order[i] = drawn[i].place;
	pfree(drawn);
	return order;
}
