/*
 * options.c
 *		Options of the algorithms: defaults, checked assignment, canonical JSON.
 *
 * Invariant: every value is finite and in its range; an int is whole, a bool 0
 * or 1, an enum an index into its words, a list's elements are whole.
 */
#include "core/model/options.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Append to a buffer of size bytes as snprintf would; *used may pass size. */
static void __attribute__((format(printf, 4, 5)))
append(char *buffer, size_t size, size_t *used, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(*used < size ? buffer + *used : NULL, *used < size ? size - *used : 0,
					   format, args);
	va_end(args);
	if (length > 0)
		*used += (size_t) length;
}

/* Bytes of a text to show in a message: at most 60, no half UTF-8 character. */
static int
shown(const char *text)
{
	int length = 0;

	while (length < 60 && text[length] != '\0')
		length++;
	if (text[length] != '\0')
		while (length > 0 && ((unsigned char) text[length] & 0xc0) == 0x80)
			length--;
	return length;
}

static RsStatus
unknown_option(RsContext *ctx, const RsOption *table, const char *name)
{
	char list[400] = "";
	size_t used = 0;

	rs_fail(ctx, RS_ERR_PARAM, "unrecognized option \"%.*s\"", shown(name), name);
	for (int i = 0; i < RS_MAX_OPTIONS && table[i].name != NULL; i++)
		append(list, sizeof(list), &used, "%s%s", i > 0 ? ", " : "", table[i].name);
	if (used == 0)
		rs_hint(ctx, "This algorithm has no options.");
	else
		rs_hint(ctx, "Its options are %s.", list);
	return ctx->status;
}

static RsStatus
bad_value(RsContext *ctx, const RsOption *option)
{
	char list[300] = "";
	size_t used = 0;

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
				append(list, sizeof(list), &used, "%s\"%s\"", i > 0 ? ", " : "", option->words[i]);
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
		int i = 0;

		if (kind != RS_OPTION_ENUM || word == NULL)
			return bad_value(ctx, option);
		while (option->words[i] != NULL && strcmp(option->words[i], word) != 0)
			i++;
		if (option->words[i] == NULL)
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

/* The shortest decimal that reads back as the same double. */
static void
append_real(char *buffer, size_t size, size_t *used, double value)
{
	char digits[40];

	for (int precision = 1; precision <= 17; precision++)
	{
		snprintf(digits, sizeof(digits), "%.*g", precision, value);
		if (strtod(digits, NULL) == value)
			break;
	}
	append(buffer, size, used, "%s", digits);
}

int
rs_options_json(const RsOptions *options, char *buffer, size_t size)
{
	const RsOption *table = options->table;
	size_t used = 0;

	append(buffer, size, &used, "{");
	for (int i = 0; i < RS_MAX_OPTIONS && table[i].name != NULL; i++)
	{
		double value = options->value[i];

		append(buffer, size, &used, "%s\"%s\": ", i > 0 ? ", " : "", table[i].name);
		switch (table[i].kind)
		{
			case RS_OPTION_INT:
				append(buffer, size, &used, "%.0f", value);
				break;
			case RS_OPTION_REAL:
				append_real(buffer, size, &used, value);
				break;
			case RS_OPTION_BOOL:
				append(buffer, size, &used, "%s", value != 0 ? "true" : "false");
				break;
			case RS_OPTION_ENUM:
				append(buffer, size, &used, "\"%s\"", table[i].words[(int) value]);
				break;
			case RS_OPTION_LIST:
				for (int j = 0; j < (int) value; j++)
					append(buffer, size, &used, "%s%.0f", j > 0 ? ", " : "[", options->list[j]);
				append(buffer, size, &used, "%s", value > 0 ? "]" : "[]");
				break;
		}
	}
	append(buffer, size, &used, "}");
	return (int) used;
}
