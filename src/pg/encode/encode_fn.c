/*
 * encode_fn.c
 *		recsys.encode(encoder, row): a row through a fitted encoder.
 *
 * The encoder is read once and kept for the life of the calling expression;
 * whether the next row brings the same one is told by its fingerprint.
 */
#include "pg/base/rspg.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "pg/encode/encode_fn.h"
#include "pg/encode/encoder_type.h"
#include "pg/encode/jsonvalues.h"
#include "pg/encode/rowvalues.h"
#include "pg/encode/vector.h"

typedef struct Opened
{
	RspgKept kept;
	RsContext ctx;
	RsEncoder *encoder;
	RsValue *values;
	RspgRowMap *map;
} Opened;

PG_FUNCTION_INFO_V1(recsys_encode_row);
PG_FUNCTION_INFO_V1(recsys_encode_jsonb);
PG_FUNCTION_INFO_V1(recsys_encoder_columns);

static void
open_encoder(RspgKept *kept, struct varlena *value)
{
	Opened *opened = (Opened *) kept;

	opened->ctx = rspg_context(kept->mcxt);
	opened->encoder =
		rspg_encoder_open(kept->mcxt, RSPG_ENCODER_BYTES(value), RSPG_ENCODER_LENGTH(value));
	opened->values =
		MemoryContextAllocZero(kept->mcxt, sizeof(RsValue) * rs_encoder_columns(opened->encoder));
}

/* The encoder of the first argument. */
static Opened *
opened_encoder(FunctionCallInfo fcinfo)
{
	return (Opened *) rspg_kept_value(fcinfo, 0, sizeof(Opened), open_encoder);
}

/* Encode what is in opened->values. */
static Datum
encode_values(FunctionCallInfo fcinfo, Opened *opened)
{
	uint32 width = rs_encoder_width(opened->encoder);
	ArrayType *vector = palloc(RSPG_VECTOR_SIZE(width));
	bool skip;

	rspg_check(&opened->ctx, rs_encoder_encode(&opened->ctx, opened->encoder, opened->values,
											   RSPG_VECTOR_DATA(vector), &skip));
	if (skip)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(rspg_vector_finish(vector, (int) width));
}

Datum
recsys_encode_row(PG_FUNCTION_ARGS)
{
	Opened *opened = opened_encoder(fcinfo);

	rspg_encoder_values_row(opened->encoder, PG_GETARG_HEAPTUPLEHEADER(1), opened->values,
							&opened->map, opened->kept.mcxt);
	return encode_values(fcinfo, opened);
}

Datum
recsys_encode_jsonb(PG_FUNCTION_ARGS)
{
	Opened *opened = opened_encoder(fcinfo);

	rspg_encoder_values_jsonb(opened->encoder, PG_GETARG_JSONB_P(1), true, opened->values);
	return encode_values(fcinfo, opened);
}

/* Encode values, which are freed. */
static bool
encode_into(const RsEncoder *encoder, RsValue *values, float *out)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	bool skip;

	rspg_check(&ctx, rs_encoder_encode(&ctx, encoder, values, out, &skip));
	pfree(values);
	return !skip;
}

bool
rspg_encoder_encode_jsonb(const RsEncoder *encoder, Jsonb *row, float *out)
{
	RsValue *values = palloc0(sizeof(RsValue) * rs_encoder_columns(encoder));

	rspg_encoder_values_jsonb(encoder, row, true, values);
	return encode_into(encoder, values, out);
}

bool
rspg_encoder_encode_row(const RsEncoder *encoder, HeapTupleHeader row, float *out, RspgRowMap **map,
						MemoryContext mcxt)
{
	RsValue *values = palloc0(sizeof(RsValue) * rs_encoder_columns(encoder));

	rspg_encoder_values_row(encoder, row, values, map, mcxt);
	return encode_into(encoder, values, out);
}

/* "gender=M", "age[18, 25)", or the column's own name. */
static char *
position_name(const RsEncoderPosition *position)
{
	if (position->category.data != NULL)
		return psprintf("%s=%.*s", position->column, (int) position->category.length,
						position->category.data);
	if (strcmp(position->meaning, "unseen") == 0)
		return psprintf("%s (unseen)", position->column);
	if (strcmp(position->step, "hash") == 0 || position->meaning[0] == '[')
		return psprintf("%s %s", position->column, position->meaning);
	return pstrdup(position->column);
}

/*
 * recsys.encoder_columns(encoder): rows of (position, name, column_name, step,
 * category, meaning), one a position of the vector.
 */
Datum
recsys_encoder_columns(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	RsEncoder *encoder;
	uint32 i;

	InitMaterializedSRF(fcinfo, 0);
	encoder = rspg_encoder_open(CurrentMemoryContext, RSPG_ENCODER_BYTES(value),
								RSPG_ENCODER_LENGTH(value));
	for (i = 0; i < rs_encoder_width(encoder); i++)
	{
		RsEncoderPosition position;
		Datum values[6];
		bool nulls[6] = {false};

		CHECK_FOR_INTERRUPTS();
		rs_encoder_position(encoder, i, &position);
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = CStringGetTextDatum(position_name(&position));
		values[2] = CStringGetTextDatum(position.column);
		values[3] = CStringGetTextDatum(position.step);
		nulls[4] = position.category.data == NULL;
		if (!nulls[4])
			values[4] = PointerGetDatum(
				cstring_to_text_with_len(position.category.data, (int) position.category.length));
		nulls[5] = position.meaning[0] == '\0';
		if (!nulls[5])
			values[5] = CStringGetTextDatum(position.meaning);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
