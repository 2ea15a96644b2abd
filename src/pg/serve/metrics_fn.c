/*
 * metrics_fn.c
 *		Ranking metrics over two arrays: what was recommended, what was relevant.
 *
 *	SELECT avg(recsys.ndcg_at_k(recommended, relevant, 10)) FROM …;
 *
 * An id that is recommended twice counts at its first place only, and its
 * repetitions take up no rank.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_collation.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "core/serving/metrics.h"
#include "pg/base/idarray.h"

typedef double (*Metric)(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k);

typedef struct Ranked
{
	Datum id;
	int rank; /* place in its array */
} Ranked;

static Datum metric(FunctionCallInfo fcinfo, Metric formula);

#define METRIC(name)                                                                               \
	PG_FUNCTION_INFO_V1(recsys_##name);                                                            \
	Datum recsys_##name(PG_FUNCTION_ARGS)                                                          \
	{                                                                                              \
		return metric(fcinfo, rs_##name);                                                          \
	}

METRIC(recall_at_k)
METRIC(precision_at_k)
METRIC(hit_rate_at_k)
METRIC(ndcg_at_k)
METRIC(average_precision_at_k)
METRIC(reciprocal_rank_at_k)

static int
compare_rank(const void *a, const void *b)
{
	return ((const Ranked *) a)->rank - ((const Ranked *) b)->rank;
}

/* By the type's own order, whatever the collation: only equality matters. */
static int
compare_id(const void *a, const void *b, void *type)
{
	return DatumGetInt32(FunctionCall2Coll(&((TypeCacheEntry *) type)->cmp_proc_finfo,
										   C_COLLATION_OID, ((const Ranked *) a)->id,
										   ((const Ranked *) b)->id));
}

static TypeCacheEntry *
type_of(const RspgIdArray *array)
{
	TypeCacheEntry *type = lookup_type_cache(array->type, TYPECACHE_CMP_PROC_FINFO);

	if (!OidIsValid(type->cmp_proc_finfo.fn_oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("ids of type %s cannot be compared", format_type_be(array->type))));
	return type;
}

/*
 * Distinct ids in ascending order, each with the first of its places; how many.
 */
static int
distinct_sorted(const RspgIdArray *array, TypeCacheEntry *type, Ranked **sorted)
{
	Ranked *ids = palloc(sizeof(Ranked) * Max(array->n, 1));
	int n = 0;
	int i;

	for (i = 0; i < array->n; i++)
	{
		ids[i].id = array->id[i];
		ids[i].rank = i;
	}
	qsort_arg(ids, array->n, sizeof(Ranked), compare_id, type);
	for (i = 0; i < array->n; i++)
	{
		if (n > 0 && compare_id(&ids[n - 1], &ids[i], type) == 0)
			ids[n - 1].rank = Min(ids[n - 1].rank, ids[i].rank);
		else
			ids[n++] = ids[i];
	}
	*sorted = ids;
	return n;
}

static Datum
metric(FunctionCallInfo fcinfo, Metric formula)
{
	RspgIdArray recommended = rspg_id_array(PG_GETARG_ARRAYTYPE_P(0), "recommended");
	RspgIdArray relevant = rspg_id_array(PG_GETARG_ARRAYTYPE_P(1), "relevant");
	TypeCacheEntry *type = type_of(&relevant);
	int32 k = PG_GETARG_INT32(2);
	Ranked *ranks;
	Ranked *wanted;
	int n_ranks;
	int n_wanted;
	bool *hit;
	int i;

	if (k < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("k must be at least 1, but is %d", k)));
	n_ranks = distinct_sorted(&recommended, type, &ranks);
	n_wanted = distinct_sorted(&relevant, type, &wanted);
	if (n_wanted == 0)
		PG_RETURN_NULL();
	qsort(ranks, n_ranks, sizeof(Ranked), compare_rank);
	hit = palloc0(Max(n_ranks, 1));
	for (i = 0; i < n_ranks && i < k; i++)
		hit[i] = bsearch_arg(&ranks[i], wanted, n_wanted, sizeof(Ranked), compare_id, type) != NULL;
	PG_RETURN_FLOAT8(formula(hit, (uint32_t) n_ranks, (uint32_t) n_wanted, (uint32_t) k));
}
