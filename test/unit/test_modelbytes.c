/*
 * test_modelbytes.c
 *		Model bytes: round trips, and every way to break them.
 */
#include "models.h"

static uint64_t
header_length(const char *bytes)
{
	uint64_t header;

	memcpy(&header, bytes, 8);
	return header;
}

TEST(round_trip)
{
	for (int a = 0; model_table[a] != NULL; a++)
		for (int type = RS_ID_BIGINT; type <= RS_ID_TEXT; type++)
		{
			const RsAlgorithm *algorithm = model_table[a];
			UnitHeap heap;
			RsContext *ctx = unit_heap(&heap, 0, 0);
			RsModel model, again;
			Bytes bytes = {0, NULL}, twice = {0, NULL};

			model_train(ctx, algorithm, (RsIdType) type, &model);
			bytes.data = malloc((size_t) rs_model_size(&model));
			CHECK(rs_model_write(ctx, &model, keep_bytes, &bytes) == RS_OK);
			CHECK(bytes.n == rs_model_size(&model));
			CHECK((8 + header_length(bytes.data)) % 8 == 0);
			CHECK(rs_model_read(ctx, model_table, bytes.data, bytes.n, &again) == RS_OK);
			CHECK(ctx->message[0] == '\0');
			CHECK(again.algorithm == algorithm && again.n_users == model.n_users);
			CHECK(again.n_events == model.n_events && again.iterations == model.iterations);
			CHECK_NEAR(again.loss, model.loss, 0);
			CHECK(again.ids.n == MODEL_ITEMS && again.ids.type == (RsIdType) type);
			CHECK(memcmp(&again.options, &model.options, sizeof(RsOptions)) == 0);
			CHECK(same_models(&model, &again));
			twice.data = malloc(bytes.n);
			CHECK(rs_model_write(ctx, &again, keep_bytes, &twice) == RS_OK);
			CHECK(twice.n == bytes.n && memcmp(twice.data, bytes.data, bytes.n) == 0);
			rs_model_free(ctx, &again);
			rs_model_free(ctx, &model);
			CHECK(heap.live == 0);
			free(bytes.data);
			free(twice.data);
		}
}

TEST(ids_found)
{
	RsIds ids = model_ids(RS_ID_BIGINT);
	int64_t absent = 3;

	for (int i = 0; i < MODEL_ITEMS; i++)
	{
		int64_t start = model_text_start[i];

		ids.type = RS_ID_BIGINT;
		CHECK(rs_ids_find(&ids, &model_bigints[i], 8) == i);
		CHECK(rs_ids_find(&ids, &model_bigints[i], 4) == -1);
		ids.type = RS_ID_UUID;
		CHECK(rs_ids_find(&ids, model_uuids[i], 16) == i);
		CHECK(rs_ids_find(&ids, model_uuids[i], 15) == -1);
		ids.type = RS_ID_TEXT;
		CHECK(rs_ids_find(&ids, model_text + start, (size_t) (model_text_start[i + 1] - start)) ==
			  i);
	}
	CHECK(rs_ids_find(&ids, "aaa", 3) == -1);
	CHECK(rs_ids_find(&ids, "zz", 2) == -1);
	CHECK(rs_ids_find(&ids, "zzzz", 4) == -1);
	ids.type = RS_ID_BIGINT;
	CHECK(rs_ids_find(&ids, &absent, 8) == -1);
	ids.n = 0;
	CHECK(rs_ids_find(&ids, &absent, 8) == -1);
}

/* Each byte changed: to every other value for one model, to some for the rest. */
TEST(every_byte_changed)
{
	static const unsigned char flips[] = {1, 2, 0x80, 0xff, '0' ^ '1', ' ' ^ '"'};

	for (int a = 0; model_table[a] != NULL; a++)
		for (int type = RS_ID_BIGINT; type <= RS_ID_TEXT; type++)
		{
			bool thorough = model_table[a] == &rs_item_knn && type == RS_ID_TEXT;
			size_t length;
			char *bytes = model_bytes(model_table[a], (RsIdType) type, &length);

			for (size_t i = 0; i < length; i++)
				for (int f = 0; f < (thorough ? 255 : (int) sizeof(flips)); f++)
				{
					char flip = (char) (thorough ? f + 1 : flips[f]);
					UnitHeap heap;
					RsContext *ctx = unit_heap(&heap, 0, 0);
					RsStatus status;

					bytes[i] ^= flip;
					status = model_try(ctx, bytes, length);
					CHECK(status == RS_OK || status == RS_ERR_BYTES || status == RS_ERR_VERSION);
					CHECK(heap.live == 0);
					bytes[i] ^= flip;
				}
			free(bytes);
		}
}

TEST(every_truncation)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		size_t length;
		char *bytes = model_bytes(model_table[a], RS_ID_TEXT, &length);

		for (size_t n = 0; n <= length + 1; n++)
		{
			UnitHeap heap;
			char *part = calloc(n + 1, 1);

			memcpy(part, bytes, n < length ? n : length);
			CHECK((model_try(unit_heap(&heap, 0, 0), part, n) == RS_OK) == (n == length));
			CHECK(heap.live == 0);
			free(part);
		}
		free(bytes);
	}
}

TEST(length_fields)
{
	static const uint64_t lengths[] = {
		0, 8, 7, 1u << 16, (1u << 16) + 8, 1u << 31, 1ull << 63, UINT64_MAX, UINT64_MAX - 7};
	size_t length;
	char *bytes = model_bytes(&rs_popularity, RS_ID_BIGINT, &length);
	RsContext ctx = rs_context_malloc();
	RsModel model;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		memcpy(bytes, &lengths[i], 8);
		CHECK(model_try(&ctx, bytes, length) == RS_ERR_BYTES);
	}
	CHECK(rs_model_read(&ctx, model_table, bytes + 4, length - 4, &model) == RS_ERR_PARAM);
	free(bytes);
	bytes = calloc(1, 100000);
	memcpy(bytes, (uint64_t[]){65544}, 8);
	CHECK(model_try(&ctx, bytes, 100000) == RS_ERR_BYTES);
	free(bytes);
}

/* Replace the first from in the header by to, and add extra data bytes. */
static char *
edit(const char *bytes, size_t length, const char *from, const char *to, size_t extra,
	 size_t *new_length)
{
	uint64_t header = header_length(bytes);
	char *text = calloc(1, header + 1);
	char *out = calloc(1, length + strlen(to) + extra + 16);
	char *at;
	size_t n;

	memcpy(text, bytes + 8, header);
	at = strstr(text, from);
	if (at == NULL)
	{
		printf("no %s in %s\n", from, text);
		abort();
	}
	n = (size_t) sprintf(out + 8, "%.*s%s%s", (int) (at - text), text, to, at + strlen(from));
	while (n % 8 != 0)
		out[8 + n++] = ' ';
	memcpy(out, (uint64_t[]){n}, 8);
	memcpy(out + 8 + n, bytes + 8 + header, length - 8 - header);
	*new_length = length - header + n + extra;
	free(text);
	return out;
}

typedef struct Edit
{
	const char *from;
	const char *to;
	const char *detail; /* part of it */
	size_t extra;
} Edit;

static void
try_edits(const RsAlgorithm *algorithm, RsIdType type, const Edit *edits)
{
	size_t length;
	char *bytes = model_bytes(algorithm, type, &length);

	for (; edits->from != NULL; edits++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, 0, 0);
		size_t n;
		char *changed = edit(bytes, length, edits->from, edits->to, edits->extra, &n);
		RsStatus status = model_try(ctx, changed, n);

		CHECK(edits->detail == NULL ? status == RS_OK : status == RS_ERR_BYTES);
		if (edits->detail != NULL && strstr(ctx->detail, edits->detail) == NULL)
		{
			printf("%s -> %s: %s\n", edits->from, edits->to, ctx->detail);
			CHECK(!"the expected detail");
		}
		CHECK(heap.live == 0);
		free(changed);
	}
	free(bytes);
}

TEST(metadata_edited)
{
	static const Edit edits[] = {
		{"\"recsys\"", "\"other\"", "not of format", 0},
		{"{\"__metadata__\": ", "{\"metadata\": ", "does not begin", 0},
		{"{\"__metadata__\": ", "[\"__metadata__\": ", "does not begin", 0},
		{"{\"__metadata__\": ", "{\"__metadata__\", ", "does not begin", 0},
		{"{\"__metadata__\": ", "{7: ", "does not begin", 0},
		{"{\"__metadata__\": {", "{\"__metadata__\": [", "not a JSON object", 0},
		{"\"recsys\"", "7", "not a JSON object", 0},
		{"\"format\":", "\"format\"", "not a JSON object", 0},
		{"\"format\":", "7:", "not a JSON object", 0},
		{"\"format_version\": \"2\"", "\"format_version\": \"0\"", "\"format_version\"", 0},
		{"\"format_version\": \"2\"", "\"format_version\": \"x\"", "\"format_version\"", 0},
		{"\"format_version\": \"2\"", "\"format_version\": \" 2\"", "\"format_version\"", 0},
		{"\"format_version\": \"2\"", "\"format_version\": \"2 \"", "\"format_version\"", 0},
		{"\"format_version\": \"2\"", "\"format_version\": \"99999999999999999999999\"",
		 "\"format_version\"", 0},
		{"\"format_version\": \"2\"", "\"colour\": \"2\"", "\"colour\" is unknown", 0},
		{"\"format_version\": \"2\", ", "", "\"format_version\" is missing", 0},
		{"\"users\": ", "\"users\": \"1\", \"users\": ", "twice", 0},
		{"\"algorithm\": \"als\"", "\"algorithm\": \"sla\"", "\"algorithm\"", 0},
		{"\"algorithm\": \"als\"", "\"algorithm\": \"sla\", \"colour\": \"\"", "\"algorithm\"", 0},
		{"\"id_type\": \"bigint\"", "\"id_type\": \"big\"", "\"id_type\"", 0},
		{"\"id_type\": \"bigint\"", "\"id_type\": \"uuid\"", "\"item_ids\"", 0},
		{"\"items\": \"9\"", "\"items\": \"0\"", "\"items\"", 0},
		{"\"items\": \"9\"", "\"items\": \"100000001\"", "\"items\"", 0},
		{"\"items\": \"9\"", "\"items\": \"8\"", "\"item_ids\"", 0},
		{"\"users\": \"", "\"users\": \"-", "\"users\"", 0},
		{"\"events\": \"", "\"events\": \"9999999999999999999", "\"events\"", 0},
		{"\"timed\": \"false\"", "\"timed\": \"\"", "\"timed\"", 0},
		{"\"timed\": \"false\", ", "", "\"timed\" is missing", 0},
		{"\"iterations\": \"", "\"iterations\": \"99999999", "\"iterations\"", 0},
		{"\"loss\": \"", "\"loss\": \"x", "\"loss\"", 0},
		{"\"loss\": \"", "\"loss\": \" ", "\"loss\"", 0},
		{"\"options\": \"{", "\"options\": \"[", "options are not a JSON object", 0},
		{"\"options\": \"{", "\"options\": \"{1", "options are not a JSON object", 0},
		{"\"options\": \"{", "\"options\": \"{\\\"factors\\\" 4, ", "options are not", 0},
		{"\"factors\\\": 4", "\"factors\\\": 4000", "\"factors\" is unknown or out", 0},
		{"\"factors\\\": 4", "\"factors\\\": true", "\"factors\" is unknown or out", 0},
		{"\"factors\\\": 4", "\"factors\\\": false", "\"factors\" is unknown or out", 0},
		{"\"factors\\\": 4", "\"factors\\\": \\\"4\\\"", "\"factors\" is unknown or out", 0},
		{"\"factors\\\": 4", "\"factors\\\": [4]", "\"factors\" is unknown or out", 0},
		{"\"factors\\\": 4", "\"factors\\\": [true]", "\"factors\" is not a value", 0},
		{"\"factors\\\": 4", "\"colour\\\": 4", "\"colour\" is unknown or out", 0},
		{"\"factors\\\": 4", "\"factors\\\": 4, \\\"factors\\\": 4", "twice", 0},
		{"{\\\"factors\\\": 4, ", "{", "\"factors\" is missing", 0},
		{"\"format_version\": \"2\"", "\"format_version\":  \"2\"", NULL, 0},
		{NULL, NULL, NULL, 0}};

	try_edits(&rs_als, RS_ID_BIGINT, edits);
}

TEST(tensors_edited)
{
	static const Edit edits[] = {
		{"\"dtype\": \"I64\"", "\"dtype\": \"F64\"", "\"item_ids\" is not described", 0},
		{"\"dtype\": \"I64\"", "\"dtype\": 7", "not described", 0},
		{"\"dtype\": \"I64\", ", "", "not described", 0},
		{"\"dtype\": \"I64\"", "\"type\": \"I64\"", "not described", 0},
		{"\"dtype\": \"I64\"", "\"dtype\": \"I64\", \"dtype\": \"I64\"", "not described", 0},
		{"\"dtype\": \"I64\"", "7: \"I64\"", "not described", 0},
		{"\"dtype\": \"I64\"", "\"dtype\" \"I64\"", "not described", 0},
		{"\"shape\": [9]", "\"shape\": []", "not described", 0},
		{"\"shape\": [9]", "\"shape\": [9, 1, 1]", "not described", 0},
		{"\"shape\": [9]", "\"shape\": [-9]", "not described", 0},
		{"\"shape\": [9]", "\"shape\": 9", "not described", 0},
		{"\"shape\": [9]", "\"shape\": [9, 18446744073709551615]", "not described", 0},
		{"\"shape\": [9]", "\"shape\": [4611686018427387904]", "not described", 0},
		{"\"shape\": [9]", "\"shape\": [8]", "not described", 0},
		{"\"shape\": [9]", "\"shape\": [9, 1]", "wrong shape", 0},
		{"\"data_offsets\": [0, 72]", "\"data_offsets\": [72, 0]", "not described", 0},
		{"\"data_offsets\": [0, 72]", "\"data_offsets\": [0]", "not described", 0},
		{"\"data_offsets\": [0, 72]", "\"data_offsets\": [9000, 9072]", "not described", 0},
		{"\"data_offsets\": [0, 72]", "\"data_offsets\": [4, 76]", "not described", 0},
		{"\"data_offsets\": [0, 72]", "\"data_offsets\": [8, 80]", "gap or overlaps", 0},
		{", \"item_ids\":", ", \"item_ids\" ", "expected form", 0},
		{", \"item_ids\":", ", 7:", "expected form", 0},
		{", \"item_ids\":", " \"item_ids\":", "expected form", 0},
		{"\"item_ids\"", "\"item_idx\"", "\"item_ids\" is missing", 0},
		{"\"item_popularity\"", "\"item_ids\"", "twice", 0},
		{"\"item_popularity\"", "\"popularity\"", "\"item_popularity\" is missing", 0},
		{"\"gram\"", "\"grim\"", "", 0},
		{", \"item_ids\":",
		 ", \"x\": {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [460, 461]},"
		 " \"item_ids\":",
		 "\"x\"", 1},
		{"\"dtype\": \"I64\", \"shape\": [9]", "\"shape\": [9], \"dtype\": \"I64\"", NULL, 0},
		{", \"item_ids\":", ", \"item_ids\":", "follow the last", 1},
		{NULL, NULL, NULL, 0}};
	static const Edit text_edits[] = {
		{"\"item_ids.text\"", "\"item_ids\"", "\"item_ids.text\" is missing", 0},
		{"\"item_ids.offsets\"", "\"offsets\"", "\"item_ids.offsets\" is missing", 0},
		{"\"id_type\": \"text\"", "\"id_type\": \"bigint\"", "\"item_ids\" is missing", 0},
		{NULL, NULL, NULL, 0}};
	static const Edit uuid_edits[] = {
		{"\"id_type\": \"uuid\"", "\"id_type\": \"bigint\"", "\"item_ids\"", 0},
		{NULL, NULL, NULL, 0}};

	try_edits(&rs_als, RS_ID_BIGINT, edits);
	try_edits(&rs_popularity, RS_ID_TEXT, text_edits);
	try_edits(&rs_popularity, RS_ID_UUID, uuid_edits);
}

/* Add tensors until there are too many: of the model, and of the file. */
TEST(too_many_tensors)
{
	size_t length, n;
	char *bytes = model_bytes(&rs_popularity, RS_ID_BIGINT, &length);
	RsContext ctx = rs_context_malloc();

	for (int count = 1; count < RS_MAX_TENSORS + 4; count++)
	{
		char *more = calloc(1, 8000);
		char *changed;
		size_t used = 0;

		for (int i = 0; i < count; i++)
			used += (size_t) sprintf(more + used,
									 ", \"t%d\": {\"dtype\": \"U8\", \"shape\": [0], "
									 "\"data_offsets\": [0, 0]}",
									 i);
		sprintf(more + used, ", \"item_ids\":");
		changed = edit(bytes, length, ", \"item_ids\":", more, 0, &n);
		CHECK(model_try(&ctx, changed, n) == RS_ERR_BYTES);
		CHECK(strstr(ctx.detail, count < RS_MAX_TENSORS - 1 ? "is unknown" : "too many") != NULL);
		free(changed);
		free(more);
	}
	free(bytes);
}

TEST(other_version)
{
	size_t length, n;
	char *bytes = model_bytes(&rs_popularity, RS_ID_BIGINT, &length);
	char *changed = edit(bytes, length, "\"format_version\": \"2\", \"library_version\": ",
						 "\"format_version\": \"3\", \"colour\": \"x\", \"items\": \"many\", "
						 "\"library_version\": ",
						 0, &n);
	RsContext ctx = rs_context_malloc();

	CHECK(model_try(&ctx, changed, n) == RS_ERR_BYTES); /* items twice */
	free(changed);
	changed = edit(bytes, length, "\"format_version\": \"2\", \"library_version\": ",
				   "\"format_version\": \"3\", \"colour\": \"x\", \"library_version\": ", 0, &n);
	CHECK(model_try(&ctx, changed, n) == RS_ERR_VERSION);
	CHECK(strstr(ctx.detail, "format version 3") != NULL && ctx.hint[0] != '\0');
	free(changed);
	changed = edit(bytes, length, "\"format_version\": \"2\"", "\"format_version\": \"1\"", 0, &n);
	CHECK(model_try(&ctx, changed, n) == RS_ERR_VERSION);
	free(changed);
	free(bytes);
}

/* Values that are wrong: position counted from the data's begin. */
static void
wrong_data(const RsAlgorithm *algorithm, RsIdType type, size_t at, const void *value, size_t size,
		   const char *detail)
{
	RsContext ctx = rs_context_malloc();
	size_t length;
	char *bytes = model_bytes(algorithm, type, &length);

	memcpy(bytes + 8 + header_length(bytes) + at, value, size);
	CHECK(model_try(&ctx, bytes, length) == RS_ERR_BYTES);
	CHECK(strstr(ctx.detail, detail) != NULL);
	free(bytes);
}

TEST(values_wrong)
{
	const int64_t seven = 7, five = 5, minus = -1, huge = INT64_MAX;
	const float nan = NAN, inf = -INFINITY, negative = -1;
	const size_t floats = 8 * (MODEL_ITEMS + 1); /* where they begin in a text model */

	wrong_data(&rs_popularity, RS_ID_BIGINT, 0, &seven, 8, "ascending");
	wrong_data(&rs_popularity, RS_ID_BIGINT, 8 * 8, &five, 8, "ascending");
	wrong_data(&rs_popularity, RS_ID_UUID, 8 * MODEL_ITEMS, "\1\1", 2, "ascending");
	wrong_data(&rs_popularity, RS_ID_TEXT, 0, &seven, 8, "do not fit");
	wrong_data(&rs_popularity, RS_ID_TEXT, 8 * MODEL_ITEMS, &minus, 8, "do not fit");
	wrong_data(&rs_popularity, RS_ID_TEXT, 8 * MODEL_ITEMS, &huge, 8, "do not fit");
	wrong_data(&rs_popularity, RS_ID_TEXT, 16, &huge, 8, "do not ascend");
	wrong_data(&rs_popularity, RS_ID_TEXT, 16, &minus, 8, "do not ascend");
	wrong_data(&rs_popularity, RS_ID_TEXT, floats + 8 * MODEL_ITEMS, "\0", 1, "zero byte");
	wrong_data(&rs_popularity, RS_ID_TEXT, floats + 8 * MODEL_ITEMS, "b", 1, "ascending");
	wrong_data(&rs_popularity, RS_ID_TEXT, floats + 4 * MODEL_ITEMS, &nan, 4, "not allowed");
	wrong_data(&rs_popularity, RS_ID_TEXT, floats + 4 * MODEL_ITEMS, &inf, 4, "not allowed");
	wrong_data(&rs_popularity, RS_ID_TEXT, floats + 4 * MODEL_ITEMS, &negative, 4, "not allowed");
}

/* Where a tensor's data begins in bytes, and its shape by the model read. */
static char *
find_data(char *bytes, size_t length, const char *name)
{
	RsContext ctx = rs_context_malloc();
	RsModel model;
	char *data;

	if (rs_model_read(&ctx, model_table, bytes, length, &model) != RS_OK)
		abort();
	data = (char *) rs_model_tensor(&model, name)->data;
	rs_model_free(&ctx, &model);
	return data;
}

static void
refused(const char *bytes, size_t length, const char *detail)
{
	RsContext ctx = rs_context_malloc();

	CHECK(model_try(&ctx, bytes, length) == RS_ERR_BYTES);
	if (strstr(ctx.detail, detail) == NULL)
	{
		printf("not \"%s\": %s\n", detail, ctx.detail);
		CHECK(!"the expected detail");
	}
}

static void
swap_values(char *a, char *b, size_t size)
{
	char kept[64];

	memcpy(kept, a, size);
	memcpy(a, b, size);
	memcpy(b, kept, size);
}

/* Every lie about what is derived: the vectors' order, norms, items, rows and the
 * order of popularity. */
TEST(derived_wrong)
{
	const RsAlgorithm *const algorithms[] = {&rs_als, &rs_mlp};

	for (int a = 0; a < 2; a++)
	{
		size_t length;
		char *bytes = model_bytes(algorithms[a], RS_ID_TEXT, &length);
		RsContext ctx = rs_context_malloc();
		float *rows = (float *) find_data(bytes, length, RS_FACTORS);
		float *norms = (float *) find_data(bytes, length, RS_FACTOR_NORMS);
		uint32_t *items = (uint32_t *) find_data(bytes, length, RS_FACTOR_ITEMS);
		uint32_t *row_of = (uint32_t *) find_data(bytes, length, RS_FACTOR_ROWS);
		float *popularity = (float *) find_data(bytes, length, RS_POPULARITY);
		uint32_t *popular = (uint32_t *) find_data(bytes, length, RS_POPULAR);
		size_t dim = a == 0 ? 4 : 6;
		float norm = norms[3];

		CHECK(((char *) rows - bytes) % 64 == 0);
		/* rows in another order than their norms, with and without these */
		swap_values((char *) rows, (char *) (rows + 8 * dim), dim * sizeof(float));
		refused(bytes, length, "do not descend");
		swap_values((char *) norms, (char *) (norms + 8), sizeof(float));
		refused(bytes, length, "do not descend");
		swap_values((char *) rows, (char *) (rows + 8 * dim), dim * sizeof(float));
		refused(bytes, length, "do not descend");
		swap_values((char *) norms, (char *) (norms + 8), sizeof(float));
		/* norms that are a little off are another CPU's */
		norms[3] = norm * (1 + 0x1p-22f);
		CHECK(model_try(&ctx, bytes, length) == RS_OK);
		norms[3] = norm * (1 - 0x1p-22f);
		CHECK(model_try(&ctx, bytes, length) == RS_OK);
		norms[3] = norm * (1 + 0x1p-19f);
		refused(bytes, length, "do not descend");
		norms[3] = norm * (1 - 0x1p-19f);
		refused(bytes, length, "do not descend");
		norms[3] = -norm;
		refused(bytes, length, "do not descend");
		norms[3] = NAN;
		refused(bytes, length, "not allowed");
		norms[3] = norm;
		rows[dim + 1] = NAN;
		refused(bytes, length, "not allowed");
		rows[dim + 1] = -INFINITY;
		refused(bytes, length, "not allowed");
		memcpy(&rows[dim + 1], &rows[dim], sizeof(float));
		refused(bytes, length, "not allowed");
		free(bytes);

		bytes = model_bytes(algorithms[a], RS_ID_TEXT, &length);
		items = (uint32_t *) find_data(bytes, length, RS_FACTOR_ITEMS);
		row_of = (uint32_t *) find_data(bytes, length, RS_FACTOR_ROWS);
		popularity = (float *) find_data(bytes, length, RS_POPULARITY);
		popular = (uint32_t *) find_data(bytes, length, RS_POPULAR);
		/* items and rows: swapped, twice, out of range; both swapped are an order of
		 * their own, which no one but the trainer can tell from the right one */
		swap_values((char *) items, (char *) (items + 1), 4);
		refused(bytes, length, "not permutations");
		swap_values((char *) items, (char *) (items + 1), 4);
		swap_values((char *) row_of, (char *) (row_of + 1), 4);
		refused(bytes, length, "not permutations");
		swap_values((char *) row_of, (char *) (row_of + 1), 4);
		for (int t = 0; t < 2; t++)
		{
			uint32_t *column = t == 0 ? items : row_of;
			uint32_t value = column[5];

			column[5] = column[6];
			refused(bytes, length, "not permutations");
			column[5] = MODEL_ITEMS;
			refused(bytes, length, "not permutations");
			column[5] = UINT32_MAX;
			refused(bytes, length, "not permutations");
			column[5] = value;
		}
		/* popularity: its order, an item twice, out of range, and ties the wrong way */
		swap_values((char *) popular, (char *) (popular + 1), 4);
		refused(bytes, length, "not the order");
		popular[0] = popular[1];
		refused(bytes, length, "not the order");
		popular[0] = MODEL_ITEMS;
		refused(bytes, length, "not the order");
		popular[0] = UINT32_MAX;
		refused(bytes, length, "not the order");
		for (uint32_t i = 0; i < MODEL_ITEMS; i++)
		{
			popularity[i] = 1;
			popular[i] = i;
		}
		CHECK(model_try(&ctx, bytes, length) == RS_OK);
		swap_values((char *) popular, (char *) (popular + 1), 4);
		refused(bytes, length, "not the order");
		free(bytes);
	}
}

static bool
stop_at_once(void *opaque, const void *bytes, size_t length)
{
	(void) bytes;
	(void) length;
	return --*(int *) opaque > 0;
}

TEST(writing_stops)
{
	RsContext ctx = rs_context_malloc();
	RsModel model;
	Bytes none = {0, NULL};

	model_train(&ctx, &rs_als, RS_ID_TEXT, &model);
	for (int pieces = 1; pieces < 6; pieces++)
	{
		int left = pieces;

		CHECK(rs_model_write(&ctx, &model, stop_at_once, &left) == RS_ERR_CANCELED);
	}
	for (long at = 1; at < 4; at++)
	{
		UnitHeap heap;

		CHECK(rs_model_write(unit_heap(&heap, 0, at), &model, keep_bytes, &none) ==
			  RS_ERR_CANCELED);
		CHECK(heap.live == 0);
	}
	model.loss = INFINITY; /* is written as none */
	model.iterations = -1;
	CHECK(rs_model_write(&ctx, &model, keep_bytes, &none) == RS_OK);
	rs_model_free(&ctx, &model);
}

TEST(reading_stops)
{
	size_t length;
	char *bytes = model_bytes(&rs_als, RS_ID_TEXT, &length);
	bool done = false;

	for (long at = 1; !done; at++)
	{
		UnitHeap heap;
		RsStatus status = model_try(unit_heap(&heap, at, 0), bytes, length);

		CHECK(status == (heap.failed ? RS_ERR_NOMEM : RS_OK));
		CHECK(heap.live == 0);
		done = !heap.failed;
	}
	done = false;
	for (long at = 1; !done; at++)
	{
		UnitHeap heap;
		RsStatus status = model_try(unit_heap(&heap, 0, at), bytes, length);

		CHECK(status == (heap.canceled ? RS_ERR_CANCELED : RS_OK));
		CHECK(heap.live == 0);
		done = !heap.canceled;
	}
	free(bytes);
}

TEST(adding_tensors)
{
	UnitHeap heap;
	RsContext *ctx = unit_heap(&heap, 0, 0);
	RsModel model;
	char names[RS_MAX_TENSORS][4];

	memset(&model, 0, sizeof(model));
	for (int i = 0; i < RS_MAX_TENSORS; i++)
	{
		sprintf(names[i], "%d", i);
		CHECK(rs_model_add(ctx, &model, names[i], RS_F32, 1, 1, 7, rs_alloc(ctx, 4), true) ==
			  RS_OK);
		CHECK(model.tensors[i].shape[1] == 1);
		if (i == 0)
			CHECK(rs_model_add(ctx, &model, "0", RS_U8, 1, 1, 1, "", false) == RS_ERR_LIMIT);
	}
	CHECK(rs_model_add(ctx, &model, "x", RS_U8, 1, 1, 1, "", false) == RS_ERR_LIMIT);
	CHECK(rs_model_tensor(&model, "x") == NULL);
	rs_model_free(ctx, &model);
	CHECK(heap.live == 0);
}

/* Every tensor of every algorithm, of a wrong type or shape, or missing. */
TEST(checks_of_algorithms)
{
	for (int a = 0; model_table[a] != NULL; a++)
	{
		const RsAlgorithm *algorithm = model_table[a];
		RsContext ctx = rs_context_malloc();
		RsModel model;

		model_train(&ctx, algorithm, RS_ID_BIGINT, &model);
		CHECK(rs_model_check(&ctx, &model) == RS_OK);
		for (int t = 0; t < model.n_tensors; t++)
		{
			RsTensor *tensor = &model.tensors[t];
			RsTensor good = *tensor;

			for (int way = 0; way < 5; way++)
			{
				*tensor = good;
				if (way == 0)
					tensor->name = "other";
				else if (way == 1)
					tensor->dtype = RS_U8;
				else if (way == 2)
					tensor->dims = 3 - tensor->dims;
				else if (tensor->dims >= way - 2 &&
						 (way == 3 || strcmp(good.name, "layers.0.weight") != 0))
					tensor->shape[way - 3]++; /* that one says how many features there are */
				else
					continue;
				CHECK(rs_model_check(&ctx, &model) == RS_ERR_BYTES);
			}
			*tensor = good;
		}
		rs_model_free(&ctx, &model);
	}
}

UNIT_MAIN(round_trip, ids_found, every_byte_changed, every_truncation, length_fields,
		  metadata_edited, tensors_edited, too_many_tensors, other_version, values_wrong,
		  derived_wrong, writing_stops, reading_stops, adding_tensors, checks_of_algorithms)
