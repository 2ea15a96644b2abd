/*
 * options.c
 *		Options of the algorithms: defaults, checked assignment, canonical JSON.
 *
 * Invariant: every value is finite and in its range; an int is whole, a bool 0
 * or 1, an enum an index into its words, a list's elements are whole.
 */
#include "core/model/options.h"

#include "core/base/text.h"

#include <math.h>
#include <string.h>

void
rs_options_default(RsOptions *options, const RsOption *table)
{
	memset(options, 0, sizeof(*options));
	options->table = table;
	for (int i = 0; i < RS_MAX_OPTIONS && table[i].name != NULL; i++)
	{
		options->value[i] = table[i].value;
		if (table[i].kind == RS_OPTION_LIST)
		{
			options->value[i] = 1;
			options->list[0] = table[i].value;
		}
	}
}

static RsStatus
unknown_option(RsContext *ctx, const RsOption *table, const char *name)
{
	char list[400] = "";
	RsBuffer text = {list, sizeof(list), 0};

	rs_fail(ctx, RS_ERR_PARAM, "unrecognized option \"%.*s\"", rs_text_shown(name, strlen(name)),
			name);
	for (int i = 0; i < RS_MAX_OPTIONS && table[i].name != NULL; i++)
		rs_buffer_print(&text, "%s%s", i > 0 ? ", " : "", table[i].name);
	if (text.used == 0)
		rs_hint(ctx, "This algorithm has no options.");
	else
		rs_hint(ctx, "Its options are %s.", list);
	return ctx->status;
}

static RsStatus
bad_value(RsContext *ctx, const RsOption *option)
{
	char list[300] = "";
	RsBuffer text = {list, sizeof(list), 0};

	rs_fail(ctx, RS_ERR_PARAM, "invalid value for option \"%s\"", option->name);
	switch (option->kind)
	{
		case RS_OPTION_INT:
			rs_hint(ctx, "It is a whole number from %.15g to %.15g.", option->min, option->max);
			break;
		case RS_OPTION_REAL:
			rs_hint(ctx, "It is a number from %.15g to %.15g.", option->min, option->max);
			break;
		case RS_OPTION_BOOL:
			rs_hint(ctx, "It is true or false.");
			break;
		case RS_OPTION_ENUM:
			for (int i = 0; option->words[i] != NULL; i++)
				rs_buffer_print(&text, "%s\"%s\"", i > 0 ? ", " : "", option->words[i]);
			rs_hint(ctx, "It is one of %s.", list);
			break;
		case RS_OPTION_LIST:
			rs_hint(ctx, "It is an array of up to %d whole numbers from %.15g to %.15g.",
					RS_MAX_LIST, option->min, option->max);
			break;
	}
	return ctx->status;
}

/* Place of an option in its table; -1 with the error set if there is none. */
static int
find_option(RsContext *ctx, const RsOptions *options, const char *name)
{
	for (int i = 0; options->table[i].name != NULL; i++)
		if (strcmp(options->table[i].name, name) == 0)
			return i;
	unknown_option(ctx, options->table, name);
	return -1;
}

RsStatus
rs_options_set_list(RsContext *ctx, RsOptions *options, const char *name, const double *numbers,
					int n)
{
	int at = find_option(ctx, options, name);
	const RsOption *option = at < 0 ? NULL : &options->table[at];

	if (option == NULL)
		return ctx->status;
	if (option->kind != RS_OPTION_LIST || n > RS_MAX_LIST)
		return bad_value(ctx, option);
	for (int i = 0; i < n; i++)
		if (!(numbers[i] >= option->min && numbers[i] <= option->max) ||
			numbers[i] != floor(numbers[i]))
			return bad_value(ctx, option);
	options->value[at] = n;
	for (int i = 0; i < RS_MAX_LIST; i++)
		options->list[i] = i < n ? numbers[i] : 0;
	return RS_OK;
}

RsStatus
rs_options_set(RsContext *ctx, RsOptions *options, const char *name, RsOptionKind kind,
			   double number, const char *word)
{
	int at = find_option(ctx, options, name);
	const RsOption *option = &options->table[at < 0 ? 0 : at];
	double *value = &options->value[at < 0 ? 0 : at];

	if (at < 0)
		return ctx->status;
	if (option->kind == RS_OPTION_ENUM)
	{
		int i = kind == RS_OPTION_ENUM && word != NULL ? rs_find_word(option->words, word) : -1;

		if (i < 0)
			return bad_value(ctx, option);
		*value = i;
		return RS_OK;
	}
	if (option->kind == RS_OPTION_BOOL)
	{
		if (kind != RS_OPTION_BOOL)
			return bad_value(ctx, option);
		*value = number != 0;
		return RS_OK;
	}
	if (option->kind == RS_OPTION_LIST || (kind != RS_OPTION_REAL && kind != RS_OPTION_INT))
		return bad_value(ctx, option);
	if (!(number >= option->min && number <= option->max) || !isfinite(number))
		return bad_value(ctx, option);
	if (option->kind == RS_OPTION_INT && number != floor(number))
		return bad_value(ctx, option);
	*value = number + 0.0; /* no -0 */
	return RS_OK;
}

void
rs_options_put(RsJsonOut *out, const RsOptions *options)
{
	const RsOption *table = options->table;

	rs_json_put(out, "{");
	for (int i = 0; i < RS_MAX_OPTIONS && table[i].name != NULL; i++)
	{
		double value = options->value[i];

		rs_json_put(out, i > 0 ? ", " : "");
		rs_json_put_word(out, table[i].name);
		rs_json_put(out, ": ");
		switch (table[i].kind)
		{
			case RS_OPTION_INT:
			case RS_OPTION_REAL:
				rs_json_put_number(out, value);
				break;
			case RS_OPTION_BOOL:
				rs_json_put(out, value != 0 ? "true" : "false");
				break;
			case RS_OPTION_ENUM:
				rs_json_put_word(out, table[i].words[(int) value]);
				break;
			case RS_OPTION_LIST:
				rs_json_put(out, "[");
				for (int j = 0; j < (int) value; j++)
				{
					rs_json_put(out, j > 0 ? ", " : "");
					rs_json_put_number(out, options->list[j]);
				}
				rs_json_put(out, "]");
				break;
		}
	}
	rs_json_put(out, "}");
}

size_t
rs_options_json(const RsOptions *options, char *buffer, size_t size)
{
	RsBuffer text = {buffer, size, 0};
	RsJsonOut out;

	rs_json_out(&out, NULL, rs_buffer_keep, &text);
	rs_options_put(&out, options);
	rs_json_flush(&out);
	return text.used;
}
