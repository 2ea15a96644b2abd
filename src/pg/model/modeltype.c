/*
 * modeltype.c
 *		The type recsys.model: safetensors bytes as a value.
 *
 * Whatever comes in, as text (base64), in binary or as bytea, is validated
 * whole by the core: it is input from strangers.  Values are stored external
 * and uncompressed, for floats do not compress.
 */
#include "pg/model/modeltype.h"

#include "common/base64.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/algorithms/algorithms.h"
#include "core/model/modelbytes.h"
#include "core/model/modelread.h"
#include "pg/base/guc.h"
#include "pg/base/rspg.h"

PG_FUNCTION_INFO_V1(recsys_model_in);
PG_FUNCTION_INFO_V1(recsys_model_out);
PG_FUNCTION_INFO_V1(recsys_model_recv);
PG_FUNCTION_INFO_V1(recsys_model_send);
PG_FUNCTION_INFO_V1(recsys_bytea_to_model);
PG_FUNCTION_INFO_V1(recsys_model_to_bytea);

#define PIECE 3145728 /* bytes of a model that are read or written as text at a time */

static bool append_piece(void *opaque, const void *bytes, size_t length);

/* Room for length bytes of model, within the bound. */
struct varlena *
rspg_model_allocate(uint64 length)
{
	struct varlena *value;

	if (length > (uint64) recsys_max_model_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model of %.1f kB is larger than a value of type recsys.model may be",
						(double) length / 1024.0),
				 errdetail("recsys.max_model_size is %d kB.", recsys_max_model_size),
				 errhint("Train a registered model with recsys.train(), which knows no such "
						 "limit, raise recsys.max_model_size, or choose fewer factors or "
						 "neighbors.")));
	value = palloc(VARHDRSZ + 4 + length);
	SET_VARSIZE(value, VARHDRSZ + 4 + length);
	memset(VARDATA(value), 0, 4);
	return value;
}

/*
 * Raise an error unless the bytes are a model.
 */
void
rspg_model_validate(struct varlena *value)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	RsModel model;

	rspg_check(&ctx, rs_model_read(&ctx, rs_algorithms(), RSPG_MODEL_BYTES(value),
								   RSPG_MODEL_LENGTH(value), &model));
	rspg_check_text_ids(&model.ids);
	rs_model_free(&ctx, &model);
}

/*
 * Text ids come from strangers: they must be valid in the server's encoding
 * before they are handed out as text.
 */
void
rspg_check_text_ids(const RsIds *ids)
{
	uint32 i;

	if (ids->type != RS_ID_TEXT)
		return;
	for (i = 0; i < ids->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		pg_verifymbstr(ids->text + ids->text_start[i],
					   (int) (ids->text_start[i + 1] - ids->text_start[i]), false);
	}
}

/* Validated value from bytes. */
static struct varlena *
value_from_bytes(const char *bytes, Size length)
{
	struct varlena *value = rspg_model_allocate(length);

	memcpy((char *) RSPG_MODEL_BYTES(value), bytes, length);
	rspg_model_validate(value);
	return value;
}

struct varlena *
rspg_model_value(RsContext *ctx, const RsModel *model)
{
	struct varlena *value = rspg_model_allocate(rs_model_size(model));
	char *next = (char *) RSPG_MODEL_BYTES(value);

	rspg_check(ctx, rs_model_write(ctx, model, append_piece, &next));
	return value;
}

static bool
append_piece(void *opaque, const void *bytes, size_t length)
{
	char **next = opaque;

	memcpy(*next, bytes, length);
	*next += length;
	return true;
}

/* Where the next piece of a base64 text ends: after as many digits as PIECE bytes
 * take, white space aside. */
static const char *
piece_end(const char *text)
{
	Size digits = 0;

	for (; *text != '\0' && digits < PIECE / 3 * 4; text++)
		digits += *text != ' ' && *text != '\t' && *text != '\n' && *text != '\r';
	return text;
}

/* In pieces, for cancel is to be heard; bytes are char before PostgreSQL 18 and
 * uint8 since. */
Datum
recsys_model_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	struct varlena *value = rspg_model_allocate((uint64) pg_b64_dec_len((int) strlen(text)));
	char *bytes = (char *) RSPG_MODEL_BYTES(value);
	Size used = 0;

	while (*text != '\0')
	{
		const char *end = piece_end(text);
		int length = pg_b64_decode(text, (int) (end - text), (void *) (bytes + used),
								   (int) (RSPG_MODEL_LENGTH(value) - used));

		CHECK_FOR_INTERRUPTS();
		if (length < 0 || (*end != '\0' && length < PIECE))
			ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
							errmsg("invalid input syntax for type %s", "recsys.model"),
							errdetail("A model is written in base64.")));
		used += (Size) length;
		text = end;
	}
	SET_VARSIZE(value, VARHDRSZ + 4 + used);
	rspg_model_validate(value);
	PG_RETURN_POINTER(value);
}

Datum
recsys_model_out(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_P(0);
	int room = pg_b64_enc_len((int) RSPG_MODEL_LENGTH(value));
	char *text = palloc((Size) room + 1);
	int length = 0;

	for (Size at = 0; at < RSPG_MODEL_LENGTH(value); at += PIECE)
	{
		int piece = pg_b64_encode((const void *) (RSPG_MODEL_BYTES(value) + at),
								  (int) Min(PIECE, RSPG_MODEL_LENGTH(value) - at), text + length,
								  room - length);

		CHECK_FOR_INTERRUPTS();
		if (piece < 0)
			elog(ERROR, "could not encode a model");
		length += piece;
	}
	text[length] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
recsys_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo buffer = (StringInfo) PG_GETARG_POINTER(0);
	int length = buffer->len - buffer->cursor;

	PG_RETURN_POINTER(value_from_bytes(pq_getmsgbytes(buffer, length), (Size) length));
}

Datum
recsys_model_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(DirectFunctionCall1(recsys_model_to_bytea, PG_GETARG_DATUM(0)));
}

Datum
recsys_bytea_to_model(PG_FUNCTION_ARGS)
{
	bytea *bytes = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_POINTER(value_from_bytes(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

Datum
recsys_model_to_bytea(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_P(0);
	bytea *bytes = palloc(VARHDRSZ + RSPG_MODEL_LENGTH(value));

	SET_VARSIZE(bytes, VARHDRSZ + RSPG_MODEL_LENGTH(value));
	memcpy(VARDATA(bytes), RSPG_MODEL_BYTES(value), RSPG_MODEL_LENGTH(value));
	PG_RETURN_BYTEA_P(bytes);
}
