/*
 * trainer_features.c
 *		Features in a training: of each row, or of users that are known by id.
 *
 * In the aggregate every row is a user of its own with one event.  Its number
 * comes from the features and the item, so that the model does not depend on the
 * order of the rows; rows that are alike may change places.
 */
#include "pg/train/trainer_features.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "pg/base/seam.h"
#include "pg/encode/encoder_type.h"

#define ROWS_PER_POLL 1024

static void make_room(RspgTrainerFeatures *features, uint32 **array, uint32 wanted);
static void begin_rows(RspgTrainerFeatures *features, int width);

uint32
rspg_trainer_features_add(RspgTrainerFeatures *features, const float *values, int n, int64 row,
						  uint32 item)
{
	uint32 number;

	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("features must not be empty"),
				 errdetail("Row " INT64_FORMAT " has none.", row)));
	begin_rows(features, n);
	if (rs_features_width(features->rows) != (uint32_t) n)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("features must have the same length in every row"),
						errdetail("Row " INT64_FORMAT " has %d, the rows before have %u.", row, n,
								  rs_features_width(features->rows))));
	number = rs_features_count(features->rows);
	rspg_check(features->ctx, rs_features_append(features->ctx, features->rows, values));
	features->by_row = true;
	make_room(features, &features->item_of_row, number + 1);
	features->item_of_row[number] = item;
	return number;
}

static void
begin_rows(RspgTrainerFeatures *features, int width)
{
	if (features->rows == NULL)
		features->rows = rs_features_create(features->ctx, (uint32_t) width);
	if (features->rows == NULL)
		rspg_check(features->ctx, features->ctx->status);
}

static void
make_room(RspgTrainerFeatures *features, uint32 **array, uint32 wanted)
{
	if (wanted <= features->room)
		return;
	features->room = Max(1024, Max(wanted, features->room * 2));
	if (*array == NULL)
		*array = MemoryContextAllocHuge(features->mcxt, (Size) features->room * sizeof(uint32));
	else
		*array = repalloc_huge(*array, (Size) features->room * sizeof(uint32));
}

bool
rspg_trainer_features_set(RspgTrainerFeatures *features, int64 code, uint32 n_users,
						  const float *values, int n)
{
	if (features->row_of_user == NULL)
	{
		make_room(features, &features->row_of_user, Max(n_users, 1));
		memset(features->row_of_user, 0xff, (Size) features->room * sizeof(uint32));
	}
	begin_rows(features, n);
	if (code < 0)
		return true;
	if (features->row_of_user[code] != RS_NO_FEATURES)
		return false;
	features->row_of_user[code] = rs_features_count(features->rows);
	rspg_check(features->ctx, rs_features_append(features->ctx, features->rows, values));
	return true;
}

Size
rspg_trainer_features_bytes(const RspgTrainerFeatures *features)
{
	return (Size) features->room * sizeof(uint32);
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
hash_rows(RspgTrainerFeatures *features, const uint32_t *item_rank, RowKey *keys, uint32 n)
{
	int length = (int) (rs_features_width(features->rows) * sizeof(float));
	uint32 i;

	for (i = 0; i < n; i++)
	{
		if (i % ROWS_PER_POLL == 0 && rs_check_interrupt(features->ctx) != RS_OK)
			return features->ctx->status;
		keys[i].row = i;
		keys[i].hash =
			hash_bytes_extended((const unsigned char *) rs_features_row(features->rows, i), length,
								item_rank[features->item_of_row[i]]);
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
rank_rows(RspgTrainerFeatures *features, const uint32_t *item_rank, RowKey *keys, RowKey *other,
		  uint32_t *rank)
{
	uint32 n = rs_features_count(features->rows);
	int pass;
	uint32 i;

	if (hash_rows(features, item_rank, keys, n) != RS_OK)
		return features->ctx->status;
	for (pass = 0; pass < 8; pass++)
	{
		RowKey *swap = keys;

		if (rs_check_interrupt(features->ctx) != RS_OK)
			return features->ctx->status;
		sort_by_byte(keys, other, n, pass * 8);
		keys = other;
		other = swap;
	}
	for (i = 0; i < n; i++)
		rank[keys[i].row] = i;
	return RS_OK;
}

uint32_t *
rspg_trainer_features_rank(RspgTrainerFeatures *features, const uint32_t *item_rank)
{
	RsContext *ctx = features->ctx;
	uint32 n = rs_features_count(features->rows);
	RowKey *keys = rs_alloc(ctx, (size_t) n * sizeof(RowKey));
	RowKey *other = keys != NULL ? rs_alloc(ctx, (size_t) n * sizeof(RowKey)) : NULL;
	uint32_t *rank = other != NULL ? rs_alloc(ctx, (size_t) n * sizeof(uint32_t)) : NULL;

	if (rank != NULL && rank_rows(features, item_rank, keys, other, rank) != RS_OK)
	{
		rs_free(ctx, rank);
		rank = NULL;
	}
	rs_free(ctx, keys);
	rs_free(ctx, other);
	return rank;
}

uint32_t *
rspg_trainer_features_give(RspgTrainerFeatures *features, const uint32_t *user_rank,
						   RsProblem *problem)
{
	uint32_t *row;
	uint32 i;

	if (features->rows == NULL && features->encoder != NULL)
		ereport(ERROR, (errcode(ERRCODE_NO_DATA_FOUND), errmsg("there are no users to learn from"),
						errdetail("The encoder skips every row of the relation of users.")));
	if (features->rows == NULL)
		return NULL;
	row = rs_alloc(features->ctx, (size_t) problem->n_users * sizeof(uint32_t));
	if (row == NULL)
		rspg_check(features->ctx, features->ctx->status);
	for (i = 0; i < problem->n_users; i++)
		row[user_rank[i]] = features->by_row ? i : features->row_of_user[i];
	problem->features = features->rows;
	problem->feature_row = row;
	return row;
}

void
rspg_trainer_features_add_encoder(RspgTrainerFeatures *features, RsModel *model)
{
	RsContext *ctx = features->ctx;
	Size length;
	void *bytes;

	if (features->encoder == NULL)
		return;
	length = RSPG_ENCODER_LENGTH(features->encoder);
	bytes = rs_alloc(ctx, length);
	if (bytes == NULL)
		rspg_check(ctx, ctx->status);
	memcpy(bytes, RSPG_ENCODER_BYTES(features->encoder), length);
	rspg_check(ctx, rs_model_add(ctx, model, "encoder", RS_U8, 1, length, 1, bytes, true));
}
