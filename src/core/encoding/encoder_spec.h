/*
 * encoder_spec.h
 *		The spec of an encoder: which steps each column takes.
 */
#ifndef RS_ENCODER_SPEC_H
#define RS_ENCODER_SPEC_H

#include "core/encoding/columns.h"

typedef enum RsImpute
{
	RS_IMPUTE_NONE,
	RS_IMPUTE_MEAN,
	RS_IMPUTE_MEDIAN,
	RS_IMPUTE_MOST_FREQUENT,
	RS_IMPUTE_CONSTANT
} RsImpute;

/* What fitting is to do for a column, beside the steps of the encoder to be. */
typedef struct RsColumnSpec
{
	RsImpute impute;
	bool population;  /* standard deviation over n, not n - 1 */
	bool interpolate; /* between the two values next to a quantile */
	uint32_t buckets; /* by quantiles; 0 = none or given splits */
	uint64_t min_frequency;
	bool uncentered;   /* scale without taking the center off */
	bool alphabetical; /* categories in the order of their texts */
} RsColumnSpec;

/* From JSON text; see docs/reference.md for its keys.  Fills an empty encoder
 * with columns and *specs with one for each, to be freed on failure too. */
extern RsStatus rs_encoder_spec(RsContext *ctx, const char *spec, size_t length, RsEncoder *encoder,
								RsColumnSpec **specs);

#endif
