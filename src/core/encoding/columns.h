/*
 * columns.h
 *		What an encoder is: columns, each with its steps and what was fitted for them.
 */
#ifndef RS_COLUMNS_H
#define RS_COLUMNS_H

#include "core/encoding/vocabulary.h"

#define RS_MAX_ENCODER_COLUMNS 1600
#define RS_MAX_ENCODER_WIDTH 1000000

typedef enum RsScale
{
	RS_SCALE_NONE,
	RS_SCALE_STANDARD,
	RS_SCALE_MIN_MAX,
	RS_SCALE_MAX_ABS,
	RS_SCALE_ROBUST
} RsScale;

typedef enum RsEncode
{
	RS_ENCODE_NONE, /* the number itself */
	RS_ENCODE_INDEX,
	RS_ENCODE_ONE_HOT,
	RS_ENCODE_MULTI_HOT,
	RS_ENCODE_HASH
} RsEncode;

typedef enum RsUnseen
{
	RS_UNSEEN_ERROR,
	RS_UNSEEN_KEEP,   /* a category of its own, the last */
	RS_UNSEEN_IGNORE, /* zeros */
	RS_UNSEEN_SKIP    /* no vector for this row */
} RsUnseen;

extern const char *const rs_scale_words[];
extern const char *const rs_encode_words[];
extern const char *const rs_unseen_words[];

typedef struct RsColumn
{
	char *name;
	uint32_t name_length;
	bool number; /* a number comes in: no encode, or bucketize first */
	bool imputed;
	double impute_number;
	RsText impute_text;
	bool log; /* ln(1 + x) */
	RsScale scale;
	double center;
	double divisor;    /* 0: the column was constant */
	uint32_t n_splits; /* bucket i is [split i, split i + 1), the last one closed */
	double *splits;
	RsEncode encode;
	RsUnseen unseen;
	bool drop_last;
	RsText separator; /* data NULL: none */
	uint32_t size;    /* of hash */
	RsVocabulary vocabulary;
	uint32_t n;     /* categories or buckets, the one for unseen not counted */
	uint32_t first; /* position */
	uint32_t width;
} RsColumn;

typedef struct RsEncoder
{
	uint64_t rows; /* fitted on */
	uint32_t n;
	uint32_t room;
	uint32_t width;
	RsColumn *columns;
} RsEncoder;

extern RsStatus rs_encoder_create(RsContext *ctx, RsEncoder **encoder);

/* A new last column, zeroed, or NULL. */
extern RsColumn *rs_encoder_push(RsContext *ctx, RsEncoder *encoder);

/* What is wrong with the steps of a column, as a clause, or NULL. */
extern const char *rs_column_fault(const RsColumn *column);

/* At least three, as Spark wants them, and strictly ascending? */
extern bool rs_splits_ascend(const double *splits, uint32_t n);

/* Has an earlier column the name of column i? */
extern bool rs_encoder_name_taken(const RsEncoder *encoder, uint32_t i);

/* Set n, first and width of every column from its steps; RS_ERR_LIMIT. */
extern RsStatus rs_encoder_layout(RsContext *ctx, RsEncoder *encoder);

/* Number of the column of that name, or -1. */
extern int rs_encoder_find(const RsEncoder *encoder, const char *name, size_t length);

extern void rs_encoder_free(RsContext *ctx, RsEncoder *encoder);

/* ln(1 + x), or NaN where x <= -1. */
extern double rs_log1p(double x);

#endif
