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

#include "core/encoding/columns.h"

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

extern uint32_t rs_encoder_width(const RsEncoder *encoder);
extern uint32_t rs_encoder_columns(const RsEncoder *encoder);
extern RsEncoderColumn rs_encoder_column(const RsEncoder *encoder, uint32_t i);

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
	const char *step; /* how it is encoded, else scaled, else "log" or "value" */
	char meaning[64]; /* for a scaled number, a bucket: e.g. "[18, 25)" */
	RsText category;  /* data NULL where there is none */
} RsEncoderPosition;

extern void rs_encoder_position(const RsEncoder *encoder, uint32_t position,
								RsEncoderPosition *out);

#endif
