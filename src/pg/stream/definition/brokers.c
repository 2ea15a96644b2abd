/*
 * brokers.c
 *		Addresses of brokers and names of topics: their syntax, and
 *		recsys.allowed_brokers.
 *
 * The server connects to these addresses, so a role that may create streams can
 * reach what only the server reaches: recsys.allowed_brokers narrows that.
 */
#include "pg/stream/definition/brokers.h"

#include <ctype.h>

#include "lib/stringinfo.h"
#include "utils/guc.h"

#define DEFAULT_PORT 9092
#define MAX_BROKERS 64
#define MAX_HOST_BYTES 253
#define MAX_TOPIC_BYTES 249

/*
 * recsys.allowed_brokers: host or host:port, comma-separated; empty: any.
 */
static char *recsys_allowed_brokers = NULL;

/* One address; port 0 = not given. */
typedef struct Broker
{
	const char *host; /* brackets of IPv6 included */
	int host_length;
	int port;
} Broker;

/* Past a host at text, or text itself when there is none. */
static const char *
skip_host(const char *text)
{
	const char *end = text;

	if (*text == '[')
	{
		for (end++; isxdigit((unsigned char) *end) || *end == ':' || *end == '.'; end++)
			;
		return *end == ']' && end - text > 2 ? end + 1 : text;
	}
	while (isalnum((unsigned char) *end) || *end == '.' || *end == '-' || *end == '_')
		end++;
	return end;
}

/* A number from 1 to 65535, or 0. */
static int
read_port(const char **cursor)
{
	int port = 0;
	int digits;

	for (digits = 0; digits < 5 && isdigit((unsigned char) **cursor); digits++, (*cursor)++)
		port = port * 10 + (**cursor - '0');
	return port <= 65535 ? port : 0;
}

/*
 * Read the next address of a list, and the comma behind it.  False when the
 * text is not one.
 */
static bool
next_broker(const char **cursor, Broker *broker)
{
	const char *end;

	while (**cursor == ' ')
		(*cursor)++;
	broker->host = *cursor;
	end = skip_host(*cursor);
	broker->host_length = end - *cursor;
	broker->port = 0;
	if (broker->host_length == 0 || broker->host_length > MAX_HOST_BYTES)
		return false;
	*cursor = end;
	if (**cursor == ':')
	{
		(*cursor)++;
		broker->port = read_port(cursor);
		if (broker->port == 0)
			return false;
	}
	while (**cursor == ' ')
		(*cursor)++;
	if (**cursor == '\0')
		return true;
	if (**cursor != ',')
		return false;
	(*cursor)++;
	return **cursor != '\0';
}

char *
rspg_brokers_normalize(const char *brokers)
{
	const char *cursor = brokers;
	StringInfoData list;
	Broker broker;
	int n = 0;
	int i;

	initStringInfo(&list);
	do
	{
		if (n == MAX_BROKERS || !next_broker(&cursor, &broker))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("brokers must be a list of 1 to %d addresses", MAX_BROKERS),
					 errdetail("Address %d is not host or host:port.", n + 1),
					 errhint("For example: 'kafka1.example.com:9092,kafka2.example.com:9092'.")));
		appendStringInfoString(&list, n++ > 0 ? "," : "");
		for (i = 0; i < broker.host_length; i++)
			appendStringInfoChar(&list, pg_ascii_tolower((unsigned char) broker.host[i]));
		appendStringInfo(&list, ":%d", broker.port != 0 ? broker.port : DEFAULT_PORT);
	} while (*cursor != '\0');
	return list.data;
}

static bool
is_allowed(const Broker *broker)
{
	const char *cursor = recsys_allowed_brokers;
	Broker allowed;

	while (*cursor != '\0' && next_broker(&cursor, &allowed))
		if (allowed.host_length == broker->host_length &&
			pg_strncasecmp(allowed.host, broker->host, broker->host_length) == 0 &&
			(allowed.port == 0 || allowed.port == broker->port))
			return true;
	return false;
}

void
rspg_brokers_check(const char *brokers)
{
	const char *cursor = brokers;
	Broker broker;

	if (recsys_allowed_brokers == NULL || recsys_allowed_brokers[0] == '\0')
		return;
	while (*cursor != '\0' && next_broker(&cursor, &broker))
		if (!is_allowed(&broker))
			ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("broker \"%.*s:%d\" is not allowed", broker.host_length,
								   broker.host, broker.port),
							errhint("Setting recsys.allowed_brokers lists those that are.")));
}

static bool
check_allowed_brokers(char **value, void **extra, GucSource source)
{
	const char *cursor = *value;
	Broker broker;

	while (*cursor != '\0')
		if (!next_broker(&cursor, &broker))
		{
			GUC_check_errdetail("It must be a list of host or host:port.");
			return false;
		}
	return true;
}

void
rspg_brokers_init(void)
{
	DefineCustomStringVariable(
		"recsys.allowed_brokers", "Sets the brokers that streams may connect to.",
		"A list of host or host:port; empty means any.", &recsys_allowed_brokers, "", PGC_SIGHUP,
		GUC_LIST_INPUT, check_allowed_brokers, NULL, NULL);
}

/* Kafka's own rule: it makes files of these names. */
void
rspg_topic_check(const char *topic)
{
	size_t length = strlen(topic);
	size_t legal =
		strspn(topic, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	if (length == 0 || length > MAX_TOPIC_BYTES || legal < length || strcmp(topic, ".") == 0 ||
		strcmp(topic, "..") == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("topic must be 1 to %d letters, digits, \".\", \"_\" and \"-\"",
							   MAX_TOPIC_BYTES)));
}
