/*
 * encoder_fit.c
 *		Fitting an encoder: take in rows one by one, keep what the steps need, settle
 *		the steps after the last row.
 *
 * Sums are exact, quantiles are taken from all values, categories are counted:
 * what comes out does not depend on the order of the rows.
 *
 * As in a pipeline of Spark, a later step is fitted on what the one before
 * gives: imputed values count in means, quantiles and frequencies.
 *
 * A quantile is the smallest value with at least that share of all at or below
 * it, as in Spark and SQL's percentile_disc, or interpolated, as in
 * scikit-learn and percentile_cont.
 */
#include "core/encoding/encoder_fit.h"

#include "core/base/exactsum.h"
#include "core/base/sort.h"
#include "core/encoding/encoder_spec.h"

#include <math.h>
#include <string.h>

#define FIRST_ROOM 1024

/* What the rows leave of a column; what its steps do not need stays NULL. */
typedef struct ColumnFit
{
	const RsColumnSpec *spec;
	uint64_t present;
	uint64_t missing;
	double min;
	double max;
	RsExactSum *raw;     /* sum, before log */
	RsExactSum *sum;     /* sum after log */
	RsExactSum *squares; /* of values after log */
	bool keeps;          /* values, for quantiles */
	double *values;
	uint64_t room;
	RsVocabulary numbers; /* bytes of a number, for most_frequent */
} ColumnFit;

struct RsEncoderFit
{
	RsEncoder *encoder;
	RsColumnSpec *specs; /* [encoder->n] */
	ColumnFit *columns;  /* [encoder->n] */
};

/* Make room for what a column's steps need. */
static RsStatus
prepare(RsContext *ctx, const RsColumn *c, const RsColumnSpec *spec, ColumnFit *f)
{
	f->spec = spec;
	f->min = INFINITY;
	f->max = -INFINITY;
	if (f->spec->impute == RS_IMPUTE_MEAN &&
		(f->raw = rs_calloc(ctx, 1, sizeof(RsExactSum))) == NULL)
		return ctx->status;
	if (c->scale == RS_SCALE_STANDARD &&
		((f->sum = rs_calloc(ctx, 1, sizeof(RsExactSum))) == NULL ||
		 (f->squares = rs_calloc(ctx, 1, sizeof(RsExactSum))) == NULL))
		return ctx->status;
	f->keeps =
		f->spec->impute == RS_IMPUTE_MEDIAN || f->spec->buckets > 0 || c->scale == RS_SCALE_ROBUST;
	return RS_OK;
}

RsStatus
rs_encoder_fit_create(RsContext *ctx, const char *spec, size_t length, RsEncoderFit **out)
{
	RsEncoderFit *fit = rs_calloc(ctx, 1, sizeof(RsEncoderFit));
	RsStatus status;

	*out = NULL;
	if (fit == NULL)
		return ctx->status;
	status = rs_encoder_create(ctx, &fit->encoder);
	if (status == RS_OK)
		status = rs_encoder_spec(ctx, spec, length, fit->encoder, &fit->specs);
	if (status == RS_OK &&
		(fit->columns = rs_calloc(ctx, fit->encoder->n, sizeof(ColumnFit))) == NULL)
		status = ctx->status;
	for (uint32_t i = 0; status == RS_OK && i < fit->encoder->n; i++)
		status = prepare(ctx, &fit->encoder->columns[i], &fit->specs[i], &fit->columns[i]);
	if (status == RS_OK)
		*out = fit;
	else
		rs_encoder_fit_free(ctx, fit);
	return status;
}

static void
free_columns(RsContext *ctx, RsEncoderFit *fit)
{
	for (uint32_t i = 0; fit->columns != NULL && i < fit->encoder->n; i++)
	{
		ColumnFit *f = &fit->columns[i];

		rs_free(ctx, f->raw);
		rs_free(ctx, f->sum);
		rs_free(ctx, f->squares);
		rs_free(ctx, f->values);
		rs_vocabulary_free(ctx, &f->numbers);
	}
	rs_free(ctx, fit->columns);
	fit->columns = NULL;
}

void
rs_encoder_fit_free(RsContext *ctx, RsEncoderFit *fit)
{
	if (fit == NULL)
		return;
	free_columns(ctx, fit);
	rs_free(ctx, fit->specs);
	rs_encoder_free(ctx, fit->encoder);
	rs_free(ctx, fit);
}

const RsEncoder *
rs_encoder_fit_target(const RsEncoderFit *fit)
{
	return fit->encoder;
}

static RsStatus
keep_value(RsContext *ctx, ColumnFit *f, double x)
{
	if (f->present == f->room)
	{
		uint64_t room = f->room > 0 ? f->room * 2 : FIRST_ROOM;
		double *values = rs_grow(ctx, f->values, f->room * sizeof(double), room * sizeof(double));

		if (values == NULL)
			return ctx->status;
		f->values = values;
		f->room = room;
	}
	f->values[f->present] = x;
	return RS_OK;
}

static RsStatus
add_number(RsContext *ctx, const RsColumn *c, ColumnFit *f, const RsValue *value)
{
	double x = value->number + 0.0; /* no negative zero */
	double y = x;

	if (value->kind != RS_VALUE_NUMBER || isnan(x))
	{
		f->missing++;
		return RS_OK;
	}
	if (isinf(x))
	{
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has an infinite value", c->name);
		rs_hint(ctx, "Make it null, or leave the row out.");
		return RS_ERR_PARAM;
	}
	if (c->log && isnan(y = rs_log1p(x)))
	{
		rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has the value %g, which has no logarithm",
				c->name, x);
		rs_detail(ctx, "\"log\" is ln(1 + x) and takes values above -1.");
		return RS_ERR_PARAM;
	}
	if (f->keeps && keep_value(ctx, f, x) != RS_OK)
		return ctx->status;
	if (f->spec->impute == RS_IMPUTE_MOST_FREQUENT)
	{
		RsText bytes = {(const char *) &x, sizeof(x)};

		if (rs_vocabulary_add(ctx, &f->numbers, bytes, 1) != RS_OK)
			return ctx->status;
	}
	if (f->raw != NULL)
		rs_exact_add(f->raw, x, 1);
	if (f->sum != NULL)
	{
		rs_exact_add(f->sum, y, 1);
		rs_exact_add_square(f->squares, y, 1);
	}
	f->min = y < f->min ? y : f->min;
	f->max = y > f->max ? y : f->max;
	f->present++;
	return RS_OK;
}

/* Count a text, or its parts, so many times. */
static RsStatus
count_text(RsContext *ctx, RsColumn *c, RsText text, uint64_t times)
{
	RsText part;

	if (c->separator.data == NULL)
		return rs_vocabulary_add(ctx, &c->vocabulary, text, times);
	while (rs_text_part(&text, c->separator, &part))
		if (rs_vocabulary_add(ctx, &c->vocabulary, part, times) != RS_OK)
			return ctx->status;
	return RS_OK;
}

static RsStatus
add_text(RsContext *ctx, RsColumn *c, ColumnFit *f, const RsValue *value)
{
	if (value->kind != RS_VALUE_TEXT && value->kind != RS_VALUE_LIST)
	{
		f->missing++;
		return RS_OK;
	}
	f->present++;
	if (c->encode == RS_ENCODE_HASH && f->spec->impute != RS_IMPUTE_MOST_FREQUENT)
		return RS_OK;
	if (value->kind == RS_VALUE_LIST)
	{
		for (uint32_t i = 0; i < value->n; i++)
			if (value->list[i].data != NULL &&
				rs_vocabulary_add(ctx, &c->vocabulary, value->list[i], 1) != RS_OK)
				return ctx->status;
		return RS_OK;
	}
	return count_text(ctx, c, value->text, 1);
}

RsStatus
rs_encoder_fit_add(RsContext *ctx, RsEncoderFit *fit, const RsValue *values)
{
	for (uint32_t i = 0; i < fit->encoder->n; i++)
	{
		RsColumn *column = &fit->encoder->columns[i];
		RsStatus status;

		if (column->number)
			status = add_number(ctx, column, &fit->columns[i], &values[i]);
		else
			status = add_text(ctx, column, &fit->columns[i], &values[i]);
		if (status != RS_OK)
			return status;
	}
	fit->encoder->rows++;
	return RS_OK;
}

/* --- after the last row --- */

static RsStatus
nothing_to_fit(RsContext *ctx, const RsColumn *c)
{
	rs_fail(ctx, RS_ERR_EMPTY, "column \"%s\" has no value to fit on", c->name);
	rs_hint(ctx, "Leave the column out, or impute a constant.");
	return RS_ERR_EMPTY;
}

/* Sorted values, and times more of the same one which has its place at `at`. */
typedef struct Sorted
{
	const double *values;
	uint64_t n;
	double extra;
	uint64_t at;
	uint64_t times;
} Sorted;

static double
element(const Sorted *s, uint64_t i)
{
	if (i < s->at)
		return s->values[i];
	return i < s->at + s->times ? s->extra : s->values[i - s->times];
}

/* p = part / parts, in whole numbers so that no rank depends on rounding. */
static double
quantile(const Sorted *s, uint64_t part, uint64_t parts, bool interpolate)
{
	uint64_t n = s->n + s->times;

	if (interpolate)
	{
		uint64_t scaled = (n - 1) * part;
		uint64_t i = scaled / parts;
		double low = element(s, i);

		if (scaled % parts == 0)
			return low;
		return low + (element(s, i + 1) - low) * ((double) (scaled % parts) / (double) parts);
	}
	return element(s, part == 0 ? 0 : (n * part + parts - 1) / parts - 1);
}

/* Make way for the values imputed. */
static void
add_imputed(Sorted *s, double value, uint64_t times)
{
	uint64_t at = 0;

	while (at < s->n && s->values[at] < value)
		at++;
	s->extra = value;
	s->at = at;
	s->times = times;
}

/* The most frequent number; of several the smallest. */
static double
mode_of_numbers(const RsVocabulary *v)
{
	uint64_t most = 0;
	double mode = 0;

	for (uint32_t i = 0; i < v->n; i++)
	{
		double x;

		memcpy(&x, v->text + v->start[i], sizeof(x));
		if (v->count[i] > most || (v->count[i] == most && x < mode))
		{
			most = v->count[i];
			mode = x;
		}
	}
	return mode;
}

static RsStatus
finish_scale(RsContext *ctx, RsColumn *c, ColumnFit *f, const Sorted *sorted)
{
	uint64_t n = f->present + (c->imputed ? f->missing : 0);
	double center = 0;
	double divisor = 0;
	double low;
	double high;

	switch (c->scale)
	{
		case RS_SCALE_STANDARD:
			center = f->min == f->max ? f->min : rs_exact_mean(f->sum, n);
			if (f->min != f->max)
				divisor = sqrt(rs_exact_squared_deviations(f->sum, f->squares, n) /
							   (double) (f->spec->population ? n : n - 1));
			break;
		case RS_SCALE_MIN_MAX:
			center = f->min;
			divisor = f->max - f->min;
			break;
		case RS_SCALE_MAX_ABS:
			divisor = fmax(fabs(f->min), fabs(f->max));
			break;
		case RS_SCALE_ROBUST:
			low = quantile(sorted, 1, 4, f->spec->interpolate);
			center = quantile(sorted, 1, 2, f->spec->interpolate);
			high = quantile(sorted, 3, 4, f->spec->interpolate);
			divisor = high - low;
			break;
		case RS_SCALE_NONE:
			break;
	}
	c->center = f->spec->uncentered ? 0 : center;
	c->divisor = divisor;
	if (!isfinite(center) || !isfinite(divisor))
		return rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has values too large to scale", c->name);
	return RS_OK;
}

/* Spark's QuantileDiscretizer: bounds at the quantiles, equal ones once, open at
 * both ends. */
static RsStatus
finish_buckets(RsContext *ctx, RsColumn *c, const ColumnFit *f, const Sorted *sorted)
{
	c->splits = rs_alloc(ctx, ((size_t) f->spec->buckets + 1) * sizeof(double));
	if (c->splits == NULL)
		return ctx->status;
	c->splits[0] = -INFINITY;
	c->n_splits = 1;
	for (uint32_t i = 1; i < f->spec->buckets; i++)
	{
		double split = quantile(sorted, i, f->spec->buckets, f->spec->interpolate);

		if (split > c->splits[c->n_splits - 1])
			c->splits[c->n_splits++] = split;
	}
	c->splits[c->n_splits++] = INFINITY;
	return RS_OK;
}

/* The imputed value counts in what the later steps are fitted on. */
static RsStatus
count_imputed(RsContext *ctx, RsColumn *c, ColumnFit *f, Sorted *sorted)
{
	double y = c->log ? rs_log1p(c->impute_number) : c->impute_number;

	if (isnan(y))
		return rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" imputes %g, which has no logarithm",
					   c->name, c->impute_number);
	if (f->missing == 0)
		return RS_OK;
	f->min = y < f->min ? y : f->min;
	f->max = y > f->max ? y : f->max;
	if (f->sum != NULL)
	{
		rs_exact_add(f->sum, y, f->missing);
		rs_exact_add_square(f->squares, y, f->missing);
	}
	if (f->keeps)
		add_imputed(sorted, y, f->missing);
	return RS_OK;
}

static RsStatus
finish_number(RsContext *ctx, RsColumn *c, ColumnFit *f)
{
	Sorted sorted = {f->values, f->present, 0, 0, 0};
	bool needs = c->scale != RS_SCALE_NONE || f->spec->buckets > 0;

	if (f->present == 0 && ((c->imputed && f->spec->impute != RS_IMPUTE_CONSTANT) ||
							(needs && (!c->imputed || f->missing == 0))))
		return nothing_to_fit(ctx, c);
	if (f->keeps && rs_sort_numbers(ctx, f->values, f->present) != RS_OK)
		return ctx->status;
	if (f->spec->impute == RS_IMPUTE_MEAN)
		c->impute_number = rs_exact_mean(f->raw, f->present);
	else if (f->spec->impute == RS_IMPUTE_MEDIAN)
		c->impute_number = quantile(&sorted, 1, 2, f->spec->interpolate);
	else if (f->spec->impute == RS_IMPUTE_MOST_FREQUENT)
		c->impute_number = mode_of_numbers(&f->numbers);
	for (uint64_t i = 0; c->log && f->keeps && i < f->present; i++)
		f->values[i] = rs_log1p(f->values[i]);
	if (c->imputed && count_imputed(ctx, c, f, &sorted) != RS_OK)
		return ctx->status;
	if (f->spec->buckets > 0)
		return finish_buckets(ctx, c, f, &sorted);
	return finish_scale(ctx, c, f, &sorted);
}

/* The most frequent text; of several the first by alphabet. */
static RsStatus
mode_of_texts(RsContext *ctx, RsColumn *c)
{
	const RsVocabulary *v = &c->vocabulary;
	uint32_t best = 0;

	for (uint32_t i = 1; i < v->n; i++)
		if (v->count[i] > v->count[best] ||
			(v->count[i] == v->count[best] &&
			 rs_text_compare(rs_vocabulary_text(v, i), rs_vocabulary_text(v, best)) < 0))
			best = i;
	c->impute_text = rs_vocabulary_text(v, best);
	c->impute_text.data = rs_text_copy(ctx, c->impute_text.data, c->impute_text.length);
	return c->impute_text.data != NULL ? RS_OK : ctx->status;
}

static RsStatus
finish_text(RsContext *ctx, RsColumn *c, ColumnFit *f)
{
	if (f->spec->impute == RS_IMPUTE_MOST_FREQUENT)
	{
		if (c->vocabulary.n == 0)
			return nothing_to_fit(ctx, c);
		if (mode_of_texts(ctx, c) != RS_OK)
			return ctx->status;
	}
	if (c->encode == RS_ENCODE_HASH)
	{
		rs_vocabulary_free(ctx, &c->vocabulary);
		return RS_OK;
	}
	if (c->imputed && f->missing > 0 && count_text(ctx, c, c->impute_text, f->missing) != RS_OK)
		return ctx->status;
	if (c->vocabulary.n == 0)
		return nothing_to_fit(ctx, c);
	if (rs_vocabulary_sort(ctx, &c->vocabulary, f->spec->alphabetical, f->spec->min_frequency) !=
		RS_OK)
		return ctx->status;
	if (c->vocabulary.n == 0)
		return rs_fail(ctx, RS_ERR_EMPTY, "no category of column \"%s\" is as frequent as %llu",
					   c->name, (unsigned long long) f->spec->min_frequency);
	return RS_OK;
}

RsStatus
rs_encoder_fit_finish(RsContext *ctx, RsEncoderFit *fit, RsEncoder **encoder)
{
	RsStatus status = RS_OK;

	*encoder = NULL;
	for (uint32_t i = 0; status == RS_OK && i < fit->encoder->n; i++)
	{
		RsColumn *column = &fit->encoder->columns[i];

		status = column->number ? finish_number(ctx, column, &fit->columns[i])
								: finish_text(ctx, column, &fit->columns[i]);
	}
	if (status == RS_OK)
		status = rs_encoder_layout(ctx, fit->encoder);
	if (status != RS_OK)
		return status;
	free_columns(ctx, fit);
	*encoder = fit->encoder;
	fit->encoder = NULL;
	return RS_OK;
}
