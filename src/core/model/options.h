/*
 * options.h
 *		Options of the algorithms: one table each says name, kind, range, default.
 */
#ifndef RS_OPTIONS_H
#define RS_OPTIONS_H

#include "core/base/json_write.h"

#define RS_MAX_OPTIONS 24
#define RS_MAX_LIST 8

typedef enum RsOptionKind
{
	RS_OPTION_INT,  /* a JSON number without fraction */
	RS_OPTION_REAL, /* a JSON number */
	RS_OPTION_BOOL, /* true or false */
	RS_OPTION_ENUM, /* a JSON string, one of words */
	RS_OPTION_LIST  /* a JSON array of up to RS_MAX_LIST whole numbers */
} RsOptionKind;

typedef struct RsOption
{
	const char *name; /* NULL ends the table */
	RsOptionKind kind;
	double value; /* default; for an enum the index into words, for a list its one element */
	double min;
	double max;
	const char *const *words; /* for an enum, ends with NULL */
	const char *help;         /* one sentence, for the reference and the view */
} RsOption;

/* Values in the order of the algorithm's table. */
typedef struct RsOptions
{
	const RsOption *table;
	double value[RS_MAX_OPTIONS]; /* of a list: how many elements */
	double list[RS_MAX_LIST];     /* elements of the one list that a table may have */
} RsOptions;

/* Fill with the defaults of table. */
extern void rs_options_default(RsOptions *options, const RsOption *table);

/*
 * Set one option from a parsed value: kind is what the caller's parser found
 * (a number comes as RS_OPTION_REAL), word is used for an enum.  RS_ERR_PARAM
 * with a hint that lists the right names, range or words.
 */
extern RsStatus rs_options_set(RsContext *ctx, RsOptions *options, const char *name,
							   RsOptionKind kind, double number, const char *word);

/* The same for a list of n numbers. */
extern RsStatus rs_options_set_list(RsContext *ctx, RsOptions *options, const char *name,
									const double *numbers, int n);

/* Write all options as canonical JSON, e.g. {"factors": 64, …}. */
extern void rs_options_put(RsJsonOut *out, const RsOptions *options);

/* The same into a buffer, as snprintf would. */
extern size_t rs_options_json(const RsOptions *options, char *buffer, size_t size);

#endif
