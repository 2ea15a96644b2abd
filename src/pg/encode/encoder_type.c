/*
 * encoder_type.c
 *		The types recsys.encoder and recsys.string_indexer_model: JSON behind a
 *		fingerprint.
 *
 * Whatever comes in, as text or in binary, is read and validated whole by the
 * core and written again in canonical form, so equal values are equal bytes.
 */
#include "pg/base/rspg.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/encoding/encoder_bytes.h"
#include "pg/encode/encoder_type.h"

#define BINARY_VERSION 1

typedef struct varlena *(*FromBytes)(const char *bytes, Size length);

static bool append_piece(void *opaque, const void *bytes, size_t length);
static struct varlena *fingerprinted(StringInfo json);
static struct varlena *receive(StringInfo buffer, FromBytes from_bytes);

PG_FUNCTION_INFO_V1(recsys_encoder_in);
PG_FUNCTION_INFO_V1(recsys_encoder_out);
PG_FUNCTION_INFO_V1(recsys_encoder_recv);
PG_FUNCTION_INFO_V1(recsys_encoder_send);
PG_FUNCTION_INFO_V1(recsys_string_indexer_model_in);
PG_FUNCTION_INFO_V1(recsys_string_indexer_model_recv);

static bool
append_piece(void *opaque, const void *bytes, size_t length)
{
	appendBinaryStringInfo((StringInfo) opaque, bytes, (int) length);
	return true;
}

/* Begin a value: room for header and fingerprint. */
static void
begin(StringInfo json)
{
	initStringInfo(json);
	appendStringInfoSpaces(json, VARHDRSZ + RSPG_FINGERPRINT);
}

static struct varlena *
fingerprinted(StringInfo json)
{
	struct varlena *value = (struct varlena *) json->data;
	const unsigned char *bytes = (unsigned char *) json->data + VARHDRSZ + RSPG_FINGERPRINT;
	int length = json->len - VARHDRSZ - RSPG_FINGERPRINT;
	uint64 fingerprint[2];

	fingerprint[0] = hash_bytes_extended(bytes, length, 0x7265637379730001);
	fingerprint[1] = hash_bytes_extended(bytes, length, 0x7265637379730002);
	memcpy(VARDATA(value), fingerprint, RSPG_FINGERPRINT);
	SET_VARSIZE(value, json->len);
	return value;
}

struct varlena *
rspg_encoder_value(RsContext *ctx, const RsEncoder *encoder)
{
	StringInfoData json;

	begin(&json);
	rspg_check(ctx, rs_encoder_write(ctx, encoder, append_piece, &json));
	return fingerprinted(&json);
}

struct varlena *
rspg_vocabulary_value(RsContext *ctx, const RsVocabulary *v)
{
	StringInfoData json;

	begin(&json);
	rspg_check(ctx, rs_vocabulary_write(ctx, v, append_piece, &json));
	return fingerprinted(&json);
}

void
rspg_fit_check(RsContext *ctx, RsStatus status)
{
	if (status == RS_ERR_LIMIT && ctx->hint[0] == '\0')
		rs_hint(ctx, "Raise recsys.train_memory, fit on a sample of the rows, or encode columns of "
					 "many values by \"hash\".");
	rspg_check(ctx, status);
}

RsEncoder *
rspg_encoder_open(MemoryContext mcxt, const char *bytes, Size length)
{
	RsContext ctx = rspg_context(mcxt);
	RsEncoder *encoder;

	pg_verifymbstr(bytes, (int) length, false);
	rspg_check(&ctx, rs_encoder_read(&ctx, bytes, length, &encoder));
	return encoder;
}

static struct varlena *
encoder_from_bytes(const char *bytes, Size length)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	RsEncoder *encoder = rspg_encoder_open(CurrentMemoryContext, bytes, length);
	struct varlena *value = rspg_encoder_value(&ctx, encoder);

	rs_encoder_free(&ctx, encoder);
	return value;
}

static struct varlena *
vocabulary_from_bytes(const char *bytes, Size length)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	RsVocabulary v = {0};
	struct varlena *value;

	rspg_check(&ctx, rs_vocabulary_read(&ctx, bytes, length, &v));
	value = rspg_vocabulary_value(&ctx, &v);
	rs_vocabulary_free(&ctx, &v);
	return value;
}

/* As jsonb has it: a version, then the text in the client's encoding. */
static struct varlena *
receive(StringInfo buffer, FromBytes from_bytes)
{
	int version = pq_getmsgint(buffer, 1);
	int length;
	char *text;

	if (version != BINARY_VERSION)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("unsupported binary version %d", version),
						errdetail("This library reads version %d.", BINARY_VERSION)));
	text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &length);
	return from_bytes(text, (Size) length);
}

Datum
recsys_encoder_in(PG_FUNCTION_ARGS)
{
	char *text = PG_GETARG_CSTRING(0);

	PG_RETURN_POINTER(encoder_from_bytes(text, strlen(text)));
}

Datum
recsys_string_indexer_model_in(PG_FUNCTION_ARGS)
{
	char *text = PG_GETARG_CSTRING(0);

	PG_RETURN_POINTER(vocabulary_from_bytes(text, strlen(text)));
}

/* Of both types */
Datum
recsys_encoder_out(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);

	PG_RETURN_CSTRING(pnstrdup(RSPG_ENCODER_BYTES(value), RSPG_ENCODER_LENGTH(value)));
}

Datum
recsys_encoder_recv(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(receive((StringInfo) PG_GETARG_POINTER(0), encoder_from_bytes));
}

Datum
recsys_string_indexer_model_recv(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(receive((StringInfo) PG_GETARG_POINTER(0), vocabulary_from_bytes));
}

/* Of both types */
Datum
recsys_encoder_send(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint8(&buffer, BINARY_VERSION);
	pq_sendtext(&buffer, RSPG_ENCODER_BYTES(value), (int) RSPG_ENCODER_LENGTH(value));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* Is it the value of key?  What it is goes to *now. */
static bool
is_value(const RspgValueKey *key, Datum datum, RspgValueKey *now)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);

	memset(now, 0, sizeof(*now));
	if (VARATT_IS_EXTERNAL_ONDISK(value))
	{
		now->length = (uint8) VARSIZE_EXTERNAL(value);
		memcpy(now->bytes, value, now->length);
	}
	else
	{
		if (VARATT_IS_EXTENDED(value))
			value = PG_DETOAST_DATUM_PACKED(datum);
		now->length = RSPG_FINGERPRINT;
		memcpy(now->bytes, VARDATA_ANY(value), RSPG_FINGERPRINT);
	}
	return memcmp(key, now, sizeof(*now)) == 0;
}

RspgKept *
rspg_kept_value(FunctionCallInfo fcinfo, int arg, Size size,
				void (*open)(RspgKept *kept, struct varlena *value))
{
	RspgKept *kept = fcinfo->flinfo->fn_extra;
	RspgValueKey none = {0};
	RspgValueKey key;
	MemoryContext mcxt;

	if (is_value(kept != NULL ? &kept->key : &none, PG_GETARG_DATUM(arg), &key))
		return kept;
	if (kept != NULL)
	{
		fcinfo->flinfo->fn_extra = NULL;
		MemoryContextDelete(kept->mcxt);
	}
	mcxt = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "recsys encoder", ALLOCSET_SMALL_SIZES);
	kept = MemoryContextAllocZero(mcxt, size);
	kept->mcxt = mcxt;
	kept->key = key;
	open(kept, PG_GETARG_VARLENA_PP(arg));
	fcinfo->flinfo->fn_extra = kept;
	return kept;
}
