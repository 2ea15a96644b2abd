/*
 * decode_json.c
 *		JSON messages to slices of the fields wanted.
 *
 * One pass over the bytes with an explicit stack of open containers.  Each
 * carries the node of the paths that it stands at, so a key is looked up only
 * where a path leads; everything else is checked and passed over.
 *
 * PostgreSQL's pg_parse_json() is not used: its actions cannot stop it before
 * release 16, it raises an error where the stack ends and it allocates each
 * name and scalar.  The fuzz target holds this parser against it.
 */
#include "kafka/decode_json.h"

#include <stdio.h>
#include <string.h>

#include "core/base/hex.h"
#include "kafka/utf8.h"

typedef struct Frame
{
	const char *start;
	RskNode *node;   /* where its value goes, or NULL */
	RskNode *inside; /* node whose children its keys are, or NULL */
	bool object;
	bool first;
} Frame;

typedef struct Scan
{
	const char *start;
	const char *at;
	const char *end;
	RskValue *values;
	RskDecodeFailure *failure;
	int depth;
	Frame stack[RSK_MAX_DEPTH];
} Scan;

static RskDecodeStatus fail(Scan *scan, RskDecodeStatus status, const char *what);
static RskDecodeStatus scan_string(Scan *scan, RskValue *value);
static RskDecodeStatus scan_escape(Scan *scan);

static unsigned
bucket_of(const char *name, size_t length)
{
	if (length == 0)
		return 0;
	return (unsigned) (length + 3u * (unsigned char) name[0] +
					   7u * (unsigned char) name[length - 1]) %
		   RSK_PATH_BUCKETS;
}

void
rsk_paths_init(RskPaths *paths, RskNode *nodes)
{
	paths->nodes = nodes;
	paths->n_nodes = 1;
	paths->n_fields = 0;
	memset(&nodes[0], 0, sizeof(RskNode));
	nodes[0].field = -1;
}

static RskNode *
find_child(const RskNode *parent, const char *name, size_t length)
{
	RskNode *node = parent->bucket[bucket_of(name, length)];

	while (node != NULL && (node->length != length || memcmp(node->name, name, length) != 0))
		node = node->chain;
	return node;
}

int
rsk_paths_add(RskPaths *paths, const char *const *steps, int n_steps)
{
	RskNode *node = &paths->nodes[0];

	for (int i = 0; i < n_steps; i++)
	{
		size_t length = strlen(steps[i]);
		unsigned bucket = bucket_of(steps[i], length);
		RskNode *child = find_child(node, steps[i], length);

		if (child == NULL)
		{
			child = &paths->nodes[paths->n_nodes++];
			memset(child, 0, sizeof(RskNode));
			child->name = steps[i];
			child->length = length;
			child->field = -1;
			child->chain = node->bucket[bucket];
			node->bucket[bucket] = child;
			child->sibling = node->child;
			node->child = child;
		}
		node = child;
	}
	if (node->field < 0)
		node->field = paths->n_fields++;
	return node->field;
}

static RskDecodeStatus
fail(Scan *scan, RskDecodeStatus status, const char *what)
{
	scan->failure->at = (size_t) (scan->at - scan->start);
	if (scan->at >= scan->end)
		snprintf(scan->failure->message, sizeof(scan->failure->message),
				 "%s, found the end of the message", what);
	else if (status != RSK_DECODE_SYNTAX)
		snprintf(scan->failure->message, sizeof(scan->failure->message), "%s", what);
	else if ((unsigned char) *scan->at > ' ' && (unsigned char) *scan->at < 0x7f)
		snprintf(scan->failure->message, sizeof(scan->failure->message), "%s, found \"%c\"", what,
				 *scan->at);
	else
		snprintf(scan->failure->message, sizeof(scan->failure->message), "%s, found byte 0x%02x",
				 what, (unsigned char) *scan->at);
	return status;
}

/* Past white space; the next byte, or 0 at the end (which no JSON has). */
static inline char
next_byte(Scan *scan)
{
	const char *at = scan->at;

	while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	scan->at = at;
	return at < scan->end ? *at : '\0';
}

/* From a string's opening quote past its closing one. */
static RskDecodeStatus
scan_string(Scan *scan, RskValue *value)
{
	RskDecodeStatus status;

	value->kind = RSK_STRING;
	value->escaped = false;
	value->text = ++scan->at;
	for (;;)
	{
		const char *at = scan->at;

		while (at < scan->end && *at != '"' && *at != '\\' && (unsigned char) *at >= 0x20)
			at++;
		scan->at = at;
		if (at >= scan->end)
			return fail(scan, RSK_DECODE_SYNTAX, "expected the string's closing quote");
		if (*at == '"')
			break;
		if (*at != '\\')
			return fail(scan, RSK_DECODE_SYNTAX, "expected an escape for a control character");
		value->escaped = true;
		if ((status = scan_escape(scan)) != RSK_DECODE_OK)
			return status;
	}
	value->length = (size_t) (scan->at - value->text);
	scan->at++;
	return RSK_DECODE_OK;
}

/* Past one escape; a surrogate pair is one. */
static RskDecodeStatus
scan_escape(Scan *scan)
{
	const char *at = scan->at + 1;
	int code;

	if (at < scan->end && *at != '\0' && strchr("\"\\/bfnrt", *at) != NULL)
	{
		scan->at += 2;
		return RSK_DECODE_OK;
	}
	if (at >= scan->end || *at != 'u')
	{
		scan->at = at;
		return fail(scan, RSK_DECODE_SYNTAX, "expected a character that may be escaped");
	}
	code = rs_hex4(at + 1, scan->end);
	if (code < 0)
		return fail(scan, RSK_DECODE_SYNTAX, "expected four hexadecimal digits after \\u");
	if (code == 0)
		return fail(scan, RSK_DECODE_ZERO, "\\u0000 cannot be converted to text");
	scan->at += 6;
	if (code >= 0xD800 && code <= 0xDBFF)
	{
		int low = -1;

		if (scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u')
			low = rs_hex4(scan->at + 2, scan->end);
		if (low < 0xDC00 || low > 0xDFFF)
			return fail(scan, RSK_DECODE_SYNTAX,
						"expected a low surrogate after the high surrogate");
		scan->at += 6;
	}
	else if (code >= 0xDC00 && code <= 0xDFFF)
		return fail(scan, RSK_DECODE_SYNTAX, "expected a high surrogate before the low surrogate");
	return RSK_DECODE_OK;
}

static const char *
digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

static RskDecodeStatus
scan_number(Scan *scan, RskValue *value)
{
	const char *at = scan->at;
	const char *end = scan->end;
	const char *from;

	value->kind = RSK_NUMBER;
	value->text = at;
	if (*at == '-')
		at++;
	from = at;
	at = digits(at, end);
	if (at == from || (*from == '0' && at > from + 1))
		goto bad;
	if (at < end && *at == '.')
	{
		from = ++at;
		at = digits(at, end);
		if (at == from)
			goto bad;
	}
	if (at < end && (*at == 'e' || *at == 'E'))
	{
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		from = at;
		at = digits(at, end);
		if (at == from)
			goto bad;
	}
	value->length = (size_t) (at - value->text);
	scan->at = at;
	return RSK_DECODE_OK;
bad:
	scan->at = at;
	return fail(scan, RSK_DECODE_SYNTAX, "expected a number's digit");
}

static RskDecodeStatus
scan_word(Scan *scan, RskValue *value, const char *word, RskKind kind)
{
	size_t length = strlen(word);

	if ((size_t) (scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return fail(scan, RSK_DECODE_SYNTAX, "expected a JSON value");
	value->kind = kind;
	value->text = scan->at;
	value->length = length;
	scan->at += length;
	return RSK_DECODE_OK;
}

/* A value that holds no others. */
static RskDecodeStatus
scan_scalar(Scan *scan, RskValue *value, char c)
{
	value->escaped = false;
	switch (c)
	{
		case '"':
			return scan_string(scan, value);
		case 't':
			return scan_word(scan, value, "true", RSK_BOOL);
		case 'f':
			return scan_word(scan, value, "false", RSK_BOOL);
		case 'n':
			return scan_word(scan, value, "null", RSK_NULL);
		default:
			if (c == '-' || (c >= '0' && c <= '9'))
				return scan_number(scan, value);
			return fail(scan, RSK_DECODE_SYNTAX, "expected a JSON value");
	}
}

/* What an earlier key of the same name put below node is gone. */
static void
forget(Scan *scan, const RskNode *node)
{
	for (const RskNode *child = node->child; child != NULL; child = child->sibling)
	{
		if (child->field >= 0)
			scan->values[child->field].kind = RSK_ABSENT;
		forget(scan, child); /* as deep as a path, not as the message */
	}
}

/* The child that a key names; escapes are taken for what they stand for. */
static RskNode *
find_key(const RskNode *parent, const RskValue *key)
{
	char name[6 * RSK_MAX_NAME];

	if (!key->escaped)
		return find_child(parent, key->text, key->length);
	if (key->length > sizeof(name)) /* then it is none of ours: see RSK_MAX_NAME */
		return NULL;
	return find_child(parent, name, rsk_unescape(key, name));
}

/* Take ", key :" or "," of the container that is open; false with *status OK
 * where it was closed. */
static bool
next_member(Scan *scan, Frame *frame, RskNode **node, RskDecodeStatus *status)
{
	char c = next_byte(scan);
	RskValue key;

	*node = NULL;
	*status = RSK_DECODE_OK;
	if (c == (frame->object ? '}' : ']'))
	{
		scan->at++;
		return false;
	}
	if (!frame->first)
	{
		if (c != ',')
		{
			*status = fail(scan, RSK_DECODE_SYNTAX,
						   frame->object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
			return false;
		}
		scan->at++;
		c = next_byte(scan);
	}
	frame->first = false;
	if (!frame->object)
		return true;
	if (c != '"')
	{
		*status = fail(scan, RSK_DECODE_SYNTAX, "expected a key in double quotes");
		return false;
	}
	if ((*status = scan_string(scan, &key)) != RSK_DECODE_OK)
		return false;
	if (next_byte(scan) != ':')
	{
		*status = fail(scan, RSK_DECODE_SYNTAX, "expected \":\"");
		return false;
	}
	scan->at++;
	if (frame->inside != NULL)
		*node = find_key(frame->inside, &key);
	return true;
}

/* Open a container whose value goes to node. */
static RskDecodeStatus
open_container(Scan *scan, RskNode *node, char c)
{
	Frame *frame;

	if (scan->depth >= RSK_MAX_DEPTH)
		return fail(scan, RSK_DECODE_DEPTH, "nested too deep");
	frame = &scan->stack[scan->depth++];
	frame->start = scan->at++;
	frame->object = c == '{';
	frame->first = true;
	frame->node = node;
	frame->inside = frame->object && node != NULL && node->child != NULL ? node : NULL;
	return RSK_DECODE_OK;
}

static void
close_container(Scan *scan)
{
	Frame *frame = &scan->stack[--scan->depth];
	RskValue *value;

	if (frame->node == NULL || frame->node->field < 0)
		return;
	value = &scan->values[frame->node->field];
	value->kind = frame->object ? RSK_OBJECT : RSK_ARRAY;
	value->text = frame->start;
	value->length = (size_t) (scan->at - frame->start);
	value->escaped = false;
}

/* One value with all that it holds. */
static RskDecodeStatus
scan_value(Scan *scan, RskNode *root)
{
	RskNode *node = root;
	RskDecodeStatus status;
	RskValue ignored;

	for (;;)
	{
		char c = next_byte(scan);

		if (node != NULL && node->child != NULL)
			forget(scan, node);
		if (c == '{' || c == '[')
			status = open_container(scan, node, c);
		else
			status = scan_scalar(
				scan, node != NULL && node->field >= 0 ? &scan->values[node->field] : &ignored, c);
		if (status != RSK_DECODE_OK)
			return status;
		for (;;)
		{
			if (scan->depth == 0)
				return RSK_DECODE_OK;
			if (next_member(scan, &scan->stack[scan->depth - 1], &node, &status))
				break;
			if (status != RSK_DECODE_OK)
				return status;
			close_container(scan);
		}
	}
}

RskDecodeStatus
rsk_decode_json(const RskPaths *paths, const char *text, size_t length, RskValue *values,
				RskDecodeFailure *failure)
{
	Scan scan; /* its stack is filled as far as it is used */
	RskDecodeStatus status;
	bool object;
	size_t bad;

	scan.start = scan.at = text;
	scan.end = text + length;
	scan.values = values;
	scan.failure = failure;
	scan.depth = 0;
	for (int i = 0; i < paths->n_fields; i++)
		values[i].kind = RSK_ABSENT;
	if (!rsk_utf8_valid(text, length, &bad))
	{
		scan.at = text + bad;
		return fail(&scan, RSK_DECODE_ENCODING, "not valid UTF-8");
	}
	object = next_byte(&scan) == '{';
	status = scan_value(&scan, &paths->nodes[0]);
	if (status != RSK_DECODE_OK)
		return status;
	if (next_byte(&scan) != '\0' || scan.at < scan.end)
		return fail(&scan, RSK_DECODE_SYNTAX, "expected the end of the message");
	if (!object)
	{
		scan.at = text;
		return fail(&scan, RSK_DECODE_NOT_OBJECT, "expected a JSON object");
	}
	return RSK_DECODE_OK;
}

size_t
rsk_unescape(const RskValue *value, char *out)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *s = value->text;
	const char *end = s + value->length;
	char *o = out;

	if (!value->escaped)
	{
		memcpy(out, s, value->length);
		return value->length;
	}
	while (s < end)
	{
		const char *word;

		if (*s != '\\')
		{
			*o++ = *s++;
			continue;
		}
		s++;
		if (*s == 'u')
		{
			uint32_t code = (uint32_t) rs_hex4(s + 1, end);

			s += 5;
			if (code >= 0xD800 && code <= 0xDBFF)
			{
				code = 0x10000 + ((code & 0x3FF) << 10 | (rs_hex4(s + 2, end) & 0x3FF));
				s += 6;
			}
			o = rsk_utf8_put(o, code);
			continue;
		}
		word = strchr(from, *s);
		*o++ = word != NULL ? to[word - from] : *s;
		s++;
	}
	return (size_t) (o - out);
}

bool
rsk_array_next(const RskValue *array, const char **at, RskValue *element)
{
	static RskNode whole;  /* of a path without steps: field 0 */
	RskDecodeFailure none; /* what is scanned again was right */
	Scan scan;
	char c;

	scan.start = scan.at = *at;
	scan.end = array->text + array->length;
	scan.values = element;
	scan.failure = &none;
	scan.depth = 0;
	c = next_byte(&scan);
	if (c == '[' || c == ',')
	{
		scan.at++;
		c = next_byte(&scan);
	}
	if (c != ']')
	{
		(void) scan_value(&scan, &whole);
		(void) next_byte(&scan);
	}
	*at = scan.at;
	return c != ']';
}
