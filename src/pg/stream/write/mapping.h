/*
 * mapping.h
 *		Which column of the target takes what of a message.
 */
#ifndef RSPG_MAPPING_H
#define RSPG_MAPPING_H

#include "pg/stream/definition/stream.h"

#include "access/tupdesc.h"
#include "nodes/primnodes.h"
#include "utils/rel.h"

#include "kafka/decode_json.h"
#include "kafka/message.h"

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

typedef enum RspgTimeFormat
{
	RSPG_TIME_ANY, /* what the type's input function takes */
	RSPG_TIME_EPOCH_MS,
	RSPG_TIME_EPOCH_S,
	RSPG_TIME_ISO
} RspgTimeFormat;

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
	RskValue fallback; /* the mapping's default; RSK_ABSENT = none */
	Expr *column_default;

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
} RspgMapping;

/* In CurrentMemoryContext.  Errors say what is wrong and what would be right. */
extern RspgMapping *rspg_mapping_create(Relation target, const RspgStream *stream);

/* The column of the target of that name that may be written, or an error that
 * says what is asked for. */
extern AttrNumber rspg_target_column(Relation target, const char *name);

/* May an INSERT give this column a value? */
extern bool rspg_column_writable(Form_pg_attribute attribute);

/* --- mapping_rules.c --- */
#define RSPG_MAX_STEPS 16 /* of a path */

/* What the mapping says of the column. */
extern void rspg_mapping_rule(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column,
							  JsonbValue *rule);

/* The column's value is at this path of the payload. */
extern void rspg_mapping_path(RspgMapping *mapping, const RspgStream *stream, RspgColumn *column,
							  const char *const *steps, int n);

/* --- convert.c --- */

/* A column's value: present, NULL, or left to the column's default. */
typedef enum RspgCell
{
	RSPG_CELL_VALUE,
	RSPG_CELL_NULL,
	RSPG_CELL_ABSENT
} RspgCell;

/*
 * What the column takes of a message whose values were decoded; headers are the
 * message's.  Raises what the type's input function raises; the caller's
 * subtransaction catches it.
 */
extern RspgCell rspg_convert(RspgColumn *column, const RskMessage *message, const RskValue *values,
							 const RskHeader *headers, int n_headers,
							 const RspgStreamOptions *options, Datum *value);

/* The same of the mapping's default. */
extern RspgCell rspg_convert_default(RspgColumn *column, const RspgStreamOptions *options,
									 Datum *value);

/* Raise if a default is no value of its column. */
extern void rspg_convert_defaults(RspgMapping *mapping, const RspgStreamOptions *options);

/* [[name, value], …] as JSON: text as a string, other bytes as {"base64": "…"}. */
extern char *rspg_headers_json(const RskHeader *headers, int n);

#endif
