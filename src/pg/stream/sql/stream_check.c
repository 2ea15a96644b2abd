/*
 * stream_check.c
 *		A stream checked by a session, the way a worker will.
 */
#include "postgres.h"

#include "pg/stream/sql/stream_check.h"

#include "pg/base/role.h"
#include "pg/stream/definition/stream.h"
#include "pg/stream/write/writer.h"

/*
 * Plan the stream's statements, as a worker will.  That may run functions that
 * others wrote, so it is done with the owner's rights, whoever asks.
 */
static void
check_as_owner(const RspgStream *stream)
{
	RspgRole caller = rspg_role_begin(stream->owner);
	RspgWriter *writer = rspg_writer_create(CurrentMemoryContext, stream);

	rspg_writer_check_defaults(writer);
	rspg_writer_free(writer);
	rspg_role_end(caller);
}

/*
 * Check the row as written, the way a worker will.
 */
void
rspg_stream_validate(const char *name)
{
	RspgStream *stream = rspg_stream_find(name);

	rspg_stream_check(stream);
	check_as_owner(stream);
}
