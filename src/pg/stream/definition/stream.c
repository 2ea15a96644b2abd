/*
 * stream.c
 *		A stream: a row of recsys.stream, read and checked.
 */
#include "pg/stream/definition/stream.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/base/spi.h"
#include "pg/stream/definition/brokers.h"
#include "pg/stream/definition/secrets.h"

#define COLUMNS                                                                                    \
	"id, name, owner, brokers, topic, target, mapping, options, enabled, generation, system_id, "  \
	"database_id, cluster_id, seek_to"

static RspgStream *read_row(RspgStatement *statement, Datum key);
static RspgStream *stream_from_tuple(HeapTuple tuple, TupleDesc desc);

RspgStream *
rspg_stream_read(int64 id)
{
	static RspgStatement by_id = {"SELECT " COLUMNS
								  " FROM recsys.stream WHERE id OPERATOR(pg_catalog.=) $1",
								  1,
								  {INT8OID},
								  NULL};

	return read_row(&by_id, Int64GetDatum(id));
}

RspgStream *
rspg_stream_find(const char *name)
{
	static RspgStatement by_name = {"SELECT " COLUMNS
									" FROM recsys.stream WHERE name OPERATOR(pg_catalog.=) $1",
									1,
									{TEXTOID},
									NULL};

	return read_row(&by_name, CStringGetTextDatum(name));
}

void
rspg_stream_unknown(const char *name)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("stream \"%s\" does not exist", name),
					errhint("SELECT * FROM recsys.streams shows those that you may see.")));
}

static RspgStream *
read_row(RspgStatement *statement, Datum key)
{
	MemoryContext caller = CurrentMemoryContext;
	RspgStream *stream = NULL;

	rspg_execute(statement, &key, NULL, false);
	MemoryContextSwitchTo(caller);
	if (SPI_processed > 0)
		stream = stream_from_tuple(SPI_tuptable->vals[0], SPI_tuptable->tupdesc);
	SPI_freetuptable(SPI_tuptable);
	return stream;
}

/* A column of fixed size; 0 for NULL */
static Datum
value_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool null;
	Datum value = SPI_getbinval(tuple, desc, column, &null);

	return null ? (Datum) 0 : value;
}

static Jsonb *
jsonb_of(HeapTuple tuple, TupleDesc desc, int column)
{
	bool null;
	Datum value = SPI_getbinval(tuple, desc, column, &null);

	return null ? NULL : (Jsonb *) PG_DETOAST_DATUM_COPY(value);
}

static RspgStream *
stream_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	RspgStream *stream = palloc0(sizeof(RspgStream));

	stream->id = DatumGetInt64(value_of(tuple, desc, 1));
	stream->name = SPI_getvalue(tuple, desc, 2);
	stream->owner = DatumGetObjectId(value_of(tuple, desc, 3));
	stream->brokers = rspg_brokers_normalize(SPI_getvalue(tuple, desc, 4));
	stream->topic = SPI_getvalue(tuple, desc, 5);
	rspg_topic_check(stream->topic);
	stream->target = DatumGetObjectId(value_of(tuple, desc, 6));
	stream->mapping = jsonb_of(tuple, desc, 7);
	rspg_stream_options(jsonb_of(tuple, desc, 8), &stream->options);
	stream->enabled = DatumGetBool(value_of(tuple, desc, 9));
	stream->generation = DatumGetInt64(value_of(tuple, desc, 10));
	stream->cloned = !rspg_stream_is_here(DatumGetInt64(value_of(tuple, desc, 11)),
										  DatumGetObjectId(value_of(tuple, desc, 12)));
	stream->cluster_id = SPI_getvalue(tuple, desc, 13);
	stream->seek_to = SPI_getvalue(tuple, desc, 14);
	if (stream->seek_to != NULL)
		(void) rspg_stream_start_time(stream->seek_to);
	return stream;
}

void
rspg_stream_queue(int64 id, LOCKMODE mode)
{
	Oid relation = get_relname_relid("stream", get_namespace_oid("recsys", false));

	/* numbers that differ by 2^32 share a queue, which does no harm */
	LockDatabaseObject(relation, (Oid) id, 0, mode);
}

bool
rspg_stream_is_here(int64 system_id, Oid database_id)
{
	return system_id == (int64) GetSystemIdentifier() && database_id == MyDatabaseId;
}

/*
 * A worker runs triggers and functions of the target, which strangers may have
 * written: never with the rights of a superuser.  It connects as the owner, so
 * the owner must be able to.
 */
RspgOwnerFault
rspg_stream_owner_fault(Oid owner)
{
	HeapTuple tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	RspgOwnerFault fault = RSPG_OWNER_RIGHT;

	if (!HeapTupleIsValid(tuple))
		return RSPG_OWNER_GONE;
	if (((Form_pg_authid) GETSTRUCT(tuple))->rolsuper)
		fault = RSPG_OWNER_SUPERUSER;
	else if (!((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin)
		fault = RSPG_OWNER_NO_LOGIN;
	ReleaseSysCache(tuple);
	return fault;
}

static void
check_owner(Oid owner)
{
	switch (rspg_stream_owner_fault(owner))
	{
		case RSPG_OWNER_RIGHT:
			break;
		case RSPG_OWNER_GONE:
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("role %u, owner of the stream, does not exist", owner)));
			break;
		case RSPG_OWNER_SUPERUSER:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("superuser \"%s\" cannot own a stream", GetUserNameFromId(owner, true)),
					 errdetail("Its worker would run triggers of the target as superuser."),
					 errhint("SET ROLE to the role that owns the target, or create one with "
							 "LOGIN and INSERT on it.")));
			break;
		case RSPG_OWNER_NO_LOGIN:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("role \"%s\" cannot own a stream", GetUserNameFromId(owner, true)),
					 errdetail("The worker connects as the owner, who is not permitted to log in."),
					 errhint("ALTER ROLE %s LOGIN; without a password nobody else can.",
							 quote_identifier(GetUserNameFromId(owner, false)))));
	}
}

void
rspg_stream_check(const RspgStream *stream)
{
	RskSetting *settings;

	check_owner(stream->owner);
	rspg_brokers_check(stream->brokers);
	if (stream->options.secret != NULL)
		(void) rspg_secret_settings(stream->options.secret, stream->owner, stream->brokers,
									&settings);
}

int
rspg_stream_settings(const RspgStream *stream, RskSetting **settings)
{
	const RspgStreamOptions *options = &stream->options;
	RskSetting *secret = NULL;
	int n_secret = 0;
	int n = 0;
	int i;

	if (options->secret != NULL)
		n_secret = rspg_secret_settings(options->secret, stream->owner, stream->brokers, &secret);
	*settings = palloc0(sizeof(RskSetting) * (1 + options->n_kafka + n_secret));
	(*settings)[n].name = "isolation.level";
	(*settings)[n++].value = options->read_committed ? "read_committed" : "read_uncommitted";
	for (i = 0; i < options->n_kafka; i++)
		(*settings)[n++] = options->kafka[i];
	for (i = 0; i < n_secret; i++)
		(*settings)[n++] = secret[i];
	return n;
}
