/*
 * context.h
 *		What the core gets from its caller: memory, cancellation, progress, threads.
 *
 * The core knows no PostgreSQL: it never longjmps, prints or exits.  Every
 * function that can fail takes an RsContext, returns an RsStatus and leaves a
 * message in the context; src/pg turns that into an SQLSTATE.
 *
 * Allocation and the callbacks are for the main thread only.
 */
#ifndef RS_CONTEXT_H
#define RS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum RsStatus
{
	RS_OK = 0,
	RS_ERR_PARAM,    /* an option or argument is out of its range */
	RS_ERR_EMPTY,    /* nothing to train on */
	RS_ERR_DIVERGED, /* training left the finite numbers */
	RS_ERR_BYTES,    /* model bytes are not a valid model */
	RS_ERR_VERSION,  /* model bytes are of a later format */
	RS_ERR_LIMIT,    /* would pass the memory bound or a size limit */
	RS_ERR_NOMEM,    /* the allocator said no */
	RS_ERR_CANCELED, /* interrupted() said so */
	RS_ERR_LIBRARY   /* OpenBLAS is missing or unusable */
} RsStatus;

typedef struct RsProgress
{
	const char *phase; /* static text: "sorting events", "fitting", … */
	int iteration;     /* done so far, 0 before the first */
	int iterations;    /* planned, 0 when unknown */
	double loss;       /* NaN when the algorithm has none */
} RsProgress;

typedef struct RsContext
{
	/* Set by the caller; alloc gets a size > 0 and returns NULL on failure. */
	void *(*alloc)(void *opaque, size_t size);
	void (*free)(void *opaque, void *pointer);
	bool (*interrupted)(void *opaque);                        /* may be NULL; main thread only */
	void (*report)(void *opaque, const RsProgress *progress); /* may be NULL */
	void *opaque;
	int threads;         /* upper bound, main thread included; at least 1 */
	size_t memory_limit; /* bytes, 0 = none */

	/* Kept by the core. */
	size_t memory_used;
	size_t memory_peak;
	RsStatus status;   /* of the last rs_fail() */
	char message[256]; /* primary message: lower case, no period */
	char detail[512];  /* sentence, or empty */
	char hint[512];    /* sentence, or empty */
} RsContext;

/* Receives consecutive pieces of any length; false stops with RS_ERR_CANCELED. */
typedef bool (*RsSink)(void *opaque, const void *bytes, size_t length);

/* Allocate size bytes aligned to 64, or return NULL with ctx->status set
 * (RS_ERR_LIMIT before asking the allocator, RS_ERR_NOMEM after).  size 0 is
 * allowed and gives a pointer that can be freed.  Contents undefined. */
extern void *rs_alloc(RsContext *ctx, size_t size);

/* Same for count elements of size bytes, zeroed, with an overflow check.  Much of
 * it polls for cancel: NULL with RS_ERR_CANCELED. */
extern void *rs_calloc(RsContext *ctx, size_t count, size_t size);

/* A block of size bytes that begins with the first used bytes of old, which is
 * freed; NULL, with old as it was, on failure. */
extern void *rs_grow(RsContext *ctx, void *old, size_t used, size_t size);

/* Free what rs_alloc gave; NULL is allowed. */
extern void rs_free(RsContext *ctx, void *pointer);

/* Set status and message, clear detail and hint, return status. */
extern RsStatus rs_fail(RsContext *ctx, RsStatus status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
extern void rs_detail(RsContext *ctx, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
extern void rs_hint(RsContext *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ask the caller whether to stop; sets RS_ERR_CANCELED and returns it if so. */
extern RsStatus rs_check_interrupt(RsContext *ctx);

/* Tell the caller where the work is. */
extern void rs_report(RsContext *ctx, const char *phase, int iteration, int iterations,
					  double loss);

/* A context over malloc, for tests and tools: no limit, one thread. */
extern RsContext rs_context_malloc(void);

#endif
