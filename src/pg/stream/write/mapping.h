/*
 * mapping.h
 *		Which column of the target takes what of a message.
 */
#ifndef RSPG_MAPPING_H
#define RSPG_MAPPING_H

#include "pg/stream/definition/stream.h"

#include "kafka/decode_json.h"
#include "kafka/message.h"
#include "pg/stream/write/message_time.h"
#include "pg/stream/write/target.h"

typedef enum RspgFrom
{
	RSPG_FROM_FIELD, /* of the payload */
	RSPG_FROM_KEY,
	RSPG_FROM_HEADERS,
	RSPG_FROM_HEADER,
	RSPG_FROM_PARTITION,
	RSPG_FROM_OFFSET,
	RSPG_FROM_TIMESTAMP,
	RSPG_FROM_PAYLOAD
} RspgFrom;

/* A column that is written, and where its value comes from. */
typedef struct RspgColumn
{
	char *name;
	AttrNumber attnum;
	RspgFrom from;
	int field;    /* RSPG_FROM_FIELD: number of the value */
	char *path;   /* the same for people */
	char *header; /* RSPG_FROM_HEADER: its name */
	RspgTimeFormat format;
	bool required;
	bool is_key;       /* one of upsert_key */
	RskValue fallback; /* the mapping's default; RSK_ABSENT = none */

	/* its type */
	Oid type;
	int32 typmod;
	Oid base;    /* type below domains */
	Oid element; /* of an array, else InvalidOid */
	bool domain;
	FmgrInfo input;
	Oid ioparam;
	void *domain_cache;
} RspgColumn;

typedef struct RspgMapping
{
	int n_columns;
	RspgColumn *columns;
	int n_fields; /* values that a message is decoded to */
	RskPaths paths;
	bool headers_wanted;
	bool any_json; /* a message need not be an object, but JSON, whatever is taken of it */
} RspgMapping;

/* In CurrentMemoryContext.  Errors say what is wrong and what would be right. */
extern RspgMapping *rspg_mapping_create(Relation target, const RspgStream *stream);

/* What a transform is given: one column, the payload as jsonb. */
extern RspgMapping *rspg_mapping_event(void);

#endif
