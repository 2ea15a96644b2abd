/*
 * fuzz_model.c
 *		libFuzzer over model bytes: whatever opens must be served without a fault.
 *
 * The allocator refuses more than 64 MB at once: a small file must not make the
 * reader ask for much.
 */
#include "../unit/models.h"

#define MOST ((size_t) 64 << 20)

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RsContext ctx = {.alloc = fuzz_alloc, .free = fuzz_free, .threads = 1};
	char *copy = malloc(size + 1); /* its own block: aligned, and its end is watched */
	RsStatus status;

	memcpy(copy, data, size);
	status = model_try(&ctx, copy, size);
	if (status != RS_OK && status != RS_ERR_BYTES && status != RS_ERR_VERSION &&
		status != RS_ERR_DIVERGED)
		abort();
	if (ctx.memory_used != 0)
		abort();
	free(copy);
	return 0;
}
