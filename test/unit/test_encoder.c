/*
 * test_encoder.c
 *		Fitting and encoding against what is computed here in the plainest way,
 *		bytes there and back, every refusal, and every allocation failing.
 */
#include "encoders.h"

/* Everything at once: each step and each encoding. */
static const char *const everything =
	"[{\"column\": \"age\", \"impute\": \"mean\", \"scale\": \"standard\"},"
	"{\"column\": \"pay\", \"impute\": \"median\", \"log\": true, \"scale\": \"robust\"},"
	"{\"column\": \"shoe\", \"impute\": \"most_frequent\", \"bucketize\": 3, \"encode\": "
	"\"one_hot\"},"
	"{\"column\": \"hour\", \"bucketize\": [\"-infinity\", 6, 18, \"infinity\"], \"unseen\": "
	"\"keep\"},"
	"{\"column\": \"gender\", \"encode\": \"one_hot\", \"unseen\": \"ignore\"},"
	"{\"column\": \"city\", \"impute\": \"constant\", \"value\": \"none\", \"encode\": \"index\","
	" \"unseen\": \"keep\"},"
	"{\"column\": \"genres\", \"encode\": \"multi_hot\", \"separator\": \"|\", \"unseen\": "
	"\"ignore\"},"
	"{\"column\": \"zip\", \"encode\": \"hash\", \"size\": 5}]";

#define COLUMNS 8
#define ROWS 6

static RsValue rows[ROWS * COLUMNS];

static void
fill_rows(void)
{
	static const char *const genders[] = {"M", "F", "M", NULL, "F", "M"};
	static const char *const cities[] = {"x", NULL, "y", NULL, "y", "x"};
	static const char *const genres[] = {"a|b", "b", "", NULL, "c||b|", "a"};
	static const char *const zips[] = {"1", "2", NULL, "4", "5", "6"};
	static const double ages[] = {20, NAN, 40, 30, 25, 35};

	for (int i = 0; i < ROWS; i++)
	{
		RsValue *row = rows + i * COLUMNS;

		row[0] = number(ages[i]);
		row[1] = i == 2 ? null() : number(100 * i);
		row[2] = i == 5 ? null() : number(36 + i / 2);
		row[3] = number(4 * i);
		row[4] = text(genders[i]);
		row[5] = text(cities[i]);
		row[6] = text(genres[i]);
		row[7] = text(zips[i]);
	}
}

/* Every position of the encoder of `everything`, worked out by hand. */
TEST(encodes)
{
	RsContext ctx = rs_context_malloc();
	RsEncoder *e;
	float out[64];
	bool skip;
	/* age: mean 30 of 20, 40, 30, 25, 35, imputed once more */
	double deviation = sqrt((100 + 100 + 0 + 25 + 25) / 5.0);

	fill_rows();
	CHECK(fit(&ctx, everything, rows, ROWS, &e) == RS_OK);
	CHECK(rs_encoder_width(e) == 2 + 3 + 1 + 2 + 1 + 3 + 5);
	CHECK(rs_encoder_encode(&ctx, e, rows, out, &skip) == RS_OK && !skip);
	CHECK_NEAR(out[0], (20 - 30) / deviation, 1e-6);
	/* pay: 0 100 300 400 500, the lower median 300 imputed; quartiles by rank
	 * ceil(6 p) of 0 100 300 300 400 500: 100, 300, 400 */
	CHECK_NEAR(out[1], (log1p(0) - log1p(300)) / (log1p(400) - log1p(100)), 1e-6);
	/* shoe: 36 36 37 37 38, mode 36 imputed: 36 36 36 37 37 38, thirds 36, 37 */
	CHECK(out[2] == 0 && out[3] == 1 && out[4] == 0);
	CHECK(out[5] == 0);                                 /* hour 0: below 6 */
	CHECK(out[6] == 1 && out[7] == 0);                  /* M, then F */
	CHECK(out[8] == 1);                                 /* none, x, y: all twice */
	CHECK(out[9] == 1 && out[10] == 1 && out[11] == 0); /* b 3, a 2, c 1 */
	CHECK(out[12] + out[13] + out[14] + out[15] + out[16] == 1);
	CHECK(rs_encoder_encode(&ctx, e, rows + 3 * COLUMNS, out, &skip) == RS_OK && !skip);
	CHECK(out[0] == 0 && out[6] == 0 && out[7] == 0 && out[8] == 0);
	CHECK(out[9] == 0 && out[10] == 0 && out[11] == 0);
	CHECK(rs_encoder_encode(&ctx, e, rows + 2 * COLUMNS, out, &skip) == RS_OK && !skip);
	CHECK(out[1] == 0 && out[12] + out[13] + out[14] + out[15] + out[16] == 0);
	rows[3] = null();
	rows[5] = text("never seen");
	CHECK(rs_encoder_encode(&ctx, e, rows, out, &skip) == RS_OK && !skip);
	CHECK(out[5] == 3 && out[8] == 3);
	rs_encoder_free(&ctx, e);
	CHECK(ctx.memory_used == 0);
}

/* The same bytes for every order of the rows, and bytes there and back. */
TEST(order_and_bytes)
{
	RsContext ctx = rs_context_malloc();
	char *first = NULL;
	uint64_t state = 3;

	fill_rows();
	for (int trial = 0; trial < 20; trial++)
	{
		RsEncoder *e, *again;
		char *bytes, *twice;

		for (int i = ROWS - 1; i > 0; i--)
		{
			int j = (int) (unit_random(&state) % (uint64_t) (i + 1));
			RsValue row[COLUMNS];

			memcpy(row, rows + i * COLUMNS, sizeof(row));
			memcpy(rows + i * COLUMNS, rows + j * COLUMNS, sizeof(row));
			memcpy(rows + j * COLUMNS, row, sizeof(row));
		}
		CHECK(fit(&ctx, everything, rows, ROWS, &e) == RS_OK);
		bytes = encoder_text(&ctx, e);
		if (first == NULL)
			first = strdup(bytes);
		CHECK_STR(bytes, first);
		CHECK(rs_encoder_read(&ctx, bytes, strlen(bytes), &again) == RS_OK);
		twice = encoder_text(&ctx, again);
		CHECK_STR(twice, first);
		CHECK(rs_encoder_width(again) == rs_encoder_width(e));
		rs_encoder_free(&ctx, again);
		rs_encoder_free(&ctx, e);
		free(bytes);
		free(twice);
	}
	free(first);
	CHECK(ctx.memory_used == 0);
}

typedef struct Refusal
{
	const char *spec;
	const char *message; /* a part of it */
} Refusal;

TEST(specs_refused)
{
	static const Refusal refusals[] = {
		{"7", "spec must be"},
		{"{}", "no column"},
		{"[]", "no column"},
		{"[{}]", "spec must be"},
		{"[7]", "spec must be"},
		{"{\"a\": 7}", "JSON object"},
		{"{\"a\": {\"x\": 1}}", "unrecognized step"},
		{"{\"a\": {\"column\": \"a\"}}", "unrecognized step"},
		{"{\"\": {}}", "without a name"},
		{"[{\"column\": \"a\"}, {\"column\": \"a\"}]", "twice"},
		{"{\"a\": {\"impute\": \"avg\"}}", "\"impute\" must be"},
		{"{\"a\": {\"impute\": 3}}", "\"impute\" must be"},
		{"{\"a\": {\"impute\": \"constant\"}}", "belong together"},
		{"{\"a\": {\"value\": 1}}", "belong together"},
		{"{\"a\": {\"impute\": \"constant\", \"value\": \"x\"}}", "must be a number"},
		{"{\"a\": {\"impute\": \"constant\", \"value\": 1, \"encode\": \"index\"}}",
		 "must be a string"},
		{"{\"a\": {\"impute\": \"mean\", \"encode\": \"index\"}}", "for numbers"},
		{"{\"a\": {\"encode\": \"one-hot\"}}", "\"encode\" must be"},
		{"{\"a\": {\"encode\": \"hash\"}}", "needs it"},
		{"{\"a\": {\"encode\": \"hash\", \"size\": 0}}", "\"size\" must be"},
		{"{\"a\": {\"size\": 5}}", "size is for hash"},
		{"{\"a\": {\"scale\": \"log\"}}", "\"scale\" must be"},
		{"{\"a\": {\"scale\": \"standard\", \"encode\": \"index\"}}", "for numbers"},
		{"{\"a\": {\"scale\": \"standard\", \"bucketize\": 3}}", "exclude"},
		{"{\"a\": {\"bucketize\": 1}}", "\"bucketize\" must be"},
		{"{\"a\": {\"bucketize\": [1, 2]}}", "\"bucketize\" must be"},
		{"{\"a\": {\"bucketize\": [1, 2, 2]}}", "\"bucketize\" must be"},
		{"{\"a\": {\"bucketize\": [1, 2, \"inf\"]}}", "\"bucketize\" must be"},
		{"{\"a\": {\"bucketize\": 3, \"encode\": \"hash\", \"size\": 2}}", "buckets"},
		{"{\"a\": {\"drop_last\": true}}", "drop_last"},
		{"{\"a\": {\"drop_last\": 1}}", "\"drop_last\" must be"},
		{"{\"a\": {\"unseen\": \"keep\"}}", "unseen keep"},
		{"{\"a\": {\"encode\": \"index\", \"unseen\": \"ignore\"}}", "unseen ignore"},
		{"{\"a\": {\"encode\": \"index\", \"separator\": \",\"}}", "separator"},
		{"{\"a\": {\"encode\": \"multi_hot\", \"separator\": \"\"}}", "separator"},
		{"{\"a\": {\"min_frequency\": 2}}", "min_frequency"},
		{"{\"a\": {\"deviation\": \"sample\"}}", "deviation"},
		{"{\"a\": {\"interpolate\": true}}", "interpolate"},
		{"{\"a\": {\"center\": false}}", "center"},
		{"{\"a\": {\"encode\": \"index\", \"encode\": \"index\"}}", "twice"},
		{"{\"a\": {}} x", "spec must be"},
		{"{\"a\": {}", "spec must be"},
		{"{\"a\": {\"scale\"", "column \"a\""},
	};

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
	{
		RsContext ctx = rs_context_malloc();
		RsEncoderFit *fitting;

		CHECK(rs_encoder_fit_create(&ctx, refusals[i].spec, strlen(refusals[i].spec), &fitting) ==
			  RS_ERR_PARAM);
		CHECK(fitting == NULL && ctx.memory_used == 0);
		if (strstr(ctx.message, refusals[i].message) == NULL)
		{
			printf("%s: %s\n", refusals[i].spec, ctx.message);
			CHECK(false);
		}
	}
}

/* Every prefix and every single byte changed: a refusal or an encoder, no fault. */
TEST(bytes_damaged)
{
	RsContext ctx = rs_context_malloc();
	RsEncoder *e, *again;
	char *bytes, *copy;
	size_t n;

	fill_rows();
	CHECK(fit(&ctx, everything, rows, ROWS, &e) == RS_OK);
	bytes = encoder_text(&ctx, e);
	n = strlen(bytes);
	for (size_t length = 0; length < n; length++)
	{
		copy = malloc(length + 1);
		memcpy(copy, bytes, length);
		CHECK(rs_encoder_read(&ctx, copy, length, &again) == RS_ERR_BYTES && again == NULL);
		CHECK_STR(ctx.message, "invalid encoder");
		free(copy);
	}
	for (size_t at = 0; at < n; at++)
		for (int bit = 0; bit < 8; bit++)
		{
			RsStatus status;
			char was = bytes[at];

			bytes[at] ^= (char) (1 << bit);
			status = rs_encoder_read(&ctx, bytes, n, &again);
			CHECK(status == RS_OK || status == RS_ERR_BYTES || status == RS_ERR_VERSION);
			rs_encoder_free(&ctx, again);
			bytes[at] = was;
		}
	rs_encoder_free(&ctx, e);
	CHECK(ctx.memory_used == 0);
	free(bytes);
}

/* Steps of one column that do not go together, whoever wrote them. */
TEST(steps_refused)
{
	static const char *const bad[] = {
		"\"splits\": [1, 2, 3], \"encode\": \"multi_hot\"",
		"\"splits\": [1, 2, 3], \"encode\": \"index\", \"scale\": \"robust\", \"center\": 0, "
		"\"divisor\": 1",
		"\"log\": true, \"encode\": \"index\", \"categories\": [\"x\"], \"counts\": [1]",
		"\"drop_last\": true",
		"\"separator\": \",\"",
		"\"separator\": \"\", \"encode\": \"hash\", \"size\": 4",
		"\"separator\": \",\", \"encode\": \"index\", \"categories\": [\"x\"], \"counts\": [1]",
		"\"size\": 4",
		"\"encode\": \"hash\"",
		"\"unseen\": \"keep\"",
		"\"unseen\": \"keep\", \"encode\": \"hash\", \"size\": 4",
		"\"unseen\": \"ignore\", \"encode\": \"index\", \"categories\": [\"x\"], \"counts\": [1]",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		RsContext ctx = rs_context_malloc();
		RsEncoder *e;
		char bytes[400];
		int n = snprintf(bytes, sizeof(bytes),
						 "{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", "
						 "%s}]}",
						 bad[i]);

		CHECK(rs_encoder_read(&ctx, bytes, (size_t) n, &e) == RS_ERR_BYTES);
		CHECK(strstr(ctx.detail, "steps that do not go together") != NULL);
		CHECK(ctx.memory_used == 0);
	}
}

TEST(bytes_refused)
{
	static const char *const bad[] = {
		"{\"recsys_encoder\": 0, \"rows\": 1, \"columns\": [{\"column\": \"a\"}]}",
		"{\"rows\": 1, \"columns\": [{\"column\": \"a\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": -1, \"columns\": [{\"column\": \"a\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": []}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\"}, {\"column\": "
		"\"a\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"scale\": "
		"\"standard\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"scale\": "
		"\"standard\", \"center\": 1, \"divisor\": -1}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"one_hot\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"one_hot\", \"categories\": [\"x\", \"x\"], \"counts\": [1, 1]}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"one_hot\", \"categories\": [\"x\"], \"counts\": [1, 1]}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"one_hot\", \"categories\": [\"x\"], \"counts\": [0]}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"one_hot\", \"counts\": [1], \"categories\": [\"x\"]}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"hash\", \"size\": 4, \"categories\": [\"x\"], \"counts\": [1]}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"encode\": "
		"\"hash\", \"size\": 4000000000}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"impute\": "
		"\"x\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"splits\": [1, "
		"2, 1], \"encode\": \"index\"}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"splits\": [1, "
		"2, 3]}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\", \"x\": 1}]}",
		"{\"recsys_encoder\": 1, \"rows\": 1, \"columns\": [{\"column\": \"a\"}]} x",
	};
	RsContext ctx = rs_context_malloc();
	const char *later = "{\"recsys_encoder\": 2, \"anything\": []}";
	RsEncoder *e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		RsStatus status = rs_encoder_read(&ctx, bad[i], strlen(bad[i]), &e);

		if (status != RS_ERR_BYTES || ctx.detail[0] == '\0')
			printf("%s\n", bad[i]);
		CHECK(status == RS_ERR_BYTES && ctx.detail[0] != '\0' && e == NULL);
	}
	CHECK(rs_encoder_read(&ctx, later, strlen(later), &e) == RS_ERR_VERSION);
	CHECK(ctx.memory_used == 0);
}

/* Rows that must not go in, rows that must not come out. */
TEST(values_refused)
{
	RsContext ctx = rs_context_malloc();
	RsEncoder *e;
	RsValue value = number(INFINITY);
	RsValue good[2] = {number(1), number(5)};
	float out[8];
	bool skip;

	CHECK(fit(&ctx, "{\"a\": {}}", &value, 1, &e) == RS_ERR_PARAM);
	CHECK_STR(ctx.message, "column \"a\" has an infinite value");
	value = number(-1);
	CHECK(fit(&ctx, "{\"a\": {\"log\": true}}", &value, 1, &e) == RS_ERR_PARAM);
	value = null();
	CHECK(fit(&ctx, "{\"a\": {\"impute\": \"mean\"}}", &value, 1, &e) == RS_ERR_EMPTY);
	CHECK(fit(&ctx, "{\"a\": {\"scale\": \"min_max\"}}", &value, 1, &e) == RS_ERR_EMPTY);
	CHECK(fit(&ctx, "{\"a\": {\"encode\": \"index\"}}", &value, 1, &e) == RS_ERR_EMPTY);
	CHECK(fit(&ctx, "{\"a\": {\"encode\": \"one_hot\", \"impute\": \"most_frequent\"}}", &value, 1,
			  &e) == RS_ERR_EMPTY);
	value = text("x");
	CHECK(fit(&ctx, "{\"a\": {\"encode\": \"index\", \"min_frequency\": 2}}", &value, 1, &e) ==
		  RS_ERR_EMPTY);
	CHECK(fit(&ctx, "{\"a\": {\"scale\": \"min_max\"}}", good, 2, &e) == RS_OK);
	value = null();
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_ERR_PARAM);
	CHECK_STR(ctx.message, "column \"a\" is null");
	value.kind = RS_VALUE_MISSING;
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_ERR_PARAM);
	CHECK_STR(ctx.message, "key \"a\" is missing");
	value = number(1e300);
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_ERR_PARAM);
	value = number(-INFINITY);
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_ERR_PARAM);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"a\": {\"bucketize\": [0, 1, 2], \"unseen\": \"skip\"}}", good, 0, &e) ==
		  RS_OK);
	value = number(2.5);
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_ERR_PARAM);
	value = number(2);
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_OK && out[0] == 1 && !skip);
	value = null();
	CHECK(rs_encoder_encode(&ctx, e, &value, out, &skip) == RS_OK && skip);
	rs_encoder_free(&ctx, e);
	CHECK(ctx.memory_used == 0);
}

/* Constant columns, one row, one category, everything imputed. */
TEST(degenerate)
{
	static const char *const scales[] = {"standard", "min_max", "max_abs", "robust"};
	static const float constant[] = {0, 0.5, 1, 0};
	RsContext ctx = rs_context_malloc();
	RsValue same[3] = {number(0.1), number(0.1), number(0.1)};
	RsValue nothing[2] = {null(), null()};
	RsValue x = text("x");
	RsEncoder *e;
	float out[8];
	bool skip;
	char spec[100];

	for (int i = 0; i < 4; i++)
	{
		snprintf(spec, sizeof(spec), "{\"a\": {\"scale\": \"%s\"}}", scales[i]);
		for (int n = 1; n <= 3; n++)
		{
			CHECK(fit(&ctx, spec, same, n, &e) == RS_OK);
			CHECK(rs_encoder_encode(&ctx, e, same, out, &skip) == RS_OK);
			CHECK(out[0] == constant[i]);
			rs_encoder_free(&ctx, e);
		}
	}
	CHECK(fit(&ctx, "{\"a\": {\"impute\": \"constant\", \"value\": 3, \"scale\": \"robust\"}}",
			  nothing, 2, &e) == RS_OK);
	CHECK(rs_encoder_encode(&ctx, e, nothing, out, &skip) == RS_OK && out[0] == 0);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"a\": {\"encode\": \"one_hot\", \"drop_last\": true}}", &x, 1, &e) == RS_OK);
	CHECK(rs_encoder_width(e) == 0);
	CHECK(rs_encoder_encode(&ctx, e, &x, out, &skip) == RS_OK && !skip);
	rs_encoder_free(&ctx, e);
	CHECK(ctx.memory_used == 0);
}

/* What Spark 3.5 and SQL answer, in numbers. */
TEST(known_answers)
{
	RsContext ctx = rs_context_malloc();
	RsValue ten[10], words[5] = {text("b"), text("c"), text("b"), text("c"), text("a")};
	RsValue a = text("a"), missing = null();
	RsEncoder *e;
	static float out[262144];
	char *bytes;
	bool skip;

	for (int i = 0; i < 10; i++)
		ten[i] = number(10 - i);
	CHECK(fit(&ctx, "{\"x\": {\"bucketize\": 4}}", ten, 10, &e) == RS_OK);
	bytes = encoder_text(&ctx, e);
	CHECK(strstr(bytes, "\"splits\": [\"-infinity\", 3, 5, 8, \"infinity\"]") != NULL);
	free(bytes);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"x\": {\"bucketize\": 4, \"interpolate\": true}}", ten, 10, &e) == RS_OK);
	bytes = encoder_text(&ctx, e);
	CHECK(strstr(bytes, "\"splits\": [\"-infinity\", 3.25, 5.5, 7.75, \"infinity\"]") != NULL);
	free(bytes);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"x\": {\"impute\": \"median\"}}", ten, 10, &e) == RS_OK);
	CHECK(rs_encoder_encode(&ctx, e, &missing, out, &skip) == RS_OK && out[0] == 5);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"city\": {\"encode\": \"hash\", \"size\": 262144}}", &a, 1, &e) == RS_OK);
	CHECK(rs_encoder_encode(&ctx, e, &a, out, &skip) == RS_OK && out[7260] == 1);
	rs_encoder_free(&ctx, e);
	/* of b and c, as frequent, the first by alphabet */
	CHECK(fit(&ctx, "{\"x\": {\"impute\": \"most_frequent\", \"encode\": \"one_hot\"}}", words + 1,
			  4, &e) == RS_OK);
	CHECK(rs_encoder_encode(&ctx, e, &missing, out, &skip) == RS_OK && out[0] == 1);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"x\": {\"impute\": \"most_frequent\", \"encode\": \"hash\", \"size\": 3}}",
			  words + 1, 4, &e) == RS_OK);
	bytes = encoder_text(&ctx, e);
	CHECK(strstr(bytes, "\"impute\": \"c\"") != NULL);
	free(bytes);
	rs_encoder_free(&ctx, e);
	words[4] = text("b");
	words[3] = text("a");
	CHECK(fit(&ctx, "{\"x\": {\"impute\": \"most_frequent\", \"encode\": \"index\"}}", words + 1, 2,
			  &e) == RS_OK);
	bytes = encoder_text(&ctx, e);
	CHECK(strstr(bytes, "\"impute\": \"b\"") != NULL);
	free(bytes);
	rs_encoder_free(&ctx, e);
	CHECK(ctx.memory_used == 0);
}

TEST(lists)
{
	static const RsText ab[] = {{"a", 1}, {"b", 1}}, with_null[] = {{"b", 1}, {NULL, 0}},
						strange[] = {{"q", 1}};
	RsValue rows_of_lists[3] = {{.kind = RS_VALUE_LIST, .list = ab, .n = 2},
								{.kind = RS_VALUE_LIST, .list = with_null, .n = 2},
								{.kind = RS_VALUE_LIST, .list = strange, .n = 0}};
	RsValue unseen = {.kind = RS_VALUE_LIST, .list = strange, .n = 1};
	static const char *const policies[] = {"error", "keep", "ignore", "skip"};
	RsContext ctx = rs_context_malloc();
	RsEncoder *e;
	float out[8];
	bool skip;
	char spec[200];

	for (int i = 0; i < 4; i++)
	{
		snprintf(spec, sizeof(spec), "{\"x\": {\"encode\": \"multi_hot\", \"unseen\": \"%s\"}}",
				 policies[i]);
		CHECK(fit(&ctx, spec, rows_of_lists, 3, &e) == RS_OK);
		CHECK(rs_encoder_width(e) == (i == 1 ? 3 : 2));
		CHECK(rs_encoder_encode(&ctx, e, rows_of_lists, out, &skip) == RS_OK && !skip);
		CHECK(out[0] == 1 && out[1] == 1);
		CHECK(rs_encoder_encode(&ctx, e, rows_of_lists + 2, out, &skip) == RS_OK && !skip);
		CHECK(out[0] == 0 && out[1] == 0);
		for (int j = 0; j < 2; j++)
		{
			RsStatus status =
				rs_encoder_encode(&ctx, e, j == 0 ? &unseen : rows_of_lists + 1, out, &skip);

			CHECK(status == (i == 0 ? RS_ERR_PARAM : RS_OK));
			CHECK(i == 0 || skip == (i == 3));
			CHECK(i != 1 || out[2] == 1);
		}
		rs_encoder_free(&ctx, e);
	}
	CHECK(fit(&ctx, "{\"x\": {\"encode\": \"hash\", \"size\": 2}}", rows_of_lists, 3, &e) == RS_OK);
	CHECK(rs_encoder_encode(&ctx, e, rows_of_lists, out, &skip) == RS_OK && out[0] + out[1] > 0);
	rs_encoder_free(&ctx, e);
	/* an imputed text is cut like any other */
	unseen = null();
	CHECK(fit(&ctx,
			  "{\"x\": {\"encode\": \"multi_hot\", \"separator\": \",\", \"impute\": \"constant\","
			  " \"value\": \"u,,v\"}}",
			  &unseen, 1, &e) == RS_OK);
	CHECK(rs_encoder_width(e) == 2);
	CHECK(rs_encoder_encode(&ctx, e, &unseen, out, &skip) == RS_OK && out[0] == 1 && out[1] == 1);
	rs_encoder_free(&ctx, e);
	CHECK(ctx.memory_used == 0);
}

static bool
refuse_text(void *opaque, const void *bytes, size_t length)
{
	(void) opaque, (void) bytes, (void) length;
	return false;
}

/* Too many columns, positions, too long a text; a sink that says stop. */
TEST(limits)
{
	RsContext ctx = rs_context_malloc();
	RsEncoder *e;
	RsEncoderFit *fitting;
	RsValue values[20];
	char *spec = malloc(100000);
	char *long_text = malloc(10001);
	float out[32];
	bool skip;
	size_t used = 0;
	RsEncoderPosition p;

	for (int i = 0; i <= RS_MAX_ENCODER_COLUMNS; i++)
		used += (size_t) sprintf(spec + used, "%c\"c%d\": {}", i == 0 ? '{' : ',', i);
	strcpy(spec + used, "}");
	CHECK(rs_encoder_fit_create(&ctx, spec, strlen(spec), &fitting) == RS_ERR_PARAM);
	CHECK(strstr(ctx.message, "1600") != NULL);
	values[0] = values[1] = null();
	CHECK(fit(&ctx,
			  "{\"a\": {\"encode\": \"hash\", \"size\": 600000}, \"b\": {\"encode\": \"hash\", "
			  "\"size\": "
			  "600000}}",
			  values, 1, &e) == RS_ERR_LIMIT);
	used = 0;
	for (int i = 0; i < 20; i++)
	{
		used += (size_t) sprintf(spec + used,
								 "%c{\"column\": \"c%d\", \"scale\": \"%s\", \"center\": false}",
								 i == 0 ? '[' : ',', i, i % 2 == 0 ? "standard" : "robust");
		values[i] = number(i);
	}
	strcpy(spec + used, "]");
	CHECK(fit(&ctx, spec, values, 1, &e) == RS_OK && rs_encoder_width(e) == 20);
	CHECK(rs_encoder_encode(&ctx, e, values, out, &skip) == RS_OK && out[19] == 0);
	CHECK(rs_encoder_write(&ctx, e, refuse_text, NULL) == RS_ERR_CANCELED);
	rs_encoder_position(e, 1, &p);
	CHECK_STR(p.step, "robust");
	rs_encoder_free(&ctx, e);
	memset(long_text, 'x', 10000);
	long_text[10000] = '\0';
	values[0] = text(long_text);
	CHECK(fit(&ctx, "{\"a\": {\"encode\": \"hash\", \"size\": 3}}", values, 1, &e) == RS_OK);
	CHECK(rs_encoder_encode(&ctx, e, values, out, &skip) == RS_OK && out[0] + out[1] + out[2] == 1);
	rs_encoder_free(&ctx, e);
	CHECK(fit(&ctx, "{\"a\": {\"encode\": \"index\"}}", values, 1, &e) == RS_OK);
	for (int i = 0; i < 100; i++) /* two bytes each: a message must not cut one */
		memcpy(long_text + 2 * i + 1, "\xc3\xa9", 2);
	CHECK(rs_encoder_encode(&ctx, e, values, out, &skip) == RS_ERR_PARAM);
	CHECK(strstr(ctx.message, "\xc3\xa9\"") != NULL);
	rs_encoder_free(&ctx, e);
	values[0] = number(1e308);
	values[1] = number(-1e308);
	CHECK(fit(&ctx, "{\"a\": {\"scale\": \"min_max\"}}", values, 2, &e) == RS_ERR_PARAM);
	CHECK(fit(&ctx, "{\"a\": {\"impute\": \"constant\", \"value\": -5, \"log\": true}}", values, 1,
			  &e) == RS_ERR_PARAM);
	free(spec);
	free(long_text);
	CHECK(ctx.memory_used == 0);
}

TEST(positions)
{
	RsContext ctx = rs_context_malloc();
	RsEncoder *e;
	RsEncoderPosition p;
	static const char *const columns[] = {"age",    "pay",    "shoe", "shoe",   "shoe",   "hour",
										  "gender", "gender", "city", "genres", "genres", "genres",
										  "zip",    "zip",    "zip",  "zip",    "zip"};

	fill_rows();
	CHECK(fit(&ctx, everything, rows, ROWS, &e) == RS_OK);
	for (uint32_t i = 0; i < rs_encoder_width(e); i++)
	{
		rs_encoder_position(e, i, &p);
		CHECK_STR(p.column, columns[i]);
		CHECK(p.category.data != NULL || p.meaning[0] != '\0');
	}
	rs_encoder_position(e, 7, &p);
	CHECK(p.category.length == 1 && p.category.data[0] == 'F');
	rs_encoder_position(e, 3, &p);
	CHECK_STR(p.meaning, "[36, 37)");
	CHECK(rs_encoder_find(e, "zip", 3) == 7 && rs_encoder_find(e, "zi", 2) == -1);
	CHECK(rs_encoder_column(e, 6).lists && rs_encoder_column(e, 0).number);
	rs_encoder_free(&ctx, e);
}

/* Each step says what its positions mean. */
TEST(meanings)
{
	static const struct
	{
		const char *spec;
		uint32_t position;
		const char *step;
		const char *meaning; /* NULL: the category is "b" */
	} cases[] = {
		{"{\"x\": {}}", 0, "value", "x"},
		{"{\"x\": {\"log\": true}}", 0, "log", "ln(1 + x)"},
		{"{\"x\": {\"scale\": \"min_max\"}}", 0, "min_max", "(x - 2) / 4"},
		{"{\"x\": {\"log\": true, \"scale\": \"max_abs\"}}", 0, "max_abs",
		 "(ln(1 + x) - 0) / 1.94591015"},
		{"{\"x\": {\"bucketize\": [0, 3, 9]}}", 0, "index", "0 to 1"},
		{"{\"x\": {\"bucketize\": [0, 3, 9], \"unseen\": \"keep\"}}", 0, "index", "0 to 2"},
		{"{\"x\": {\"bucketize\": [0, 3, 9], \"encode\": \"one_hot\"}}", 1, "one_hot", "[3, 9]"},
		{"{\"x\": {\"bucketize\": [0, 3, 9], \"encode\": \"one_hot\", \"unseen\": \"keep\"}}", 2,
		 "one_hot", "unseen"},
		{"{\"t\": {\"encode\": \"index\"}}", 0, "index", "0 to 1"},
		{"{\"t\": {\"encode\": \"one_hot\"}}", 1, "one_hot", NULL},
		{"{\"t\": {\"encode\": \"multi_hot\", \"unseen\": \"keep\"}}", 2, "multi_hot", "unseen"},
		{"{\"t\": {\"encode\": \"hash\", \"size\": 4}}", 3, "hash", "bin 3 of 4"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		RsContext ctx = rs_context_malloc();
		RsValue numbers[] = {number(2), number(6)};
		RsValue texts[] = {text("a"), text("b")};
		RsEncoder *e;
		RsEncoderPosition p;

		CHECK(fit(&ctx, cases[i].spec, cases[i].spec[2] == 'x' ? numbers : texts, 2, &e) == RS_OK);
		rs_encoder_position(e, cases[i].position, &p);
		CHECK_STR(p.step, cases[i].step);
		CHECK_STR(p.meaning, cases[i].meaning != NULL ? cases[i].meaning : "");
		CHECK((p.category.data != NULL) == (cases[i].meaning == NULL));
		CHECK(p.category.data == NULL || p.category.data[0] == 'b');
		rs_encoder_free(&ctx, e);
		CHECK(ctx.memory_used == 0);
	}
}

TEST(allocations_fail)
{
	fill_rows();
	for (long n = 1;; n++)
	{
		UnitHeap heap;
		RsContext *ctx = unit_heap(&heap, n, 0);
		RsEncoder *e = NULL, *again = NULL;
		RsStatus status = fit(ctx, everything, rows, ROWS, &e);

		if (status == RS_OK)
		{
			char *bytes = encoder_text(ctx, e);

			status = rs_encoder_read(ctx, bytes, strlen(bytes), &again);
			free(bytes);
		}
		rs_encoder_free(ctx, e);
		rs_encoder_free(ctx, again);
		CHECK(heap.live == 0);
		if (!heap.failed)
			break;
		CHECK(status == RS_ERR_NOMEM);
	}
}

TEST(memory_bound)
{
	RsContext ctx = rs_context_malloc();
	RsEncoderFit *fitting;
	RsStatus status = RS_OK;
	const char *spec = "{\"a\": {\"encode\": \"index\"}}";
	char word[32];

	ctx.memory_limit = 1 << 20;
	CHECK(rs_encoder_fit_create(&ctx, spec, strlen(spec), &fitting) == RS_OK);
	for (int i = 0; i < 1000000 && status == RS_OK; i++)
	{
		RsValue value;

		snprintf(word, sizeof(word), "word %d", i);
		value = text(word);
		status = rs_encoder_fit_add(&ctx, fitting, &value);
	}
	CHECK(status == RS_ERR_LIMIT);
	rs_encoder_fit_free(&ctx, fitting);
	CHECK(ctx.memory_used == 0);
}

UNIT_MAIN(encodes, order_and_bytes, specs_refused, bytes_damaged, steps_refused, bytes_refused,
		  values_refused, degenerate, known_answers, lists, limits, positions, meanings,
		  allocations_fail, memory_bound)
