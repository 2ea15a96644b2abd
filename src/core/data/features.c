/*
 * features.c
 *		Features of users: rows of floats of one width.
 *
 * Blocks of a fixed size are added as rows come: nothing is ever copied to a
 * larger place, so the rows are in memory once.
 */
#include "core/data/features.h"

#include <string.h>

#define BLOCK_BYTES ((size_t) 1 << 20)

struct RsFeatures
{
	uint32_t width;
	uint32_t n;
	uint32_t per_block; /* rows */
	uint32_t blocks;
	uint32_t room; /* for pointers to blocks */
	float **block;
};

RsFeatures *
rs_features_create(RsContext *ctx, uint32_t width)
{
	RsFeatures *features;
	size_t rows = BLOCK_BYTES / sizeof(float) / (width > 0 ? width : 1);

	if (width > RS_MAX_FEATURES)
	{
		rs_fail(ctx, RS_ERR_PARAM, "a row of features has %u numbers, more than %d", width,
				RS_MAX_FEATURES);
		rs_hint(ctx, "Encode columns of many values by \"hash\", or let \"min_frequency\" count "
					 "rare ones as unseen.");
		return NULL;
	}
	features = rs_calloc(ctx, 1, sizeof(RsFeatures));
	if (features == NULL)
		return NULL;
	features->width = width;
	features->per_block = rows > 0 ? (uint32_t) rows : 1;
	return features;
}

/* Twice the room for pointers to blocks. */
static RsStatus
grow(RsContext *ctx, RsFeatures *features)
{
	uint32_t room = features->room > 0 ? features->room * 2 : 16;
	float **block = rs_grow(ctx, features->block, (size_t) features->blocks * sizeof(float *),
							(size_t) room * sizeof(float *));

	if (block == NULL)
		return ctx->status;
	features->block = block;
	features->room = room;
	return RS_OK;
}

RsStatus
rs_features_append(RsContext *ctx, RsFeatures *features, const float *row)
{
	uint32_t block = features->n / features->per_block;
	size_t width = features->width;

	if (features->n == RS_NO_FEATURES - 1)
		return rs_fail(ctx, RS_ERR_LIMIT, "too many rows of features");
	if (block == features->blocks)
	{
		if (features->blocks == features->room && grow(ctx, features) != RS_OK)
			return ctx->status;
		features->block[block] = rs_alloc(ctx, features->per_block * width * sizeof(float));
		if (features->block[block] == NULL)
			return ctx->status;
		features->blocks++;
	}
	memcpy(features->block[block] + (features->n % features->per_block) * width, row,
		   width * sizeof(float));
	features->n++;
	return RS_OK;
}

const float *
rs_features_row(const RsFeatures *features, uint32_t row)
{
	return features->block[row / features->per_block] +
		   (size_t) (row % features->per_block) * features->width;
}

uint32_t
rs_features_count(const RsFeatures *features)
{
	return features->n;
}

uint32_t
rs_features_width(const RsFeatures *features)
{
	return features->width;
}

void
rs_features_free(RsContext *ctx, RsFeatures *features)
{
	if (features == NULL)
		return;
	for (uint32_t i = 0; i < features->blocks; i++)
		rs_free(ctx, features->block[i]);
	rs_free(ctx, features->block);
	rs_free(ctx, features);
}
