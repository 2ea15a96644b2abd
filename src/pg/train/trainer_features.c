/*
 * trainer_features.c
 *		Features in a training: of each row, or of users that are known by id.
 *
 * In the aggregate every row is a user of its own with one event.  Its number
 * comes from the features and the item, so that the model does not depend on the
 * order of the rows; rows that are alike may change places.
 */
#include "pg/train/trainer.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/encode/encode.h"
#include "pg/train/features.h"

#define ROWS_PER_POLL 65536

static void add_row(RspgTrainer *trainer, const float *values, int n, int64 row);
static void make_room(RspgTrainer *trainer, uint32 **array, uint32 wanted);

/*
 * The floats of features; an error for what is no plain vector of finite numbers.
 * row > 0 names the row in errors.
 */
const float *
rspg_features_array(ArrayType *array, int64 row, int *n)
{
	const float *values;
	int i;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("features must be an array of one dimension"),
						row > 0 ? errdetail("Row " INT64_FORMAT " has %d dimensions.", row,
											ARR_NDIM(array))
								: 0));
	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("features must not contain nulls"),
						row > 0 ? errdetail("Row " INT64_FORMAT " has one.", row) : 0,
						errhint("Impute what is unknown, for example with recsys.fit_encoder().")));
	values = (const float *) ARR_DATA_PTR(array);
	*n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	for (i = 0; i < *n; i++)
		if (!isfinite(values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("features must be finite numbers"),
							row > 0 ? errdetail("Row " INT64_FORMAT " has %g at position %d.", row,
												values[i], i + 1)
									: errdetail("Position %d is %g.", i + 1, values[i])));
	return values;
}

void
rspg_trainer_add_features(RspgTrainer *trainer, NullableDatum features, NullableDatum item)
{
	RspgTrainStats *stats = &trainer->stats;
	int64 row = ++stats->rows_read;
	ArrayType *array;
	const float *values;
	uint32 code;
	int n;

	if (row % 1024 == 0)
		rspg_trainer_check_memory(trainer);
	if (item.isnull)
	{
		stats->rows_null_item++;
		return;
	}
	if (features.isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("features must not be null"),
				 errdetail("Row " INT64_FORMAT " has none.", row),
				 errhint("Leave such rows out with FILTER, or impute what is unknown, for "
						 "example with recsys.fit_encoder().")));
	array = DatumGetArrayTypeP(features.value);
	values = rspg_features_array(array, row, &n);
	trainer->by_row = true;
	add_row(trainer, values, n, row);
	code = rspg_dictionary_code(trainer->items, item.value);
	make_room(trainer, &trainer->item_of_row, rs_features_count(trainer->features));
	trainer->item_of_row[rs_features_count(trainer->features) - 1] = code;
	rspg_check(&trainer->ctx,
			   rs_events_append(&trainer->ctx, trainer->events,
								rs_features_count(trainer->features) - 1, code, 1.0f, 0));
	if ((Pointer) array != DatumGetPointer(features.value))
		pfree(array);
}

/*
 * One more row of features, as wide as the first.
 */
static void
add_row(RspgTrainer *trainer, const float *values, int n, int64 row)
{
	RsContext *ctx = &trainer->ctx;

	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("features must not be empty"),
				 errdetail("Row " INT64_FORMAT " has none.", row)));
	if (trainer->features == NULL)
		trainer->features = rs_features_create(ctx, (uint32_t) n);
	if (trainer->features == NULL)
		rspg_check(ctx, ctx->status);
	if (rs_features_width(trainer->features) != (uint32_t) n)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("features must have the same length in every row"),
						errdetail("Row " INT64_FORMAT " has %d, the rows before have %u.", row, n,
								  rs_features_width(trainer->features))));
	rspg_check(ctx, rs_features_append(ctx, trainer->features, values));
}

static void
make_room(RspgTrainer *trainer, uint32 **array, uint32 wanted)
{
	if (wanted <= trainer->room)
		return;
	trainer->room = Max(1024, Max(wanted, trainer->room * 2));
	if (*array == NULL)
		*array = MemoryContextAllocHuge(trainer->mcxt, (Size) trainer->room * sizeof(uint32));
	else
		*array = repalloc_huge(*array, (Size) trainer->room * sizeof(uint32));
}

/*
 * Features of a user, after all events were added: users without events are
 * left out.
 */
void
rspg_trainer_add_user(RspgTrainer *trainer, Datum user, const float *values, int n)
{
	uint32 users = rspg_dictionary_count(trainer->users);
	int64 code = rspg_dictionary_find(trainer->users, user);

	if (trainer->row_of_user == NULL)
	{
		make_room(trainer, &trainer->row_of_user, Max(users, 1));
		memset(trainer->row_of_user, 0xff, (Size) trainer->room * sizeof(uint32));
	}
	if (trainer->features == NULL)
		trainer->features = rs_features_create(&trainer->ctx, (uint32_t) n);
	if (trainer->features == NULL)
		rspg_check(&trainer->ctx, trainer->ctx.status);
	if (code < 0)
		return;
	if (trainer->row_of_user[code] != RS_NO_FEATURES)
	{
		Oid output;
		bool varlena;

		getTypeOutputInfo(trainer->user_type, &output, &varlena);
		ereport(ERROR, (errcode(ERRCODE_CARDINALITY_VIOLATION),
						errmsg("user %s has more than one row of features",
							   OidOutputFunctionCall(output, user)),
						errhint("Make the user column of the relation of users unique.")));
	}
	trainer->row_of_user[code] = rs_features_count(trainer->features);
	rspg_check(&trainer->ctx, rs_features_append(&trainer->ctx, trainer->features, values));
}

void
rspg_trainer_set_encoder(RspgTrainer *trainer, struct varlena *encoder)
{
	MemoryContext old = MemoryContextSwitchTo(trainer->mcxt);

	trainer->encoder = PG_DETOAST_DATUM_COPY(PointerGetDatum(encoder));
	MemoryContextSwitchTo(old);
}

uint32
rspg_trainer_users(const RspgTrainer *trainer)
{
	if (trainer->by_row)
		return rs_features_count(trainer->features);
	return rspg_dictionary_count(trainer->users);
}

Size
rspg_trainer_feature_bytes(const RspgTrainer *trainer)
{
	return (Size) trainer->room * sizeof(uint32);
}

typedef struct RowKey
{
	uint64 hash;
	uint32 row;
} RowKey;

/*
 * What a row is: its features and its item.  Rows of one hash are alike, and any
 * order of them will do.
 */
static RsStatus
hash_rows(RspgTrainer *trainer, const uint32_t *item_rank, RowKey *keys, uint32 n)
{
	int length = (int) (rs_features_width(trainer->features) * sizeof(float));
	uint32 i;

	for (i = 0; i < n; i++)
	{
		if (i % ROWS_PER_POLL == 0 && rs_check_interrupt(&trainer->ctx) != RS_OK)
			return trainer->ctx.status;
		keys[i].row = i;
		keys[i].hash =
			hash_bytes_extended((const unsigned char *) rs_features_row(trainer->features, i),
								length, item_rank[trainer->item_of_row[i]]);
	}
	return RS_OK;
}

/*
 * Sort by one byte of the hash.
 */
static void
sort_by_byte(const RowKey *from, RowKey *to, uint32 n, int shift)
{
	uint32 start[257] = {0};
	uint32 i;

	for (i = 0; i < n; i++)
		start[((from[i].hash >> shift) & 0xff) + 1]++;
	for (i = 1; i < 256; i++)
		start[i] += start[i - 1];
	for (i = 0; i < n; i++)
		to[start[(from[i].hash >> shift) & 0xff]++] = from[i];
}

/*
 * By radix, for qsort_arg() could not be canceled.
 */
static RsStatus
rank_rows(RspgTrainer *trainer, const uint32_t *item_rank, RowKey *keys, RowKey *other,
		  uint32_t *rank)
{
	uint32 n = rspg_trainer_users(trainer);
	int pass;
	uint32 i;

	if (hash_rows(trainer, item_rank, keys, n) != RS_OK)
		return trainer->ctx.status;
	for (pass = 0; pass < 8; pass++)
	{
		RowKey *swap = keys;

		if (rs_check_interrupt(&trainer->ctx) != RS_OK)
			return trainer->ctx.status;
		sort_by_byte(keys, other, n, pass * 8);
		keys = other;
		other = swap;
	}
	for (i = 0; i < n; i++)
		rank[keys[i].row] = i;
	return RS_OK;
}

uint32_t *
rspg_trainer_user_rank(RspgTrainer *trainer, const uint32_t *item_rank)
{
	RsContext *ctx = &trainer->ctx;
	uint32 n = rspg_trainer_users(trainer);
	RowKey *keys;
	RowKey *other = NULL;
	uint32_t *rank = NULL;

	if (!trainer->by_row)
		return rspg_dictionary_rank_by_hash(trainer->users, ctx);
	keys = rs_alloc(ctx, (size_t) n * sizeof(RowKey));
	if (keys != NULL)
		other = rs_alloc(ctx, (size_t) n * sizeof(RowKey));
	if (other != NULL)
		rank = rs_alloc(ctx, (size_t) n * sizeof(uint32_t));
	if (rank != NULL && rank_rows(trainer, item_rank, keys, other, rank) != RS_OK)
	{
		rs_free(ctx, rank);
		rank = NULL;
	}
	rs_free(ctx, keys);
	rs_free(ctx, other);
	return rank;
}

uint32_t *
rspg_trainer_set_features(RspgTrainer *trainer, const uint32_t *user_rank, RsProblem *problem)
{
	uint32_t *row;
	uint32 i;

	if (trainer->features == NULL && trainer->encoder != NULL)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there are no users to learn from"),
						errdetail("The encoder skips every row of the relation of users.")));
	if (trainer->features == NULL)
		return NULL;
	row = rs_alloc(&trainer->ctx, (size_t) problem->n_users * sizeof(uint32_t));
	if (row == NULL)
		rspg_check(&trainer->ctx, trainer->ctx.status);
	for (i = 0; i < problem->n_users; i++)
		row[user_rank[i]] = trainer->by_row ? i : trainer->row_of_user[i];
	problem->features = trainer->features;
	problem->feature_row = row;
	return row;
}

void
rspg_trainer_add_encoder(RspgTrainer *trainer)
{
	RsContext *ctx = &trainer->ctx;
	Size length;
	void *bytes;

	if (trainer->encoder == NULL)
		return;
	length = RSPG_ENCODER_LENGTH(trainer->encoder);
	bytes = rs_alloc(ctx, length);
	if (bytes == NULL)
		rspg_check(ctx, ctx->status);
	memcpy(bytes, RSPG_ENCODER_BYTES(trainer->encoder), length);
	rspg_check(ctx,
			   rs_model_add(ctx, &trainer->model, "encoder", RS_U8, 1, length, 1, bytes, true));
}
