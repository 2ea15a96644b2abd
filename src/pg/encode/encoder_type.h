/*
 * encoder_type.h
 *		The types recsys.encoder and recsys.string_indexer_model.
 */
#ifndef RSPG_ENCODER_TYPE_H
#define RSPG_ENCODER_TYPE_H

#include "pg/base/rspg.h"

#include "core/encoding/encoder.h"
#include "core/encoding/vocabulary.h"
#include "pg/base/rspg.h"

/*
 * A varlena of 16 bytes of fingerprint, then the encoder's JSON.  The
 * fingerprint tells in O(1) whether a value is the one parsed before.
 */
#define RSPG_FINGERPRINT 16
#define RSPG_ENCODER_BYTES(v) (VARDATA_ANY(v) + RSPG_FINGERPRINT)
#define RSPG_ENCODER_LENGTH(v) ((Size) VARSIZE_ANY_EXHDR(v) - RSPG_FINGERPRINT)

/* As rspg_check, with a hint for what passes recsys.train_memory. */
extern void rspg_fit_check(RsContext *ctx, RsStatus status);

/* Encoder, or labels of a string indexer, to a value. */
extern struct varlena *rspg_encoder_value(RsContext *ctx, const RsEncoder *encoder);
extern struct varlena *rspg_vocabulary_value(RsContext *ctx, const RsVocabulary *v);

/* Which value a datum is: its fingerprint, or where it is stored. */
typedef struct RspgValueKey
{
	uint8 length;
	char bytes[31];
} RspgValueKey;

/* The head of what a function keeps of an argument from call to call. */
typedef struct RspgKept
{
	MemoryContext mcxt; /* holds all of it */
	RspgValueKey key;
} RspgKept;

/* What fn_extra keeps of an argument that is an encoder or labels: size bytes,
 * zeroed, of which open() makes what it needs, once for each value. */
extern RspgKept *rspg_kept_value(FunctionCallInfo fcinfo, int arg, Size size,
								 void (*open)(RspgKept *kept, struct varlena *value));

/* The encoder of bytes from a model or a value, in mcxt; they are checked to be
 * valid in the server's encoding. */
extern RsEncoder *rspg_encoder_open(MemoryContext mcxt, const char *bytes, Size length);

#endif
