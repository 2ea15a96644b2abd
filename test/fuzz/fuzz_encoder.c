/*
 * fuzz_encoder.c
 *		libFuzzer over encoders: the same input is tried as the bytes of an
 *		encoder, as labels and as a spec.  What opens must encode any row, and
 *		its bytes must be read again as they were written.
 *
 * The allocator refuses more than 64 MB at once: a small file must not make the
 * reader ask for much.
 */
#include "../unit/encoders.h"

#include "core/encoding/vocabulary.h"

#define MOST ((size_t) 64 << 20)
#define MAX_COLUMNS 64

static void *
fuzz_alloc(void *opaque, size_t size)
{
	(void) opaque;
	if (size > MOST)
		abort();
	return malloc(size);
}

static void
fuzz_free(void *opaque, void *pointer)
{
	(void) opaque;
	free(pointer);
}

/* A value of every kind in turn, whatever the column takes. */
static RsValue
any_value(uint32_t i)
{
	static const RsText list[] = {{"a", 1}, {NULL, 0}, {"", 0}, {"M", 1}};
	RsValue value = null();

	switch (i % 9)
	{
		case 0:
			return number(20);
		case 1:
			return number(-0.5);
		case 2:
			return number(1e300);
		case 3:
			return number(NAN);
		case 4:
			return text("M");
		case 5:
			return text("a|b||M");
		case 6:
			value.kind = RS_VALUE_LIST;
			value.list = list;
			value.n = 4;
			return value;
		case 7:
			value.kind = RS_VALUE_MISSING;
			return value;
		default:
			return value;
	}
}

static void
use(RsContext *ctx, const RsEncoder *e)
{
	RsValue values[MAX_COLUMNS];
	float *out = malloc((size_t) rs_encoder_width(e) * sizeof(float) + 1);
	char *bytes = encoder_text(ctx, e);
	char *twice;
	RsEncoder *again;
	bool skip;

	for (uint32_t kind = 0; kind < 9 && rs_encoder_columns(e) <= MAX_COLUMNS; kind++)
	{
		for (uint32_t i = 0; i < rs_encoder_columns(e); i++)
			values[i] = any_value(kind + i);
		if (rs_encoder_encode(ctx, e, values, out, &skip) == RS_OK && !skip)
			for (uint32_t i = 0; i < rs_encoder_width(e); i++)
				if (!isfinite(out[i]))
					abort();
	}
	for (uint32_t i = 0; i < rs_encoder_width(e) && i < 1000; i++)
	{
		RsEncoderPosition position;

		rs_encoder_position(e, i, &position);
	}
	if (rs_encoder_read(ctx, bytes, strlen(bytes), &again) != RS_OK)
		abort();
	twice = encoder_text(ctx, again);
	if (strcmp(bytes, twice) != 0)
		abort();
	rs_encoder_free(ctx, again);
	free(twice);
	free(bytes);
	free(out);
}

static void
try_spec(RsContext *ctx, const char *bytes, size_t size)
{
	RsEncoderFit *fitting;
	RsEncoder *e;
	RsValue values[MAX_COLUMNS];
	RsStatus status = rs_encoder_fit_create(ctx, bytes, size, &fitting);
	uint32_t columns;

	if (status != RS_OK)
	{
		if (status != RS_ERR_PARAM)
			abort();
		return;
	}
	columns = rs_encoder_columns(rs_encoder_fit_target(fitting));
	for (uint32_t row = 0; row < 20 && columns <= MAX_COLUMNS && status == RS_OK; row++)
	{
		for (uint32_t i = 0; i < columns; i++)
			values[i] = any_value(row + i == 2 ? 0 : row + i);
		status = rs_encoder_fit_add(ctx, fitting, values);
	}
	if (status == RS_OK && rs_encoder_fit_finish(ctx, fitting, &e) == RS_OK)
	{
		use(ctx, e);
		rs_encoder_free(ctx, e);
	}
	rs_encoder_fit_free(ctx, fitting);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RsContext ctx = {.alloc = fuzz_alloc, .free = fuzz_free, .threads = 1};
	char *copy = malloc(size + 1); /* its own block: its end is watched */
	RsEncoder *e;
	RsVocabulary v = {0};
	RsStatus status;

	memcpy(copy, data, size);
	status = rs_encoder_read(&ctx, copy, size, &e);
	if (status == RS_OK)
		use(&ctx, e);
	else if (status != RS_ERR_BYTES && status != RS_ERR_VERSION && status != RS_ERR_LIMIT)
		abort();
	rs_encoder_free(&ctx, e);
	status = rs_vocabulary_read(&ctx, copy, size, &v);
	if (status != RS_OK && status != RS_ERR_BYTES)
		abort();
	rs_vocabulary_free(&ctx, &v);
	try_spec(&ctx, copy, size);
	if (ctx.memory_used != 0)
		abort();
	free(copy);
	return 0;
}
