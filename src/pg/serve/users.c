/*
 * users.c
 *		Lists of users.
 */
#include "pg/serve/users.h"

#include "catalog/pg_collation.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "pg/base/idarray.h"
#include "pg/base/role.h"
#include "pg/model/source.h"

static int
compare(const void *a, const void *b, void *function)
{
	return DatumGetInt32(
		FunctionCall2Coll(function, C_COLLATION_OID, *(const Datum *) a, *(const Datum *) b));
}

/* Sort, and drop repetitions. */
static void
put_in_order(RspgUserList *list)
{
	FmgrInfo *function = &lookup_type_cache(list->type, TYPECACHE_CMP_PROC_FINFO)->cmp_proc_finfo;
	uint64 n = 0;
	uint64 i;

	qsort_arg(list->user, list->n, sizeof(Datum), compare, function);
	for (i = 0; i < list->n; i++)
		if (n == 0 || compare(&list->user[n - 1], &list->user[i], function) != 0)
			list->user[n++] = list->user[i];
	list->n = n;
}

/* Rows of the query as ids of the list, in this context. */
static void
copy_users(RspgUserList *list, MemoryContext target)
{
	MemoryContext spi = MemoryContextSwitchTo(target);
	TupleDesc desc = SPI_tuptable->tupdesc;
	RspgConverter converter;
	int16 length;
	bool by_value;
	uint64 i;

	get_typlenbyval(list->type, &length, &by_value);
	rspg_converter_init(&converter, getBaseType(SPI_gettypeid(desc, 1)), list->type);
	list->user = MemoryContextAllocHuge(target, Max(SPI_processed, (uint64) 1) * sizeof(Datum));
	for (i = 0; i < SPI_processed; i++)
	{
		bool null;
		Datum user = SPI_getbinval(SPI_tuptable->vals[i], desc, 1, &null);
		Datum converted;

		CHECK_FOR_INTERRUPTS();
		if (!null && rspg_convert_id(&converter, user, &converted))
			list->user[list->n++] = by_value ? converted : datumCopy(converted, by_value, length);
	}
	MemoryContextSwitchTo(spi);
}

RspgUserList
rspg_users_read(const RspgRegistryRow *row, Oid type)
{
	MemoryContext caller = CurrentMemoryContext;
	RspgUserList list = {.type = type};
	RspgRole before = rspg_role_begin_reading(row->owner);
	int result;

	SPI_connect();
	result = SPI_execute(rspg_source_users_query(row), true, 0);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not read the users: %s", SPI_result_code_string(result));
	copy_users(&list, caller);
	SPI_finish();
	rspg_role_end(before);
	put_in_order(&list);
	return list;
}

RspgUserList
rspg_users_among(ArrayType *among)
{
	RspgIdArray ids = rspg_id_array(among, "among");
	RspgUserList list = {.type = ids.type, .n = (uint64) ids.n, .user = ids.id};

	if (list.n > 0)
		put_in_order(&list);
	return list;
}
