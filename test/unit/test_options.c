/*
 * test_options.c
 *		Options: defaults, assignment, messages, canonical JSON; the JSON reader.
 */
#include "unit.h"

#include "core/base/json_read.h"
#include "core/model/options.h"

static const char *const solvers[] = {"direct", "iterative", NULL};
static const RsOption table[] = {
	{"factors", RS_OPTION_INT, 64, 1, 512, NULL, "Length of a vector."},
	{"alpha", RS_OPTION_REAL, 0.1, -1, 1e30, NULL, "Weight."},
	{"flag", RS_OPTION_BOOL, 1, 0, 1, NULL, "Switch."},
	{"solver", RS_OPTION_ENUM, 0, 0, 1, solvers, "How."},
	{NULL, RS_OPTION_INT, 0, 0, 0, NULL, NULL}};
static const RsOption none[] = {{NULL, RS_OPTION_INT, 0, 0, 0, NULL, NULL}};

TEST(set_and_print)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	char text[200];
	char tiny[8];
	size_t length;

	rs_options_default(&options, table);
	length = rs_options_json(&options, text, sizeof(text));
	CHECK_STR(text, "{\"factors\": 64, \"alpha\": 0.1, \"flag\": true, \"solver\": \"direct\"}");
	CHECK(length == strlen(text));
	CHECK(rs_options_json(&options, tiny, sizeof(tiny)) == length);
	CHECK_STR(tiny, "{\"facto");
	CHECK(rs_options_json(&options, NULL, 0) == length);

	CHECK(rs_options_set(&ctx, &options, "factors", RS_OPTION_REAL, 512, NULL) == RS_OK);
	CHECK(rs_options_set(&ctx, &options, "alpha", RS_OPTION_INT, -0.0, NULL) == RS_OK);
	CHECK(rs_options_set(&ctx, &options, "flag", RS_OPTION_BOOL, 0, NULL) == RS_OK);
	CHECK(rs_options_set(&ctx, &options, "solver", RS_OPTION_ENUM, 0, "iterative") == RS_OK);
	rs_options_json(&options, text, sizeof(text));
	CHECK_STR(text, "{\"factors\": 512, \"alpha\": 0, \"flag\": false, \"solver\": \"iterative\"}");
	CHECK(rs_options_set(&ctx, &options, "alpha", RS_OPTION_REAL, 1.0 / 3, NULL) == RS_OK);
	rs_options_json(&options, text, sizeof(text));
	CHECK(strstr(text, "0.33333333333333331") || strstr(text, "0.3333333333333333,"));
	rs_options_default(&options, none);
	rs_options_json(&options, text, sizeof(text));
	CHECK_STR(text, "{}");
}

static void
refused(const char *name, RsOptionKind kind, double number, const char *word, const char *hint)
{
	RsContext ctx = rs_context_malloc();
	RsOptions options, before;

	rs_options_default(&options, table);
	before = options;
	CHECK(rs_options_set(&ctx, &options, name, kind, number, word) == RS_ERR_PARAM);
	CHECK_STR(ctx.hint, hint);
	CHECK(memcmp(&options, &before, sizeof(options)) == 0);
}

TEST(refusals)
{
	static const char whole[] = "It is a whole number from 1 to 512.";
	static const char words[] = "It is one of \"direct\", \"iterative\".";
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	char name[101];

	refused("factors", RS_OPTION_REAL, 0, NULL, whole);
	refused("factors", RS_OPTION_REAL, 513, NULL, whole);
	refused("factors", RS_OPTION_REAL, 1.5, NULL, whole);
	refused("factors", RS_OPTION_REAL, NAN, NULL, whole);
	refused("factors", RS_OPTION_BOOL, 1, NULL, whole);
	refused("factors", RS_OPTION_ENUM, 1, "1", whole);
	refused("alpha", RS_OPTION_REAL, INFINITY, NULL, "It is a number from -1 to 1e+30.");
	refused("flag", RS_OPTION_REAL, 1, NULL, "It is true or false.");
	refused("solver", RS_OPTION_ENUM, 0, "other", words);
	refused("solver", RS_OPTION_ENUM, 0, NULL, words);
	refused("solver", RS_OPTION_REAL, 0, NULL, words);
	refused("factor", RS_OPTION_REAL, 1, NULL, "Its options are factors, alpha, flag, solver.");
	rs_options_default(&options, none);
	CHECK(rs_options_set(&ctx, &options, "x", RS_OPTION_REAL, 1, NULL) == RS_ERR_PARAM);
	CHECK_STR(ctx.hint, "This algorithm has no options.");
	/* a long name of two-byte characters is not cut in the middle of one */
	for (int i = 0; i < 50; i++)
		memcpy(name + 1 + 2 * i, "\xc3\xa9", 2);
	name[0] = 'x';
	name[100] = '\0';
	CHECK(rs_options_set(&ctx, &options, name, RS_OPTION_REAL, 1, NULL) == RS_ERR_PARAM);
	CHECK(strstr(ctx.message, "\xc3\"") == NULL && strlen(ctx.message) > 60);
}

TEST(lists)
{
	static const RsOption lists[] = {{"before", RS_OPTION_INT, 1, 0, 9, NULL, "Before."},
									 {"hidden", RS_OPTION_LIST, 128, 1, 4096, NULL, "Widths."},
									 {NULL, RS_OPTION_INT, 0, 0, 0, NULL, NULL}};
	static const char range[] = "It is an array of up to 8 whole numbers from 1 to 4096.";
	static const double good[] = {256, 64};
	static const double bad[][1] = {{0}, {4097}, {1.5}, {NAN}};
	static const double many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
	RsContext ctx = rs_context_malloc();
	RsOptions options;
	char text[200];

	rs_options_default(&options, lists);
	rs_options_json(&options, text, sizeof(text));
	CHECK_STR(text, "{\"before\": 1, \"hidden\": [128]}");
	CHECK(rs_options_set_list(&ctx, &options, "hidden", good, 2) == RS_OK);
	rs_options_json(&options, text, sizeof(text));
	CHECK_STR(text, "{\"before\": 1, \"hidden\": [256, 64]}");
	for (int i = 0; i < 4; i++)
	{
		CHECK(rs_options_set_list(&ctx, &options, "hidden", bad[i], 1) == RS_ERR_PARAM);
		CHECK_STR(ctx.hint, range);
	}
	CHECK(rs_options_set_list(&ctx, &options, "hidden", many, 9) == RS_ERR_PARAM);
	CHECK(rs_options_set_list(&ctx, &options, "before", good, 1) == RS_ERR_PARAM);
	CHECK(rs_options_set_list(&ctx, &options, "behind", good, 1) == RS_ERR_PARAM);
	CHECK(rs_options_set(&ctx, &options, "hidden", RS_OPTION_REAL, 64, NULL) == RS_ERR_PARAM);
	CHECK_STR(ctx.hint, range);
	CHECK(options.value[1] == 2 && options.list[0] == 256 && options.list[1] == 64);
	CHECK(rs_options_set_list(&ctx, &options, "hidden", NULL, 0) == RS_OK);
	rs_options_json(&options, text, sizeof(text));
	CHECK_STR(text, "{\"before\": 1, \"hidden\": []}");
}

static RsJson
over(const char *text)
{
	RsJson json = {text, text + strlen(text), false};

	return json;
}

static bool
is_string(const char *text, const char *expected)
{
	char buffer[12];
	RsJson json = over(text);

	if (!rs_json_string(&json, buffer, sizeof(buffer)))
		return expected == NULL && json.failed;
	return expected != NULL && strcmp(buffer, expected) == 0;
}

TEST(json_strings)
{
	CHECK(is_string(" \"abc\"", "abc"));
	CHECK(is_string("\"\"", ""));
	CHECK(is_string("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"));
	CHECK(is_string("\"\\u0041\\u006A\\u006a\"", "Ajj"));
	CHECK(is_string("\"01234567890\"", "01234567890"));
	CHECK(is_string("\"012345678901\"", NULL)); /* too long */
	CHECK(is_string("\"\\u0000\"", NULL));
	CHECK(is_string("\"\\u00e9\"", NULL));
	CHECK(is_string("\"\\u00g0\"", NULL));
	CHECK(is_string("\"\\u00", NULL));
	CHECK(is_string("\"\\u00/0\"", NULL));
	CHECK(is_string("\"\\x\"", NULL));
	CHECK(is_string("\"\\", NULL));
	CHECK(is_string("\"a", NULL));
	CHECK(is_string("\"\n\"", NULL));
	CHECK(is_string("\"\xc3\xa9\"", NULL));
	CHECK(is_string("abc", NULL));
	CHECK(is_string("", NULL));
}

static bool
number_is(const char *text, double expected)
{
	RsJson json = over(text);
	double value = 0;

	if (!rs_json_number(&json, &value))
		return isnan(expected);
	return value == expected && rs_json_done(&json);
}

TEST(json_numbers)
{
	static const char *const bad[] = {"",    "-",  "01", "-01",   "1.",  ".5",  "1e",
									  "1e+", "+1", "x",  "1e999", "NaN", "1.e3"};
	RsJson json;
	uint64_t value;
	char longest[100];

	CHECK(number_is("0", 0));
	CHECK(number_is(" -12.5e-1 ", -1.25));
	CHECK(number_is("1E+3", 1000));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(number_is(bad[i], NAN));
	memset(longest, '1', 99);
	longest[99] = '\0';
	CHECK(number_is(longest, NAN));
	json = over("18446744073709551615");
	CHECK(rs_json_uint(&json, &value) && value == UINT64_MAX && rs_json_done(&json));
	json = over("18446744073709551616");
	CHECK(!rs_json_uint(&json, &value));
	json = over("99999999999999999999999");
	CHECK(!rs_json_uint(&json, &value));
	json = over("00");
	CHECK(!rs_json_uint(&json, &value));
	json = over("-1");
	CHECK(!rs_json_uint(&json, &value) && !rs_json_done(&json));
	/* once failed, always failed */
	json = over("7 true");
	json.failed = true;
	CHECK(!rs_json_uint(&json, &value) && !rs_json_take(&json, '7'));
	CHECK(isnan(number_is("7", 7) ? NAN : 0));
}

TEST(json_structure)
{
	RsJson json = over(" [ true , false ] ");
	bool first = true;
	bool value;
	double number;

	CHECK(rs_json_take(&json, '['));
	CHECK(rs_json_more(&json, ']', &first) && rs_json_bool(&json, &value) && value);
	CHECK(rs_json_more(&json, ']', &first) && rs_json_bool(&json, &value) && !value);
	CHECK(!rs_json_more(&json, ']', &first) && rs_json_done(&json));
	json = over("[,");
	first = true;
	CHECK(rs_json_take(&json, '['));
	CHECK(rs_json_more(&json, ']', &first) && !rs_json_bool(&json, &value));
	CHECK(!rs_json_more(&json, ']', &first) && !rs_json_done(&json));
	json = over("[]x");
	first = true;
	CHECK(rs_json_take(&json, '[') && !rs_json_more(&json, ']', &first) && !rs_json_done(&json));
	json = over("tru");
	CHECK(!rs_json_bool(&json, &value) && !rs_json_bool(&json, &value));
	json = over("7");
	json.failed = true;
	CHECK(!rs_json_number(&json, &number) && rs_json_peek(&json) == '\0');
}

UNIT_MAIN(set_and_print, refusals, lists, json_strings, json_numbers, json_structure)
