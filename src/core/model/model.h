/*
 * model.h
 *		A model: an algorithm, its options, an item dictionary and named tensors.
 *
 * It knows items, not users.  Items are numbered 0 .. n_items-1 in ascending
 * order of id, so "ties by item id" is "ties by number".  As bytes a model is a
 * safetensors file (modelbytes.c draws it).
 */
#ifndef RS_MODEL_H
#define RS_MODEL_H

#include "core/base/context.h"
#include "core/model/options.h"

#define RS_MAX_TENSORS 24
#define RS_MAX_PARTS 4
#define RS_MAX_ITEMS 100000000

typedef enum RsIdType
{
	RS_ID_BIGINT,
	RS_ID_UUID,
	RS_ID_TEXT
} RsIdType;

/* Strictly ascending: by number, or by memcmp then length. */
typedef struct RsIds
{
	RsIdType type;
	uint32_t n;
	const int64_t *bigints;    /* [n] */
	const uint8_t *uuids;      /* [n][16] */
	const int64_t *text_start; /* [n + 1] offsets into text */
	const char *text;
} RsIds;

/* Number of the id, or -1.  bytes/length: 8 (native int64), 16, or the text. */
extern int64_t rs_ids_find(const RsIds *ids, const void *bytes, size_t length);

typedef enum RsDtype
{
	RS_U8,
	RS_I32,
	RS_I64,
	RS_F32
} RsDtype;

typedef struct RsTensor
{
	const char *name;
	RsDtype dtype;
	int dims; /* 1 or 2 */
	uint64_t shape[2];
	const void *data;
} RsTensor;

#define RS_POPULARITY "item_popularity"    /* F32 [n] by item */
#define RS_POPULAR "item_popularity.items" /* I32 [n] most popular first, ties by item */

typedef struct RsAlgorithm RsAlgorithm;
typedef struct RsModel RsModel;

/* A model within a model, with the ids and item_popularity of that; its tensors are
 * "prefix.name" in the bytes.  It has no parts itself. */
typedef struct RsPart
{
	const char *prefix;
	RsModel *model;
} RsPart;

/* What training says of one pass over the examples; not part of the bytes. */
typedef struct RsEpoch
{
	double loss;
	double validation_loss;     /* NaN without held out examples */
	double validation_hit_rate; /* at 10, among all items; NaN likewise */
} RsEpoch;

struct RsModel
{
	const RsAlgorithm *algorithm;
	RsOptions options;
	RsIds ids;
	uint64_t n_users; /* in training */
	uint64_t n_events;
	bool timed;     /* events of training had a time: a history is in order */
	int iterations; /* done */
	double loss;    /* final, NaN if the algorithm has none */
	int n_tensors;  /* those of popularity and the algorithm's own */
	RsTensor tensors[RS_MAX_TENSORS];
	void *owned[RS_MAX_TENSORS + 8]; /* rs_alloc'ed, freed by rs_model_free */
	int n_owned;
	RsPart parts[RS_MAX_PARTS];
	int n_parts;
	const RsEpoch *epochs; /* [n_epochs] of the training, NULL if there is no log */
	int n_epochs;
};

/* Tensor by name, or NULL. */
extern const RsTensor *rs_model_tensor(const RsModel *model, const char *name);

/* Add a tensor; a data that came from rs_alloc and owned = true passes to the model. */
extern RsStatus rs_model_add(RsContext *ctx, RsModel *model, const char *name, RsDtype dtype,
							 int dims, uint64_t rows, uint64_t columns, const void *data,
							 bool owned);

/* Part by prefix, or NULL. */
extern RsModel *rs_model_part(const RsModel *model, const char *prefix);

/* Add an empty part, which belongs to model; prefix is not copied.  NULL on failure. */
extern RsModel *rs_model_add_part(RsContext *ctx, RsModel *model, const char *prefix);

/* Give a part the ids, the counts and the shared tensors of its model. */
extern RsStatus rs_model_share(RsContext *ctx, const RsModel *model, RsModel *part);

/* Does a part have the tensor of this name from its model? */
extern bool rs_is_shared(const char *name);

/* The model and its parts. */
extern void rs_model_free(RsContext *ctx, RsModel *model);

/* RS_ERR_BYTES with one message and the reason as its detail. */
extern RsStatus rs_invalid_bytes(RsContext *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
