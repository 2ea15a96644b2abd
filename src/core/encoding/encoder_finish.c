/*
 * encoder_finish.c
 *		Settle the steps of one column from what fitting kept of it.
 *
 * As in a pipeline of Spark, a later step is fitted on what the one before
 * gives: imputed values count in means, quantiles and frequencies.
 *
 * A quantile is the smallest value with at least that share of all at or below
 * it, as in Spark and SQL's percentile_disc, or interpolated, as in
 * scikit-learn and percentile_cont.
 */
#include "core/encoding/encoder_fit.h"

#include <math.h>
#include <string.h>

#include "core/base/sort.h"

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
finish_scale(RsContext *ctx, RsColumn *c, RsColumnFit *f, const Sorted *sorted)
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
							   (double) (f->population ? n : n - 1));
			break;
		case RS_SCALE_MIN_MAX:
			center = f->min;
			divisor = f->max - f->min;
			break;
		case RS_SCALE_MAX_ABS:
			divisor = fmax(fabs(f->min), fabs(f->max));
			break;
		case RS_SCALE_ROBUST:
			low = quantile(sorted, 1, 4, f->interpolate);
			center = quantile(sorted, 1, 2, f->interpolate);
			high = quantile(sorted, 3, 4, f->interpolate);
			divisor = high - low;
			break;
		case RS_SCALE_NONE:
			break;
	}
	c->center = f->uncentered ? 0 : center;
	c->divisor = divisor;
	if (!isfinite(center) || !isfinite(divisor))
		return rs_fail(ctx, RS_ERR_PARAM, "column \"%s\" has values too large to scale", c->name);
	return RS_OK;
}

/* Spark's QuantileDiscretizer: bounds at the quantiles, equal ones once, open at
 * both ends. */
static RsStatus
finish_buckets(RsContext *ctx, RsColumn *c, const RsColumnFit *f, const Sorted *sorted)
{
	c->splits = rs_alloc(ctx, ((size_t) f->buckets + 1) * sizeof(double));
	if (c->splits == NULL)
		return ctx->status;
	c->splits[0] = -INFINITY;
	c->n_splits = 1;
	for (uint32_t i = 1; i < f->buckets; i++)
	{
		double split = quantile(sorted, i, f->buckets, f->interpolate);

		if (split > c->splits[c->n_splits - 1])
			c->splits[c->n_splits++] = split;
	}
	c->splits[c->n_splits++] = INFINITY;
	return RS_OK;
}

/* The imputed value counts in what the later steps are fitted on. */
static RsStatus
count_imputed(RsContext *ctx, RsColumn *c, RsColumnFit *f, Sorted *sorted)
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
finish_number(RsContext *ctx, RsColumn *c, RsColumnFit *f)
{
	Sorted sorted = {f->values, f->present, 0, 0, 0};
	bool needs = c->scale != RS_SCALE_NONE || f->buckets > 0;

	if (f->present == 0 && ((c->imputed && f->impute != RS_IMPUTE_CONSTANT) ||
							(needs && (!c->imputed || f->missing == 0))))
		return nothing_to_fit(ctx, c);
	if (f->keeps && rs_sort_numbers(ctx, f->values, f->present) != RS_OK)
		return ctx->status;
	if (f->impute == RS_IMPUTE_MEAN)
		c->impute_number = rs_exact_mean(f->raw, f->present);
	else if (f->impute == RS_IMPUTE_MEDIAN)
		c->impute_number = quantile(&sorted, 1, 2, f->interpolate);
	else if (f->impute == RS_IMPUTE_MOST_FREQUENT)
		c->impute_number = mode_of_numbers(&f->numbers);
	for (uint64_t i = 0; c->log && f->keeps && i < f->present; i++)
		f->values[i] = rs_log1p(f->values[i]);
	if (c->imputed && count_imputed(ctx, c, f, &sorted) != RS_OK)
		return ctx->status;
	if (f->buckets > 0)
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

/* Count a text as many times as it was imputed. */
static RsStatus
count_imputed_text(RsContext *ctx, RsColumn *c, const RsColumnFit *f)
{
	RsText rest = c->impute_text;
	RsText part;
	uint32_t code;

	if (c->separator.data == NULL)
		return rs_vocabulary_add(ctx, &c->vocabulary, rest, f->missing, &code);
	while (rs_text_part(&rest, c->separator, &part))
		if (rs_vocabulary_add(ctx, &c->vocabulary, part, f->missing, &code) != RS_OK)
			return ctx->status;
	return RS_OK;
}

static RsStatus
finish_text(RsContext *ctx, RsColumn *c, RsColumnFit *f)
{
	if (f->impute == RS_IMPUTE_MOST_FREQUENT)
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
	if (c->imputed && f->missing > 0 && count_imputed_text(ctx, c, f) != RS_OK)
		return ctx->status;
	if (c->vocabulary.n == 0)
		return nothing_to_fit(ctx, c);
	if (rs_vocabulary_sort(ctx, &c->vocabulary, f->alphabetical, f->min_frequency) != RS_OK)
		return ctx->status;
	if (c->vocabulary.n == 0)
		return rs_fail(ctx, RS_ERR_EMPTY, "no category of column \"%s\" is as frequent as %llu",
					   c->name, (unsigned long long) f->min_frequency);
	return RS_OK;
}

RsStatus
rs_encoder_finish_column(RsContext *ctx, RsColumn *column, RsColumnFit *fit)
{
	return column->number ? finish_number(ctx, column, fit) : finish_text(ctx, column, fit);
}
