/*
 * seam.c
 *		The core's context over PostgreSQL: memory, interrupts, errors.
 *
 * The core never longjmps and its threads never call PostgreSQL.  The allocator
 * therefore says NULL instead of raising, and the interrupt hook decides
 * without raising whether CHECK_FOR_INTERRUPTS() would: the core then joins its
 * threads and returns RS_ERR_CANCELED, and only rspg_check() raises.
 */
#include "pg/base/seam.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "pg/base/progress.h"

/* libpq/libpq.h has it, but pulls in GSSAPI headers that may be absent */
extern bool pq_check_connection(void);

static void *alloc_hook(void *opaque, size_t size);
static void free_hook(void *opaque, void *pointer);
static bool interrupted_hook(void *opaque);
static void report_hook(void *opaque, const RsProgress *progress);
static int status_sqlstate(RsStatus status);

/*
 * A context whose memory comes from mcxt, with no bound and one thread; callers
 * that train set both.
 */
RsContext
rspg_context(MemoryContext mcxt)
{
	RsContext ctx;

	memset(&ctx, 0, sizeof(ctx));
	ctx.alloc = alloc_hook;
	ctx.free = free_hook;
	ctx.interrupted = interrupted_hook;
	ctx.report = report_hook;
	ctx.opaque = mcxt;
	ctx.threads = 1;
	return ctx;
}

static void *
alloc_hook(void *opaque, size_t size)
{
	if (size > MaxAllocHugeSize)
		return NULL;
	return MemoryContextAllocExtended((MemoryContext) opaque, size,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
free_hook(void *opaque, void *pointer)
{
	pfree(pointer);
}

static void
report_hook(void *opaque, const RsProgress *progress)
{
	rspg_progress_update(progress);
}

/*
 * Would CHECK_FOR_INTERRUPTS() raise?  What can be served without raising is
 * served: the barrier, for it holds up DROP DATABASE in every session, and the
 * look at the client's socket.
 */
static bool
interrupted_hook(void *opaque)
{
	if (!PostmasterIsAlive())
		return true;
	if (!InterruptPending)
		return false;
	if (QueryCancelPending || ProcDiePending || ClientConnectionLost)
		return true;
	if (ProcSignalBarrierPending)
		ProcessProcSignalBarrier();
	if (CheckClientConnectionPending)
	{
		CheckClientConnectionPending = false;
		if (client_connection_check_interval > 0)
		{
			if (!pq_check_connection())
			{
				ClientConnectionLost = true;
				return true;
			}
			enable_timeout_after(CLIENT_CONNECTION_CHECK_TIMEOUT, client_connection_check_interval);
		}
	}
	return false;
}

/*
 * Raise what a status says.
 */
void
rspg_check(const RsContext *ctx, RsStatus status)
{
	const char *detail = ctx->detail[0] ? ctx->detail : NULL;
	const char *hint = ctx->hint[0] ? ctx->hint : NULL;

	if (status == RS_OK)
		return;
	if (status == RS_ERR_CANCELED)
	{
		if (!PostmasterIsAlive())
			proc_exit(1);
		CHECK_FOR_INTERRUPTS();
		/* not raised, as when interrupts are held off: still no result */
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED),
						errmsg("canceling statement due to user request")));
	}
	if (status == RS_ERR_LIMIT && hint == NULL)
		hint = "Raise recsys.train_memory, or train on fewer events.";
	ereport(ERROR, (errcode(status_sqlstate(status)), errmsg("%s", ctx->message),
					detail ? errdetail("%s", detail) : 0, hint ? errhint("%s", hint) : 0));
}

static int
status_sqlstate(RsStatus status)
{
	switch (status)
	{
		case RS_ERR_PARAM:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case RS_ERR_EMPTY:
			return ERRCODE_NO_DATA_FOUND;
		case RS_ERR_DIVERGED:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
		case RS_ERR_BYTES:
			return ERRCODE_INVALID_BINARY_REPRESENTATION;
		case RS_ERR_VERSION:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case RS_ERR_LIMIT:
		case RS_ERR_NOMEM:
			return ERRCODE_OUT_OF_MEMORY;
		case RS_ERR_LIBRARY:
			return ERRCODE_UNDEFINED_FILE;
		case RS_OK:
		case RS_ERR_CANCELED:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}
