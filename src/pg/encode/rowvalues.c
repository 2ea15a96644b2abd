/*
 * rowvalues.c
 *		Composite values as the values an encoder takes.
 *
 * A category is the text of its value, in a form that no setting changes, so
 * that encoding stays immutable; types whose text depends on settings are
 * refused.
 */
#include "pg/base/rspg.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/typcache.h"
#include "utils/uuid.h"

#include "pg/encode/rowvalues.h"

/* Where one column of the encoder comes from. */
typedef struct Source
{
	int attribute; /* from 0 */
	Oid type;      /* base type; of a list, that of its elements */
	bool list;
	int16 length;
	bool by_value;
	char align;
	RsEncoderColumn column;
} Source;

struct RspgRowMap
{
	MemoryContext mcxt; /* holds it, and no more */
	Oid type;
	int32 typmod;
	TypeCacheEntry *entry; /* NULL for an anonymous row */
	uint64 identifier;     /* of entry's row type when the map was made */
	TupleDesc desc;
	Datum *values;
	bool *nulls;
	Source sources[FLEXIBLE_ARRAY_MEMBER];
};

static void
wrong_type(const char *column, const char *found, const char *wanted, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" is of type %s, the encoder takes %s", column, found, wanted),
			 errhint("%s", hint)));
}

bool
rspg_is_number(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == FLOAT4OID ||
		   type == FLOAT8OID || type == NUMERICOID;
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == UNKNOWNOID || type == VARCHAROID || type == BPCHAROID ||
		   type == NAMEOID || type == UUIDOID || type == CHAROID || type == BOOLOID ||
		   rspg_is_number(type) || type_is_enum(type);
}

bool
rspg_number_of(Oid type, Datum value, float8 *number)
{
	switch (type)
	{
		case INT2OID:
			*number = DatumGetInt16(value);
			return true;
		case INT4OID:
			*number = DatumGetInt32(value);
			return true;
		case INT8OID:
			*number = (float8) DatumGetInt64(value);
			return true;
		case FLOAT4OID:
			*number = DatumGetFloat4(value);
			return true;
		case FLOAT8OID:
			*number = DatumGetFloat8(value);
			return true;
		case BOOLOID:
			*number = DatumGetBool(value) ? 1 : 0;
			return true;
		case NUMERICOID:
			*number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
			return true;
		default:
			return false;
	}
}

static RsText
text_of_cstring(const char *text)
{
	RsText out = {text, (uint32_t) strlen(text)};

	return out;
}

static RsText
text_of_varlena(Datum value)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);
	RsText out = {VARDATA_ANY(v), (uint32_t) VARSIZE_ANY_EXHDR(v)};

	return out;
}

RsText
rspg_text_of(Oid type, Datum value)
{
	RsText text;
	char *buffer;

	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
			return text_of_varlena(value);
		case BPCHAROID: /* without its padding, as cast to text */
			text = text_of_varlena(value);
			text.length = (uint32_t) bpchartruelen((char *) text.data, (int) text.length);
			return text;
		case NAMEOID:
			return text_of_cstring(NameStr(*DatumGetName(value)));
		case UNKNOWNOID: /* a literal in ROW() */
			return text_of_cstring(DatumGetCString(value));
		case BOOLOID: /* as cast to text, and as JSON has it */
			return text_of_cstring(DatumGetBool(value) ? "true" : "false");
		case INT2OID:
		case INT4OID:
		case INT8OID:
			buffer = palloc(MAXINT8LEN + 1);
			pg_lltoa(type == INT2OID   ? DatumGetInt16(value)
					 : type == INT4OID ? DatumGetInt32(value)
									   : DatumGetInt64(value),
					 buffer);
			return text_of_cstring(buffer);
		case FLOAT4OID:
			buffer = palloc(FLOAT_SHORTEST_DECIMAL_LEN);
			float_to_shortest_decimal_buf(DatumGetFloat4(value), buffer);
			return text_of_cstring(buffer);
		case FLOAT8OID:
			buffer = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
			double_to_shortest_decimal_buf(DatumGetFloat8(value), buffer);
			return text_of_cstring(buffer);
		default: /* numeric, uuid, "char", enums */
		{
			Oid output;
			bool is_varlena;

			getTypeOutputInfo(type, &output, &is_varlena);
			return text_of_cstring(OidOutputFunctionCall(output, value));
		}
	}
}

static void
list_of(const Source *source, Datum value, RsValue *out)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Datum *elements;
	bool *nulls;
	int n;
	int i;
	RsText *list;

	deconstruct_array(array, source->type, source->length, source->by_value, source->align,
					  &elements, &nulls, &n);
	list = palloc0(sizeof(RsText) * Max(n, 1));
	for (i = 0; i < n; i++)
		if (!nulls[i])
			list[i] = rspg_text_of(source->type, elements[i]);
	out->kind = RS_VALUE_LIST;
	out->list = list;
	out->n = (uint32_t) n;
}

/* Find the attribute of a column and check its type. */
static void
map_column(Source *source, TupleDesc desc, int attribute)
{
	const char *name = source->column.name;
	Oid type = getBaseType(TupleDescAttr(desc, attribute)->atttypid);
	Oid element = source->column.lists ? get_element_type(type) : InvalidOid;
	char *found = format_type_be(TupleDescAttr(desc, attribute)->atttypid);

	source->attribute = attribute;
	source->list = OidIsValid(element);
	source->type = source->list ? getBaseType(element) : type;
	if (source->column.number)
	{
		if (!rspg_is_number(source->type) && source->type != BOOLOID)
			wrong_type(name, found, "a number",
					   "Cast it, with recsys.try_cast() where that may fail, or give the column "
					   "\"encode\" in the spec.");
	}
	else if (!is_text(source->type))
		wrong_type(name, found,
				   source->column.lists ? "text, a number, an enum or an array of these"
										: "text, a number or an enum",
				   "Cast it to text: its text form may depend on settings.");
	if (source->list)
		get_typlenbyvalalign(source->type, &source->length, &source->by_value, &source->align);
}

static int
find_attribute(TupleDesc desc, const char *name)
{
	int i;

	for (i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return i;
	return -1;
}

/* Is it what ROW(...) makes, with a value for each column? */
static bool
is_positional(TupleDesc desc, uint32 columns)
{
	char name[16];
	int i;

	if (desc->tdtypeid != RECORDOID || (uint32) desc->natts != columns)
		return false;
	for (i = 0; i < desc->natts; i++)
	{
		snprintf(name, sizeof(name), "f%d", i + 1);
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) != 0)
			return false;
	}
	return true;
}

/* In a context of its own, that an error on the way frees. */
static RspgRowMap *
make_map(const RsEncoder *encoder, HeapTupleHeader row)
{
	MemoryContext mcxt =
		AllocSetContextCreate(CurrentMemoryContext, "recsys row map", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(mcxt);
	uint32 columns = rs_encoder_columns(encoder);
	RspgRowMap *map = palloc0(offsetof(RspgRowMap, sources) + columns * sizeof(Source));
	bool positional;
	uint32 i;

	map->mcxt = mcxt;
	map->type = HeapTupleHeaderGetTypeId(row);
	map->typmod = HeapTupleHeaderGetTypMod(row);
	map->desc = lookup_rowtype_tupdesc_copy(map->type, map->typmod);
	if (map->type != RECORDOID)
	{
		map->entry = lookup_type_cache(map->type, TYPECACHE_TUPDESC);
		map->identifier = map->entry->tupDesc_identifier;
	}
	map->values = palloc(sizeof(Datum) * Max(map->desc->natts, 1));
	map->nulls = palloc(sizeof(bool) * Max(map->desc->natts, 1));
	positional = is_positional(map->desc, columns);
	for (i = 0; i < columns; i++)
	{
		Source *source = &map->sources[i];
		int attribute;

		source->column = rs_encoder_column(encoder, i);
		attribute = positional ? (int) i : find_attribute(map->desc, source->column.name);
		if (attribute < 0)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" of the encoder is not in the row",
								   source->column.name)));
		map_column(source, map->desc, attribute);
	}
	MemoryContextSwitchTo(old);
	return map;
}

static inline bool
is_current(const RspgRowMap *map, HeapTupleHeader row)
{
	return map != NULL && map->type == HeapTupleHeaderGetTypeId(row) &&
		   map->typmod == HeapTupleHeaderGetTypMod(row) &&
		   (map->entry == NULL ||
			(map->entry->tupDesc != NULL && map->entry->tupDesc_identifier == map->identifier));
}

void
rspg_encoder_values_row(const RsEncoder *encoder, HeapTupleHeader row, RsValue *values,
						RspgRowMap **map_place, MemoryContext mcxt)
{
	uint32 columns = rs_encoder_columns(encoder);
	RspgRowMap *map = *map_place;
	HeapTupleData tuple;
	uint32 i;

	if (!is_current(map, row))
	{
		map = make_map(encoder, row);
		MemoryContextSetParent(map->mcxt, mcxt);
		if (*map_place != NULL)
			MemoryContextDelete((*map_place)->mcxt);
		*map_place = map;
	}
	tuple.t_len = HeapTupleHeaderGetDatumLength(row);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = row;
	heap_deform_tuple(&tuple, map->desc, map->values, map->nulls);
	for (i = 0; i < columns; i++)
	{
		const Source *source = &map->sources[i];
		RsValue *value = &values[i];
		Datum datum = map->values[source->attribute];

		if (map->nulls[source->attribute])
			value->kind = RS_VALUE_NULL;
		else if (source->list)
			list_of(source, datum, value);
		else if (source->column.number)
		{
			value->kind = RS_VALUE_NUMBER;
			(void) rspg_number_of(source->type, datum, &value->number);
		}
		else
		{
			value->kind = RS_VALUE_TEXT;
			value->text = rspg_text_of(source->type, datum);
		}
	}
}
