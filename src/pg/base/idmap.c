/*
 * idmap.c
 *		Ids of items: the three types that a model can hold, as datums and back.
 */
#include "pg/base/idmap.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "pg/base/rspg.h"

RsIdType
rspg_id_type(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return RS_ID_BIGINT;
		case UUIDOID:
			return RS_ID_UUID;
		default:
			return RS_ID_TEXT;
	}
}

Oid
rspg_id_type_oid(RsIdType type)
{
	switch (type)
	{
		case RS_ID_BIGINT:
			return INT8OID;
		case RS_ID_UUID:
			return UUIDOID;
		case RS_ID_TEXT:
			break;
	}
	return TEXTOID;
}

const char *
rspg_id_type_name(RsIdType type)
{
	switch (type)
	{
		case RS_ID_BIGINT:
			return "bigint";
		case RS_ID_UUID:
			return "uuid";
		case RS_ID_TEXT:
			break;
	}
	return "text";
}

/*
 * Number of an id in a dictionary, or -1.  The datum must be of its type.
 */
int64
rspg_ids_find(const RsIds *ids, Datum id)
{
	int64 number;
	text *string;

	switch (ids->type)
	{
		case RS_ID_BIGINT:
			number = DatumGetInt64(id);
			return rs_ids_find(ids, &number, sizeof(number));
		case RS_ID_UUID:
			return rs_ids_find(ids, DatumGetUUIDP(id)->data, UUID_LEN);
		case RS_ID_TEXT:
			break;
	}
	string = DatumGetTextPP(id);
	number = rs_ids_find(ids, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
	if ((Pointer) string != DatumGetPointer(id))
		pfree(string);
	return number;
}

/*
 * The id of item number i, palloc'd where it is not passed by value.
 */
Datum
rspg_ids_datum(const RsIds *ids, uint32 i)
{
	pg_uuid_t *uuid;

	switch (ids->type)
	{
		case RS_ID_BIGINT:
			return Int64GetDatum(ids->bigints[i]);
		case RS_ID_UUID:
			uuid = palloc(sizeof(pg_uuid_t));
			memcpy(uuid->data, ids->uuids + (Size) i * UUID_LEN, UUID_LEN);
			return UUIDPGetDatum(uuid);
		case RS_ID_TEXT:
			break;
	}
	return PointerGetDatum(cstring_to_text_with_len(
		ids->text + ids->text_start[i], (int) (ids->text_start[i + 1] - ids->text_start[i])));
}
