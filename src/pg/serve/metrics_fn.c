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
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "core/serving/metrics.h"
#include "pg/base/idarray.h"

typedef double (*Metric)(const bool *hit, uint32_t n_recommended, uint32_t n_relevant, uint32_t k);

/* A set of ids: a hash table with a free slot after each run. */
typedef struct IdSet
{
	FmgrInfo *hash;
	FmgrInfo *equal;
	uint32 mask; /* slots - 1 */
	uint32 n;
	struct Slot
	{
		bool used;
		uint32 hash;
		Datum id;
	} * slot;
} IdSet;

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

/* An empty set with room for the ids of an array. */
static IdSet
create_set(const RspgIdArray *array)
{
	TypeCacheEntry *type =
		lookup_type_cache(array->type, TYPECACHE_HASH_PROC_FINFO | TYPECACHE_EQ_OPR_FINFO);
	IdSet set = {.hash = &type->hash_proc_finfo, .equal = &type->eq_opr_finfo};

	if (!OidIsValid(set.hash->fn_oid) || !OidIsValid(set.equal->fn_oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("item id of type %s cannot be hashed", format_type_be(array->type)),
						errhint("Cast it to text.")));
	set.mask = pg_nextpower2_32(2 * (uint32) array->n + 1) - 1;
	set.slot = palloc0(sizeof(struct Slot) * ((Size) set.mask + 1));
	return set;
}

/* The slot of an id, or the free one where it would go. */
static struct Slot *
find(const IdSet *set, Datum id, uint32 hash)
{
	uint32 at = hash & set->mask;

	while (set->slot[at].used &&
		   (set->slot[at].hash != hash ||
			!DatumGetBool(FunctionCall2Coll(set->equal, C_COLLATION_OID, set->slot[at].id, id))))
	{
		CHECK_FOR_INTERRUPTS(); /* ids may be chosen to collide */
		at = (at + 1) & set->mask;
	}
	return &set->slot[at];
}

static uint32
hash_of(const IdSet *set, Datum id)
{
	CHECK_FOR_INTERRUPTS();
	return DatumGetUInt32(FunctionCall1Coll(set->hash, C_COLLATION_OID, id));
}

/* False if it is there already. */
static bool
add(IdSet *set, Datum id, uint32 hash)
{
	struct Slot *slot = find(set, id, hash);

	if (slot->used)
		return false;
	slot->used = true;
	slot->hash = hash;
	slot->id = id;
	set->n++;
	return true;
}

static Datum
metric(FunctionCallInfo fcinfo, Metric formula)
{
	RspgIdArray recommended = rspg_id_array(PG_GETARG_ARRAYTYPE_P(0), "recommended");
	RspgIdArray relevant = rspg_id_array(PG_GETARG_ARRAYTYPE_P(1), "relevant");
	IdSet wanted = create_set(&relevant);
	IdSet seen = create_set(&recommended);
	int32 k = PG_GETARG_INT32(2);
	bool *hit = palloc0(Max(recommended.n, 1));
	int i;

	if (k < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("k must be at least 1, but is %d", k)));
	if (relevant.n == 0)
		PG_RETURN_NULL();
	for (i = 0; i < relevant.n; i++)
		(void) add(&wanted, relevant.id[i], hash_of(&wanted, relevant.id[i]));
	for (i = 0; i < recommended.n; i++)
	{
		uint32 hash = hash_of(&seen, recommended.id[i]);

		if (add(&seen, recommended.id[i], hash) && seen.n <= (uint32) k)
			hit[seen.n - 1] = find(&wanted, recommended.id[i], hash)->used;
	}
	PG_RETURN_FLOAT8(formula(hit, seen.n, wanted.n, (uint32_t) k));
}
