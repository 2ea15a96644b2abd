/*
 * context.c
 *		Memory with a bound, failure messages, cancellation and progress.
 *
 * Each block carries a 64-byte head with its size, so that rs_free can give the
 * bytes back to the account and every pointer is aligned for vector loads.
 */
#include "core/base/context.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64
#define ZERO_AT_ONCE ((size_t) 32 << 20) /* bytes, some 10 ms with the faults of their pages */

typedef struct BlockHead
{
	void *raw;   /* what the allocator returned */
	size_t size; /* bytes charged to the context */
} BlockHead;

void *
rs_alloc(RsContext *ctx, size_t size)
{
	const size_t extra = ALIGNMENT * 2;
	char *raw;
	char *aligned;
	BlockHead head;

	if (size > SIZE_MAX / 2)
	{
		rs_fail(ctx, RS_ERR_NOMEM, "out of memory");
		rs_detail(ctx, "Failed on a request of %zu bytes.", size);
		return NULL;
	}
	head.size = size + extra;
	if (ctx->memory_limit > 0 &&
		(ctx->memory_used > ctx->memory_limit || head.size > ctx->memory_limit - ctx->memory_used))
	{
		rs_fail(ctx, RS_ERR_LIMIT, "training needs more memory than it may use");
		rs_detail(ctx, "%.1f MB are in use, %.1f MB more were asked for, and the bound is %.1f MB.",
				  (double) ctx->memory_used / 1048576.0, (double) size / 1048576.0,
				  (double) ctx->memory_limit / 1048576.0);
		return NULL;
	}
	raw = ctx->alloc(ctx->opaque, head.size);
	if (raw == NULL)
	{
		rs_fail(ctx, RS_ERR_NOMEM, "out of memory");
		rs_detail(ctx, "Failed on a request of %zu bytes.", head.size);
		return NULL;
	}
	head.raw = raw;
	aligned = (char *) (((uintptr_t) raw + sizeof(BlockHead) + ALIGNMENT - 1) &
						~(uintptr_t) (ALIGNMENT - 1));
	memcpy(aligned - sizeof(BlockHead), &head, sizeof(BlockHead));
	ctx->memory_used += head.size;
	if (ctx->memory_used > ctx->memory_peak)
		ctx->memory_peak = ctx->memory_used;
	return aligned;
}

void *
rs_calloc(RsContext *ctx, size_t count, size_t size)
{
	char *pointer;

	if (size != 0 && count > SIZE_MAX / 2 / size)
	{
		rs_fail(ctx, RS_ERR_NOMEM, "out of memory");
		rs_detail(ctx, "Failed on a request of %zu times %zu bytes.", count, size);
		return NULL;
	}
	size *= count;
	pointer = rs_alloc(ctx, size);
	for (size_t at = 0; pointer != NULL && at < size; at += ZERO_AT_ONCE)
	{
		size_t left = size - at;

		if (at > 0 && rs_check_interrupt(ctx) != RS_OK)
		{
			rs_free(ctx, pointer);
			return NULL;
		}
		memset(pointer + at, 0, left < ZERO_AT_ONCE ? left : ZERO_AT_ONCE);
	}
	return pointer;
}

void *
rs_grow(RsContext *ctx, void *old, size_t used, size_t size)
{
	void *larger = rs_alloc(ctx, size);

	if (larger == NULL)
		return NULL;
	if (used > 0)
		memcpy(larger, old, used);
	rs_free(ctx, old);
	return larger;
}

void
rs_free(RsContext *ctx, void *pointer)
{
	BlockHead head;

	if (pointer == NULL)
		return;
	memcpy(&head, (char *) pointer - sizeof(BlockHead), sizeof(BlockHead));
	ctx->memory_used -= head.size;
	ctx->free(ctx->opaque, head.raw);
}

RsStatus
rs_fail(RsContext *ctx, RsStatus status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ctx->message, sizeof(ctx->message), format, args);
	va_end(args);
	ctx->detail[0] = '\0';
	ctx->hint[0] = '\0';
	ctx->status = status;
	return status;
}

void
rs_detail(RsContext *ctx, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ctx->detail, sizeof(ctx->detail), format, args);
	va_end(args);
}

void
rs_hint(RsContext *ctx, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ctx->hint, sizeof(ctx->hint), format, args);
	va_end(args);
}

RsStatus
rs_check_interrupt(RsContext *ctx)
{
	if (ctx->interrupted != NULL && ctx->interrupted(ctx->opaque))
		return rs_fail(ctx, RS_ERR_CANCELED, "canceled");
	return RS_OK;
}

void
rs_report(RsContext *ctx, const char *phase, int iteration, int iterations, double loss)
{
	RsProgress progress = {phase, iteration, iterations, loss};

	if (ctx->report != NULL)
		ctx->report(ctx->opaque, &progress);
}

static void *
malloc_hook(void *opaque, size_t size)
{
	(void) opaque;
	return malloc(size);
}

static void
free_hook(void *opaque, void *pointer)
{
	(void) opaque;
	free(pointer);
}

RsContext
rs_context_malloc(void)
{
	RsContext ctx = {0};

	ctx.alloc = malloc_hook;
	ctx.free = free_hook;
	ctx.threads = 1;
	return ctx;
}
