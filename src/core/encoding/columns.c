/*
 * columns.c
 *		An encoder's columns: made, checked, laid out, freed.
 */
#include "core/encoding/columns.h"

#include <math.h>
#include <string.h>

const char *const rs_scale_words[] = {"none", "standard", "min_max", "max_abs", "robust", NULL};
const char *const rs_encode_words[] = {"none", "index", "one_hot", "multi_hot", "hash", NULL};
const char *const rs_unseen_words[] = {"error", "keep", "ignore", "skip", NULL};

RsStatus
rs_encoder_create(RsContext *ctx, RsEncoder **encoder)
{
	*encoder = rs_calloc(ctx, 1, sizeof(RsEncoder));
	return *encoder != NULL ? RS_OK : ctx->status;
}

RsColumn *
rs_encoder_push(RsContext *ctx, RsEncoder *encoder)
{
	if (encoder->n == encoder->room)
	{
		uint32_t room = encoder->room > 0 ? encoder->room * 2 : 8;
		RsColumn *columns =
			rs_grow(ctx, encoder->columns, encoder->n * sizeof(RsColumn), room * sizeof(RsColumn));

		if (columns == NULL)
			return NULL;
		encoder->columns = columns;
		encoder->room = room;
	}
	return memset(&encoder->columns[encoder->n++], 0, sizeof(RsColumn));
}

const char *
rs_column_fault(const RsColumn *c)
{
	if (c->n_splits > 0 && c->encode != RS_ENCODE_INDEX && c->encode != RS_ENCODE_ONE_HOT)
		return "buckets are encoded by index or one_hot";
	if (!c->number && (c->log || c->scale != RS_SCALE_NONE))
		return "log and scale are for numbers, not for categories";
	if (c->n_splits > 0 && c->scale != RS_SCALE_NONE)
		return "scale and bucketize exclude each other";
	if (c->drop_last && c->encode != RS_ENCODE_ONE_HOT)
		return "drop_last is for one_hot";
	if (c->separator.data != NULL &&
		((c->encode != RS_ENCODE_MULTI_HOT && c->encode != RS_ENCODE_HASH) ||
		 c->separator.length == 0))
		return "separator is a text of at least one character, for multi_hot and hash";
	if ((c->encode == RS_ENCODE_HASH) != (c->size > 0))
		return "size is for hash, which needs it";
	if (c->unseen == RS_UNSEEN_KEEP && (c->encode == RS_ENCODE_NONE || c->encode == RS_ENCODE_HASH))
		return "unseen keep is for index, one_hot and multi_hot";
	if (c->unseen == RS_UNSEEN_IGNORE && c->encode == RS_ENCODE_INDEX)
		return "unseen ignore is not for index, whose 0 is a category";
	return NULL;
}

int
rs_encoder_find(const RsEncoder *encoder, const char *name, size_t length)
{
	for (uint32_t i = 0; i < encoder->n; i++)
		if (encoder->columns[i].name_length == length &&
			memcmp(encoder->columns[i].name, name, length) == 0)
			return (int) i;
	return -1;
}

bool
rs_splits_ascend(const double *splits, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (!(splits[i - 1] < splits[i]))
			return false;
	return n >= 3;
}

bool
rs_encoder_name_taken(const RsEncoder *encoder, uint32_t i)
{
	const RsColumn *column = &encoder->columns[i];

	return rs_encoder_find(encoder, column->name, column->name_length) < (int) i;
}

void
rs_encoder_free(RsContext *ctx, RsEncoder *encoder)
{
	if (encoder == NULL)
		return;
	for (uint32_t i = 0; i < encoder->n; i++)
	{
		RsColumn *column = &encoder->columns[i];

		rs_free(ctx, column->name);
		rs_free(ctx, (void *) column->impute_text.data);
		rs_free(ctx, (void *) column->separator.data);
		rs_free(ctx, column->splits);
		rs_vocabulary_free(ctx, &column->vocabulary);
	}
	rs_free(ctx, encoder->columns);
	rs_free(ctx, encoder);
}

/* Positions of a column, in 64 bits. */
static uint64_t
column_width(const RsColumn *column)
{
	uint64_t width = (uint64_t) column->n + (column->unseen == RS_UNSEEN_KEEP ? 1 : 0);

	switch (column->encode)
	{
		case RS_ENCODE_HASH:
			return column->size;
		case RS_ENCODE_ONE_HOT:
			return column->drop_last && width > 0 ? width - 1 : width;
		case RS_ENCODE_MULTI_HOT:
			return width;
		default:
			return 1;
	}
}

RsStatus
rs_encoder_layout(RsContext *ctx, RsEncoder *encoder)
{
	uint64_t position = 0;

	for (uint32_t i = 0; i < encoder->n; i++)
	{
		RsColumn *column = &encoder->columns[i];
		uint64_t width;

		column->n = column->n_splits > 0 ? column->n_splits - 1 : column->vocabulary.n;
		width = column_width(column);
		if (position + width > RS_MAX_ENCODER_WIDTH)
		{
			rs_fail(ctx, RS_ERR_LIMIT, "encoder has more than %d positions", RS_MAX_ENCODER_WIDTH);
			rs_detail(ctx, "Column \"%s\" has %llu.", column->name, (unsigned long long) width);
			rs_hint(ctx, "Encode a column of many categories by \"index\" or \"hash\", or give it "
						 "\"min_frequency\".");
			return RS_ERR_LIMIT;
		}
		column->first = (uint32_t) position;
		column->width = (uint32_t) width;
		position += width;
	}
	encoder->width = (uint32_t) position;
	return RS_OK;
}

double
rs_log1p(double x)
{
	return x > -1.0 ? log1p(x) : NAN;
}
