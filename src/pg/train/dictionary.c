/*
 * dictionary.c
 *		Numbers for the ids of users and items while rows come in.
 *
 * A simplehash over (hash, code); the values themselves stand in an array by
 * code.  Hashing and equality are the type's own, so two spellings of one value
 * (1 and 1.0) are one user.
 */
#include "pg/train/dictionary.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

typedef struct Entry
{
	uint32 code;
	uint32 hash;
	char status;
} Entry;

/* Stands in a look-up for the value that has no code yet. */
#define CODE_OF_PROBE PG_UINT32_MAX

static bool same_value(RspgDictionary *dictionary, uint32 a, uint32 b);

#define SH_PREFIX ids
#define SH_ELEMENT_TYPE Entry
#define SH_KEY_TYPE uint32
#define SH_KEY code
#define SH_HASH_KEY(tb, key) 0 /* never used: the hash always comes along */
#define SH_EQUAL(tb, a, b) same_value((tb)->private_data, a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, a) ((a)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#include "pg/base/idmap.h"
#include "pg/base/rspg.h"

struct RspgDictionary
{
	MemoryContext mcxt;
	ids_hash *table;
	Oid type;
	int16 typlen;
	bool typbyval;
	FmgrInfo hash;
	FmgrInfo equal;
	Datum *values; /* by code */
	uint64 *hashes;
	uint32 count;
	uint32 room;
	Size value_bytes; /* of values that are not passed by value */
	Datum probe;
};

static void make_room(RspgDictionary *dictionary);
static int compare_hash(const void *a, const void *b, void *arg);
static int compare_bigint(const void *a, const void *b, void *arg);
static int compare_uuid(const void *a, const void *b, void *arg);
static int compare_text(const void *a, const void *b, void *arg);

RspgDictionary *
rspg_dictionary_create(MemoryContext mcxt, Oid type, const char *what)
{
	MemoryContext old = MemoryContextSwitchTo(mcxt);
	RspgDictionary *dictionary = palloc0(sizeof(RspgDictionary));
	TypeCacheEntry *entry =
		lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC | TYPECACHE_EQ_OPR_FINFO);

	if (!OidIsValid(entry->hash_extended_proc) || !OidIsValid(entry->eq_opr_finfo.fn_oid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
						errmsg("%s of type %s cannot be hashed", what, format_type_be(type)),
						errhint("Cast it to text.")));
	dictionary->mcxt = mcxt;
	dictionary->type = type;
	dictionary->typlen = entry->typlen;
	dictionary->typbyval = entry->typbyval;
	fmgr_info_cxt(entry->hash_extended_proc, &dictionary->hash, mcxt);
	fmgr_info_cxt(entry->eq_opr_finfo.fn_oid, &dictionary->equal, mcxt);
	dictionary->table = ids_create(mcxt, 256, dictionary);
	dictionary->room = 1024;
	dictionary->values = palloc(sizeof(Datum) * dictionary->room);
	dictionary->hashes = palloc(sizeof(uint64) * dictionary->room);
	MemoryContextSwitchTo(old);
	return dictionary;
}

static bool
same_value(RspgDictionary *dictionary, uint32 a, uint32 b)
{
	/* the table also compares its own entries while it grows: those differ */
	if (b != CODE_OF_PROBE)
		return a == b;
	return DatumGetBool(FunctionCall2Coll(&dictionary->equal, C_COLLATION_OID,
										  dictionary->values[a], dictionary->probe));
}

uint32
rspg_dictionary_code(RspgDictionary *dictionary, Datum value)
{
	bool found;
	uint64 hash;
	Entry *entry;
	uint32 code;
	MemoryContext old;

	if (dictionary->typlen == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
	hash = DatumGetUInt64(
		FunctionCall2Coll(&dictionary->hash, C_COLLATION_OID, value, UInt64GetDatum(0)));
	dictionary->probe = value;
	entry = ids_insert_hash(dictionary->table, CODE_OF_PROBE, (uint32) hash, &found);
	if (found)
		return entry->code;
	code = dictionary->count;
	if (code == dictionary->room)
		make_room(dictionary);
	old = MemoryContextSwitchTo(dictionary->mcxt);
	dictionary->values[code] = datumCopy(value, dictionary->typbyval, dictionary->typlen);
	MemoryContextSwitchTo(old);
	if (!dictionary->typbyval)
		dictionary->value_bytes +=
			datumGetSize(value, dictionary->typbyval, dictionary->typlen) + 16;
	dictionary->hashes[code] = hash;
	entry->code = code;
	dictionary->count++;
	return code;
}

int64
rspg_dictionary_find(RspgDictionary *dictionary, Datum value)
{
	uint64 hash;
	Entry *entry;

	if (dictionary->typlen == -1)
		value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
	hash = DatumGetUInt64(
		FunctionCall2Coll(&dictionary->hash, C_COLLATION_OID, value, UInt64GetDatum(0)));
	dictionary->probe = value;
	entry = ids_lookup_hash(dictionary->table, CODE_OF_PROBE, (uint32) hash);
	return entry != NULL ? (int64) entry->code : -1;
}

static void
make_room(RspgDictionary *dictionary)
{
	if (dictionary->room >= RS_MAX_ITEMS * 10)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("cannot train on more than %u distinct ids", dictionary->room)));
	dictionary->room *= 2;
	dictionary->values = repalloc_huge(dictionary->values, sizeof(Datum) * (Size) dictionary->room);
	dictionary->hashes =
		repalloc_huge(dictionary->hashes, sizeof(uint64) * (Size) dictionary->room);
}

uint32
rspg_dictionary_count(const RspgDictionary *dictionary)
{
	return dictionary->count;
}

Size
rspg_dictionary_bytes(const RspgDictionary *dictionary)
{
	return (Size) dictionary->table->size * sizeof(Entry) +
		   (Size) dictionary->room * (sizeof(Datum) + sizeof(uint64)) + dictionary->value_bytes;
}

/* In a loop over all ids. */
static inline void
poll_at(uint32 i)
{
	if (i % 65536 == 0)
		CHECK_FOR_INTERRUPTS();
}

/*
 * Codes sorted by compare, in ctx memory.
 */
static uint32_t *
sorted_codes(RspgDictionary *dictionary, RsContext *ctx, qsort_arg_comparator compare)
{
	uint32_t *codes = rs_alloc(ctx, sizeof(uint32_t) * (Size) dictionary->count);
	uint32 i;

	if (codes == NULL)
		return NULL;
	for (i = 0; i < dictionary->count; i++)
		codes[i] = i;
	qsort_interruptible(codes, dictionary->count, sizeof(uint32_t), compare, dictionary);
	return codes;
}

static uint32_t *
rank_of(RspgDictionary *dictionary, RsContext *ctx, const uint32_t *codes)
{
	uint32_t *rank = rs_alloc(ctx, sizeof(uint32_t) * (Size) dictionary->count);
	uint32 i;

	for (i = 0; rank != NULL && i < dictionary->count; i++)
	{
		poll_at(i);
		rank[codes[i]] = i;
	}
	return rank;
}

uint32_t *
rspg_dictionary_rank_by_hash(RspgDictionary *dictionary, RsContext *ctx)
{
	uint32_t *codes = sorted_codes(dictionary, ctx, compare_hash);
	uint32_t *rank = codes != NULL ? rank_of(dictionary, ctx, codes) : NULL;

	rs_free(ctx, codes);
	return rank;
}

static int
compare_hash(const void *a, const void *b, void *arg)
{
	RspgDictionary *dictionary = arg;
	uint32 code_a = *(const uint32_t *) a;
	uint32 code_b = *(const uint32_t *) b;
	uint64 hash_a = dictionary->hashes[code_a];
	uint64 hash_b = dictionary->hashes[code_b];
	Oid output;
	bool varlena;
	int result;
	char *text_a;
	char *text_b;

	if (hash_a != hash_b)
		return hash_a < hash_b ? -1 : 1;
	if (code_a == code_b)
		return 0;
	getTypeOutputInfo(dictionary->type, &output, &varlena);
	text_a = OidOutputFunctionCall(output, dictionary->values[code_a]);
	text_b = OidOutputFunctionCall(output, dictionary->values[code_b]);
	result = strcmp(text_a, text_b);
	pfree(text_a);
	pfree(text_b);
	return result;
}

static int
compare_bigint(const void *a, const void *b, void *arg)
{
	RspgDictionary *dictionary = arg;
	int64 value_a = DatumGetInt64(dictionary->values[*(const uint32_t *) a]);
	int64 value_b = DatumGetInt64(dictionary->values[*(const uint32_t *) b]);

	return (value_a > value_b) - (value_a < value_b);
}

static int
compare_uuid(const void *a, const void *b, void *arg)
{
	RspgDictionary *dictionary = arg;

	return memcmp(DatumGetUUIDP(dictionary->values[*(const uint32_t *) a])->data,
				  DatumGetUUIDP(dictionary->values[*(const uint32_t *) b])->data, UUID_LEN);
}

static int
compare_text(const void *a, const void *b, void *arg)
{
	RspgDictionary *dictionary = arg;
	Pointer text_a = DatumGetPointer(dictionary->values[*(const uint32_t *) a]);
	Pointer text_b = DatumGetPointer(dictionary->values[*(const uint32_t *) b]);
	Size length_a = VARSIZE_ANY_EXHDR(text_a);
	Size length_b = VARSIZE_ANY_EXHDR(text_b);
	int result = memcmp(VARDATA_ANY(text_a), VARDATA_ANY(text_b), Min(length_a, length_b));

	if (result != 0)
		return result;
	return (length_a > length_b) - (length_a < length_b);
}

static RsStatus
fill_bigints(RspgDictionary *dictionary, RsContext *ctx, const uint32_t *codes, RsIds *ids,
			 void *owned[4])
{
	int64_t *numbers = rs_alloc(ctx, sizeof(int64_t) * (Size) ids->n);
	uint32 i;

	if (numbers == NULL)
		return ctx->status;
	for (i = 0; i < ids->n; i++)
	{
		poll_at(i);
		numbers[i] = DatumGetInt64(dictionary->values[codes[i]]);
	}
	ids->bigints = owned[0] = numbers;
	return RS_OK;
}

static RsStatus
fill_uuids(RspgDictionary *dictionary, RsContext *ctx, const uint32_t *codes, RsIds *ids,
		   void *owned[4])
{
	uint8_t *bytes = rs_alloc(ctx, UUID_LEN * (Size) ids->n);
	uint32 i;

	if (bytes == NULL)
		return ctx->status;
	for (i = 0; i < ids->n; i++)
	{
		poll_at(i);
		memcpy(bytes + (Size) i * UUID_LEN, DatumGetUUIDP(dictionary->values[codes[i]])->data,
			   UUID_LEN);
	}
	ids->uuids = owned[0] = bytes;
	return RS_OK;
}

static RsStatus
fill_texts(RspgDictionary *dictionary, RsContext *ctx, const uint32_t *codes, RsIds *ids,
		   void *owned[4])
{
	int64_t *start = owned[0] = rs_alloc(ctx, sizeof(int64_t) * ((Size) ids->n + 1));
	char *text;
	uint32 i;

	if (start == NULL)
		return ctx->status;
	start[0] = 0;
	for (i = 0; i < ids->n; i++)
	{
		poll_at(i);
		start[i + 1] = start[i] + VARSIZE_ANY_EXHDR(DatumGetPointer(dictionary->values[codes[i]]));
	}
	text = owned[1] = rs_alloc(ctx, (Size) start[ids->n]);
	if (text == NULL)
		return ctx->status;
	for (i = 0; i < ids->n; i++)
	{
		poll_at(i);
		memcpy(text + start[i], VARDATA_ANY(DatumGetPointer(dictionary->values[codes[i]])),
			   (Size) (start[i + 1] - start[i]));
	}
	ids->text_start = start;
	ids->text = text;
	return RS_OK;
}

RsStatus
rspg_dictionary_ids(RspgDictionary *dictionary, RsContext *ctx, RsIds *ids, uint32_t **rank,
					void *owned[4])
{
	RsIdType type = rspg_id_type(dictionary->type);
	uint32_t *codes = sorted_codes(dictionary, ctx,
								   type == RS_ID_BIGINT ? compare_bigint
								   : type == RS_ID_UUID ? compare_uuid
														: compare_text);
	RsStatus status;

	memset(ids, 0, sizeof(*ids));
	memset(owned, 0, sizeof(void *) * 4);
	ids->type = type;
	ids->n = dictionary->count;
	if (codes == NULL)
		return ctx->status;
	*rank = rank_of(dictionary, ctx, codes);
	if (*rank == NULL)
		status = ctx->status;
	else if (type == RS_ID_BIGINT)
		status = fill_bigints(dictionary, ctx, codes, ids, owned);
	else if (type == RS_ID_UUID)
		status = fill_uuids(dictionary, ctx, codes, ids, owned);
	else
		status = fill_texts(dictionary, ctx, codes, ids, owned);
	rs_free(ctx, codes);
	return status;
}
