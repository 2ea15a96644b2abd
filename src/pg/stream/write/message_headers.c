/*
 * message_headers.c
 *		Headers of messages, and their form in SQL: [["name", value], …].
 */
#include "pg/stream/write/message_headers.h"

#include "common/base64.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "kafka/utf8.h"
#include "pg/base/jsonb_read.h"

RskHeader *
rspg_message_headers(const RskMessage *message, int *n)
{
	RskHeader *headers = NULL;

	*n = rsk_message_headers(message, NULL, 0);
	if (*n > 0)
	{
		headers = palloc(*n * sizeof(RskHeader));
		*n = rsk_message_headers(message, headers, *n);
	}
	return headers;
}

/* Bytes as a JSON string where they are text, else {"base64": "…"}. */
static void
append_json_bytes(StringInfo out, const char *bytes, size_t length)
{
	size_t bad;
	char *text;
	int room;
	int n;
	bool text_here = rsk_utf8_valid(bytes, length, &bad);

	if (text_here && GetDatabaseEncoding() != PG_UTF8)
		for (bad = 0; bad < length && text_here; bad++)
			text_here = (bytes[bad] & 0x80) == 0; /* may have no place in the encoding */
	if (text_here)
	{
		escape_json(out, pnstrdup(bytes, length));
		return;
	}
	room = pg_b64_enc_len(length);
	text = palloc(room + 1);
	n = pg_b64_encode((const void *) bytes, length, text, room); /* uint8 since 18 */
	text[n] = '\0';
	appendStringInfo(out, "{\"base64\": \"%s\"}", text);
}

char *
rspg_headers_json(const RskHeader *headers, int n)
{
	StringInfoData out;
	int i;

	initStringInfo(&out);
	appendStringInfoChar(&out, '[');
	for (i = 0; i < n; i++)
	{
		appendStringInfoString(&out, i > 0 ? ", [" : "[");
		append_json_bytes(&out, headers[i].name, strlen(headers[i].name));
		appendStringInfoString(&out, ", ");
		if (headers[i].value == NULL)
			appendStringInfoString(&out, "null");
		else
			append_json_bytes(&out, headers[i].value, headers[i].length);
		appendStringInfoChar(&out, ']');
	}
	appendStringInfoChar(&out, ']');
	return out.data;
}

/* Bytes as append_json_bytes() wrote them; of anything else NULL. */
static const char *
read_bytes(JsonbValue *value, size_t *length)
{
	JsonbContainer *object = rspg_jsonb_object(value);
	char *bytes;
	int n;

	*length = value->type == jbvString ? value->val.string.len : 0;
	if (object == NULL)
		return rspg_jsonb_string(value);
	value = rspg_jsonb_member(object, "base64");
	if (value == NULL || value->type != jbvString)
		return NULL;
	n = pg_b64_dec_len(value->val.string.len);
	bytes = palloc(n + 1);
	n = pg_b64_decode(value->val.string.val, value->val.string.len, (void *) bytes, n);
	if (n < 0)
		return NULL;
	bytes[n] = '\0';
	*length = n;
	return bytes;
}

void
rspg_headers_read(Jsonb *json, RskMessage *message)
{
	RskHeader *headers = palloc((JB_ROOT_COUNT(json) + 1) * sizeof(RskHeader));
	JsonbIterator *iterator = JsonbIteratorInit(&json->root);
	JsonbValue pair;

	message->headers = headers;
	message->n_headers = 0;
	while (rspg_jsonb_next_element(&iterator, &pair))
	{
		JsonbContainer *array = rspg_jsonb_array(&pair);
		RskHeader *header = &headers[message->n_headers];
		size_t length;

		if (array == NULL || JsonContainerSize(array) != 2)
			continue;
		header->name = read_bytes(getIthJsonbValueFromContainer(array, 0), &length);
		header->value = read_bytes(getIthJsonbValueFromContainer(array, 1), &header->length);
		if (header->name != NULL)
			message->n_headers++;
	}
}
