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

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "core/serving/metrics.h"
#include "pg/base/idarray.h"

typedef double (*Metric)(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k);

typedef struct Ranked
{
	Datum id;
	int rank; /* place in its array */
} Ranked;

static Datum metric(FunctionCallInfo fcinfo, Metric formula);
static int distinct_sorted(const RspgIdArray *array, Ranked **sorted);
static int compare_bigint(const void *a, const void *b);
static int compare_uuid(const void *a, const void *b);
static int compare_text(const void *a, const void *b);
static int compare_rank(const void *a, const void *b);

PG_FUNCTION_INFO_V1(recsys_recall_at_k);
PG_FUNCTION_INFO_V1(recsys_precision_at_k);
PG_FUNCTION_INFO_V1(recsys_hit_rate_at_k);
PG_FUNCTION_INFO_V1(recsys_ndcg_at_k);
PG_FUNCTION_INFO_V1(recsys_average_precision_at_k);
PG_FUNCTION_INFO_V1(recsys_reciprocal_rank_at_k);

Datum
recsys_recall_at_k(PG_FUNCTION_ARGS)
{
	return metric(fcinfo, rs_recall_at_k);
}

Datum
recsys_precision_at_k(PG_FUNCTION_ARGS)
{
	return metric(fcinfo, rs_precision_at_k);
}

Datum
recsys_hit_rate_at_k(PG_FUNCTION_ARGS)
{
	return metric(fcinfo, rs_hit_rate_at_k);
}

Datum
recsys_ndcg_at_k(PG_FUNCTION_ARGS)
{
	return metric(fcinfo, rs_ndcg_at_k);
}

Datum
recsys_average_precision_at_k(PG_FUNCTION_ARGS)
{
	return metric(fcinfo, rs_average_precision_at_k);
}

Datum
recsys_reciprocal_rank_at_k(PG_FUNCTION_ARGS)
{
	return metric(fcinfo, rs_reciprocal_rank_at_k);
}

static int
compare_bigint(const void *a, const void *b)
{
	int64 x = DatumGetInt64(((const Ranked *) a)->id);
	int64 y = DatumGetInt64(((const Ranked *) b)->id);

	return x < y ? -1 : x > y;
}

static int
compare_uuid(const void *a, const void *b)
{
	return memcmp(DatumGetUUIDP(((const Ranked *) a)->id)->data,
				  DatumGetUUIDP(((const Ranked *) b)->id)->data, UUID_LEN);
}

/* By bytes, whatever the collation: only equality matters. */
static int
compare_text(const void *a, const void *b)
{
	const struct varlena *x = (const struct varlena *) DatumGetPointer(((const Ranked *) a)->id);
	const struct varlena *y = (const struct varlena *) DatumGetPointer(((const Ranked *) b)->id);
	Size x_length = VARSIZE_ANY_EXHDR(x);
	Size y_length = VARSIZE_ANY_EXHDR(y);
	int order = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(x_length, y_length));

	return order != 0 ? order : x_length < y_length ? -1 : x_length > y_length;
}

static int
compare_rank(const void *a, const void *b)
{
	return ((const Ranked *) a)->rank - ((const Ranked *) b)->rank;
}

static int (*comparator(Oid type))(const void *, const void *)
{
	return type == INT8OID ? compare_bigint : type == UUIDOID ? compare_uuid : compare_text;
}

/*
 * Distinct ids in ascending order, each with the first of its places; how many.
 */
static int
distinct_sorted(const RspgIdArray *array, Ranked **sorted)
{
	int (*compare)(const void *, const void *) = comparator(array->type);
	Ranked *ids = palloc(sizeof(Ranked) * Max(array->n, 1));
	int n = 0;
	int i;

	for (i = 0; i < array->n; i++)
	{
		ids[i].id = array->type == TEXTOID ? PointerGetDatum(PG_DETOAST_DATUM_PACKED(array->id[i]))
										   : array->id[i];
		ids[i].rank = i;
	}
	qsort(ids, array->n, sizeof(Ranked), compare);
	for (i = 0; i < array->n; i++)
	{
		if (n > 0 && compare(&ids[n - 1], &ids[i]) == 0)
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
	n_ranks = distinct_sorted(&recommended, &ranks);
	n_wanted = distinct_sorted(&relevant, &wanted);
	if (n_wanted == 0)
		PG_RETURN_NULL();
	qsort(ranks, n_ranks, sizeof(Ranked), compare_rank);
	hit = palloc0(Max(n_ranks, 1));
	for (i = 0; i < n_ranks && i < k; i++)
		hit[i] =
			bsearch(&ranks[i], wanted, n_wanted, sizeof(Ranked), comparator(relevant.type)) != NULL;
	PG_RETURN_FLOAT8(formula(hit, (uint32_t) n_ranks, (uint32_t) n_wanted, (uint32_t) k));
}
