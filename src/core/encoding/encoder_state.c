/*
 * encoder_state.c
 *		Making, laying out and reading off encoders; small helpers for texts.
 */
#include "core/encoding/encoder_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
		RsColumn *columns = rs_calloc(ctx, room, sizeof(RsColumn));

		if (columns == NULL)
			return NULL;
		if (encoder->n > 0)
			memcpy(columns, encoder->columns, encoder->n * sizeof(RsColumn));
		rs_free(ctx, encoder->columns);
		encoder->columns = columns;
		encoder->room = room;
	}
	return &encoder->columns[encoder->n++];
}

const char *
rs_column_fault(const RsColumn *c)
{
	bool categories =
		c->encode == RS_ENCODE_MULTI_HOT ||
		((c->encode == RS_ENCODE_INDEX || c->encode == RS_ENCODE_ONE_HOT) && c->n_splits == 0);

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
	if (c->vocabulary.n > 0 && !categories)
		return "categories are for index, one_hot and multi_hot";
	return NULL;
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

/* What one bucket is. */
static void
bucket_meaning(const RsColumn *column, uint32_t i, RsEncoderPosition *out)
{
	if (i >= column->n)
		snprintf(out->meaning, sizeof(out->meaning), "unseen");
	else
		snprintf(out->meaning, sizeof(out->meaning), "[%.9g, %.9g%s", column->splits[i],
				 column->splits[i + 1], i + 2 == column->n_splits ? "]" : ")");
}

void
rs_encoder_position(const RsEncoder *encoder, uint32_t position, RsEncoderPosition *out)
{
	uint32_t c = 0;
	const RsColumn *column;
	uint32_t i;

	/* columns of width 0 are passed over */
	while (position >= encoder->columns[c].first + encoder->columns[c].width)
		c++;
	column = &encoder->columns[c];
	i = position - column->first;
	memset(out, 0, sizeof(*out));
	out->column = column->name;
	out->step = column->encode != RS_ENCODE_NONE ? rs_encode_words[column->encode]
				: column->n_splits > 0           ? "bucketize"
				: column->scale != RS_SCALE_NONE ? rs_scale_words[column->scale]
				: column->log                    ? "log"
												 : "value";
	if (column->encode == RS_ENCODE_HASH)
		snprintf(out->meaning, sizeof(out->meaning), "bin %u of %u", i, column->size);
	else if (column->encode == RS_ENCODE_INDEX)
		snprintf(out->meaning, sizeof(out->meaning), "0 to %u",
				 column->n + (column->unseen == RS_UNSEEN_KEEP ? 1 : 0) - 1);
	else if (column->n_splits > 0)
		bucket_meaning(column, i, out);
	else if (column->encode != RS_ENCODE_NONE)
	{
		if (i < column->n)
			out->category = rs_vocabulary_text(&column->vocabulary, i);
		else
			snprintf(out->meaning, sizeof(out->meaning), "unseen");
	}
	else if (column->scale != RS_SCALE_NONE)
		snprintf(out->meaning, sizeof(out->meaning), "(%s - %.9g) / %.9g",
				 column->log ? "ln(1 + x)" : "x", column->center, column->divisor);
	else
		snprintf(out->meaning, sizeof(out->meaning), "%s", column->log ? "ln(1 + x)" : "x");
}

double
rs_log1p(double x)
{
	return x > -1.0 ? log1p(x) : NAN;
}
