/*
 * encoder_fit.h
 *		What fitting keeps of a column, beside the steps of the encoder to be.
 */
#ifndef RS_ENCODER_FIT_H
#define RS_ENCODER_FIT_H

#include "core/encoding/encoder_state.h"
#include "core/base/exactsum.h"

typedef enum RsImpute
{
	RS_IMPUTE_NONE,
	RS_IMPUTE_MEAN,
	RS_IMPUTE_MEDIAN,
	RS_IMPUTE_MOST_FREQUENT,
	RS_IMPUTE_CONSTANT
} RsImpute;

typedef struct RsColumnFit
{
	/* from the spec */
	RsImpute impute;
	bool population;  /* standard deviation over n, not n - 1 */
	bool interpolate; /* between the two values next to a quantile */
	uint32_t buckets; /* by quantiles; 0 = none or given splits */
	uint64_t min_frequency;
	bool uncentered;   /* scale without taking the center off */
	bool alphabetical; /* categories in the order of their texts */

	/* from the rows; what a column does not need stays NULL */
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
} RsColumnFit;

struct RsEncoderFit
{
	RsEncoder *encoder;
	RsColumnFit *columns; /* [encoder->n] */
};

/* Read a spec: fills fit->encoder and fit->columns (encoder_spec.c). */
extern RsStatus rs_encoder_spec(RsContext *ctx, const char *spec, size_t length, RsEncoderFit *fit);

/* Settle one column after the last row (encoder_finish.c). */
extern RsStatus rs_encoder_finish_column(RsContext *ctx, RsColumn *column, RsColumnFit *fit);

#endif
