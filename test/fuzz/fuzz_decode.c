/*
 * fuzz_decode.c
 *		libFuzzer over messages, held against PostgreSQL's own JSON parser.
 *
 * What pg_parse_json() takes we must take, and what it refuses we must refuse;
 * the values of the top level must be the same bytes.  The first byte of the
 * input chooses JSON or CSV.
 */
#include "postgres_fe.h"

#include <stdlib.h>
#include <string.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "kafka/decode_csv.h"
#include "kafka/decode_json.h"

#define N_TOP 4
#define N_PATHS 7
static const char *const paths[N_PATHS][3] = {{"a"},      {"b"},           {""},      {"\xc3\xa9"},
											  {"a", "b"}, {"a", "b", "c"}, {"b", "a"}};
static const int n_steps[N_PATHS] = {1, 1, 1, 1, 2, 3, 2};

/*
 * PostgreSQL's parser leaves its memory behind where it fails: take all of it
 * from a list, which each input frees.
 */
typedef struct Block
{
	struct Block *next;
	size_t size;
} Block;

static Block *blocks = NULL;

void *
palloc(Size size)
{
	Block *block = malloc(sizeof(Block) + size);

	block->next = blocks;
	block->size = size;
	blocks = block;
	return block + 1;
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
repalloc(void *pointer, Size size)
{
	size_t old = ((Block *) pointer)[-1].size;

	return memcpy(palloc(size), pointer, Min(old, size));
}

char *
pstrdup(const char *in)
{
	return strcpy(palloc(strlen(in) + 1), in);
}

void
pfree(void *pointer)
{
}

static void
free_blocks(void)
{
	while (blocks != NULL)
	{
		Block *next = blocks->next;

		free(blocks);
		blocks = next;
	}
}

/* What PostgreSQL saw of the top level */
typedef struct Oracle
{
	JsonLexContext *lex;
	bool object;
	int field; /* that is open, or -1 */
	const char *text[N_TOP];
	size_t length[N_TOP];
	bool null[N_TOP];
} Oracle;

static void
field_start(void *state, char *name, bool isnull)
{
	Oracle *oracle = state;

	if (oracle->lex->lex_level != 1)
		return;
	oracle->field = -1;
	for (int i = 0; i < N_TOP; i++)
		if (strcmp(name, paths[i][0]) == 0)
		{
			oracle->field = i;
			oracle->text[i] = oracle->lex->token_start;
			oracle->null[i] = isnull;
		}
}

static void
field_end(void *state, char *name, bool isnull)
{
	Oracle *oracle = state;

	if (oracle->lex->lex_level == 1 && oracle->field >= 0)
		oracle->length[oracle->field] =
			(size_t) (oracle->lex->prev_token_terminator - oracle->text[oracle->field]);
}

static void
object_start(void *state)
{
	Oracle *oracle = state;

	if (oracle->lex->lex_level == 0)
		oracle->object = true;
}

/* Walk an array down to its elements; their slices must lie inside it. */
static void
walk(const RskValue *value, char *buffer)
{
	const char *at = value->text;
	RskValue element;

	if (value->kind == RSK_STRING && rsk_unescape(value, buffer) > value->length)
		abort();
	if (value->kind != RSK_ARRAY)
		return;
	while (rsk_array_next(value, &at, &element))
	{
		if (element.text < value->text || (element.length == 0 && element.kind != RSK_STRING) ||
			element.text + element.length > value->text + value->length)
			abort();
		walk(&element, buffer);
	}
	if (at != value->text + value->length - 1)
		abort();
}

static void
check_json(const char *text, size_t size)
{
	RskNode nodes[16];
	RskPaths compiled;
	RskValue values[N_PATHS];
	RskDecodeFailure failure;
	RskDecodeStatus status;
	Oracle oracle = {.field = -1};
	JsonSemAction sem = {.semstate = &oracle};
	bool valid = pg_encoding_verifymbstr(PG_UTF8, text, (int) size) == (int) size;
	char *buffer = malloc(size + 1);

	rsk_paths_init(&compiled, nodes);
	for (int i = 0; i < N_PATHS; i++)
		if (rsk_paths_add(&compiled, paths[i], n_steps[i]) != i)
			abort();
	status = rsk_decode_json(&compiled, text, size, values, &failure);
	if (status != RSK_DECODE_OK && failure.at > size)
		abort();
	if ((status != RSK_DECODE_ENCODING) != valid)
		abort();
	if (valid && status != RSK_DECODE_DEPTH)
	{
		oracle.lex = makeJsonLexContextCstringLen((char *) text, (int) size, PG_UTF8, true);
		sem.object_field_start = field_start;
		sem.object_field_end = field_end;
		sem.object_start = object_start;
		valid = pg_parse_json(oracle.lex, &sem) == JSON_SUCCESS;
		if (valid != (status == RSK_DECODE_OK || status == RSK_DECODE_NOT_OBJECT))
			abort();
		if (valid && oracle.object != (status == RSK_DECODE_OK))
			abort();
	}
	for (int i = 0; i < N_TOP && status == RSK_DECODE_OK; i++)
	{
		size_t quote = values[i].kind == RSK_STRING ? 1 : 0;

		if ((values[i].kind == RSK_ABSENT) != (oracle.text[i] == NULL))
			abort();
		if (oracle.text[i] == NULL)
			continue;
		if ((values[i].kind == RSK_NULL) != oracle.null[i] ||
			values[i].text - quote != oracle.text[i] ||
			values[i].length + 2 * quote != oracle.length[i])
			abort();
	}
	for (int i = 0; i < N_PATHS && status == RSK_DECODE_OK; i++)
		if (values[i].kind != RSK_ABSENT)
			walk(&values[i], buffer);
	free(buffer);
}

static void
check_csv(const char *text, size_t size, int n)
{
	RskValue values[4];
	RskDecodeFailure failure;
	char *buffer = malloc(size + 1);

	if (rsk_decode_csv(text, size, ',', '"', values, n, &failure) == RSK_DECODE_OK)
		for (int i = 0; i < n; i++)
		{
			if (values[i].text < text || values[i].text + values[i].length > text + size)
				abort();
			if (rsk_unquote(&values[i], '"', buffer) > values[i].length)
				abort();
		}
	else if (failure.at > size)
		abort();
	free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	text = malloc(size); /* its own block: the end is watched */
	memcpy(text, data + 1, size - 1);
	if (data[0] < '0' || data[0] > '4')
		check_json(text, size - 1);
	else
		check_csv(text, size - 1, data[0] - '0');
	free(text);
	free_blocks();
	return 0;
}
