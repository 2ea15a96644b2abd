/*
 * encoder.h
 *		A fitted pipeline that turns a row into a vector of features.
 *
 * A spec says for each column which steps to take: impute, log, scale,
 * bucketize, encode.  Fitting reads rows once and keeps what the steps need:
 * means, quantiles, categories.  The encoder that comes out is immutable; as
 * bytes it is one JSON object in canonical form (drawn in encoder_bytes.c), the
 * same to the last bit for any order of the rows.
 *
 * Wording: a column is what comes in, a position is a place in the vector that
 * goes out, a category is a distinct text of a column.
 */
#ifndef RS_ENCODER_H
#define RS_ENCODER_H

#include "core/base/text.h"

#define RS_MAX_ENCODER_COLUMNS 1600
#define RS_MAX_ENCODER_WIDTH 1000000
#define RS_ENCODER_VERSION 1

typedef enum RsValueKind
{
	RS_VALUE_NULL,
	RS_VALUE_MISSING, /* a null whose key was not there: another message */
	RS_VALUE_NUMBER,
	RS_VALUE_TEXT,
	RS_VALUE_LIST
} RsValueKind;

typedef struct RsValue
{
	RsValueKind kind;
	double number;
	RsText text;
	const RsText *list; /* elements; a null one has data NULL */
	uint32_t n;
} RsValue;

typedef struct RsEncoder RsEncoder;

/* What a column takes: a number, a text (or a list where `lists`). */
typedef struct RsEncoderColumn
{
	const char *name; /* NUL-terminated */
	bool number;      /* takes a number, else text */
	bool lists;       /* takes a list of texts too */
	RsText separator; /* splits a text into a list; data NULL if there is none */
	uint32_t first;   /* position of its first feature */
	uint32_t width;
} RsEncoderColumn;

/* --- encoding (encoder.c) --- */

extern uint32_t rs_encoder_width(const RsEncoder *encoder);
extern uint32_t rs_encoder_columns(const RsEncoder *encoder);
extern RsEncoderColumn rs_encoder_column(const RsEncoder *encoder, uint32_t i);

/* Number of the column of that name, or -1. */
extern int rs_encoder_find(const RsEncoder *encoder, const char *name, size_t length);

/*
 * Encode one value a column, in the encoder's order, into out[width], which
 * need not be zeroed.  *skip tells that the row has a value whose policy is to
 * leave the row out; out is undefined then.  RS_ERR_PARAM names column and
 * value.
 */
extern RsStatus rs_encoder_encode(RsContext *ctx, const RsEncoder *encoder, const RsValue *values,
								  float *out, bool *skip);

/* What a position means. */
typedef struct RsEncoderPosition
{
	const char *column;
	const char *step; /* "value", "one_hot", "index", "multi_hot", "hash", "bucket" */
	char meaning[64]; /* for a scaled number, a bucket: e.g. "[18, 25)" */
	RsText category;  /* data NULL where there is none */
} RsEncoderPosition;

extern void rs_encoder_position(const RsEncoder *encoder, uint32_t position,
								RsEncoderPosition *out);
extern void rs_encoder_free(RsContext *ctx, RsEncoder *encoder);

/* --- bytes (encoder_bytes.c) --- */

/* Read and validate bytes from anyone; nothing points into them afterwards.
 * RS_ERR_BYTES or RS_ERR_VERSION. */
extern RsStatus rs_encoder_read(RsContext *ctx, const char *bytes, size_t length,
								RsEncoder **encoder);

/* Hand the canonical bytes to sink in pieces. */
extern RsStatus rs_encoder_write(RsContext *ctx, const RsEncoder *encoder, RsSink sink,
								 void *opaque);

/* --- fitting (encoder_fit.c) --- */

typedef struct RsEncoderFit RsEncoderFit;

/* From a spec as JSON text; see docs/reference.md for its keys. */
extern RsStatus rs_encoder_fit_create(RsContext *ctx, const char *spec, size_t length,
									  RsEncoderFit **fit);

/* The encoder to be: its columns are known, its widths are not. */
extern const RsEncoder *rs_encoder_fit_target(const RsEncoderFit *fit);

/* One value a column, copied as needed. */
extern RsStatus rs_encoder_fit_add(RsContext *ctx, RsEncoderFit *fit, const RsValue *values);

/* The encoder belongs to the caller; fit is of no further use but to free. */
extern RsStatus rs_encoder_fit_finish(RsContext *ctx, RsEncoderFit *fit, RsEncoder **encoder);
extern void rs_encoder_fit_free(RsContext *ctx, RsEncoderFit *fit);

#endif
