/*
 * settings.c
 *		The whitelist of settings, with the range of each.
 *
 * Left out on purpose, beside what exactly-once fixes (see configure.c):
 * - what loads a library or runs a command: plugin.library.paths, interceptors,
 *   ssl.engine.*, ssl.providers, sasl.kerberos.kinit.cmd and with it the
 *   mechanism GSSAPI, whose default runs that command;
 * - what reads a file of the server: *.location;
 * - what fills the server's log: debug, log_level;
 * - queued.min.messages: follows from queued.max.messages.kbytes.
 */
#include "kafka/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BY_STREAM 1
#define BY_SECRET 2
#define BY_BOTH (BY_STREAM | BY_SECRET)
#define MAX_TEXT 255
#define MAX_PEM (1024 * 1024)

typedef enum SettingKind
{
	SETTING_INT,  /* min .. max */
	SETTING_WORD, /* one of words, in any case: so librdkafka takes them */
	SETTING_NAME, /* one of words as they are written: so librdkafka takes these */
	SETTING_TEXT, /* printable, up to MAX_TEXT bytes */
	SETTING_PEM   /* text with line breaks, up to MAX_PEM bytes */
} SettingKind;

typedef struct Setting
{
	const char *name;
	int by;
	SettingKind kind;
	long min;
	long max;
	const char *words; /* "a, b, c" */
} Setting;

#define INT(min, max) SETTING_INT, min, max, NULL
#define WORD(words) SETTING_WORD, 0, 0, words
#define NAME(words) SETTING_NAME, 0, 0, words
#define TEXT SETTING_TEXT, 0, 0, NULL
#define PEM SETTING_PEM, 0, 0, NULL

static const Setting table[] = {
	{"client.id", BY_STREAM, TEXT},
	{"client.rack", BY_STREAM, TEXT},
	{"group.id", BY_STREAM, TEXT},
	{"isolation.level", BY_STREAM, WORD("read_committed, read_uncommitted")},

	{"security.protocol", BY_BOTH, WORD("plaintext, ssl, sasl_plaintext, sasl_ssl")},
	{"sasl.mechanism", BY_BOTH, NAME("PLAIN, SCRAM-SHA-256, SCRAM-SHA-512")},
	{"sasl.mechanisms", BY_BOTH, NAME("PLAIN, SCRAM-SHA-256, SCRAM-SHA-512")},
	{"ssl.endpoint.identification.algorithm", BY_BOTH, WORD("https, none")},
	{"sasl.username", BY_SECRET, TEXT},
	{"sasl.password", BY_SECRET, TEXT},
	{"ssl.ca.pem", BY_BOTH, PEM},
	{"ssl.certificate.pem", BY_SECRET, PEM},
	{"ssl.key.pem", BY_SECRET, PEM},
	{"ssl.key.password", BY_SECRET, TEXT},

	{"fetch.min.bytes", BY_STREAM, INT(1, 100000000)},
	{"fetch.max.bytes", BY_STREAM, INT(1, 2147483135)},
	{"fetch.message.max.bytes", BY_STREAM, INT(1, 1000000000)},
	{"fetch.wait.max.ms", BY_STREAM, INT(0, 5000)},
	{"fetch.error.backoff.ms", BY_STREAM, INT(0, 300000)},
	{"queued.max.messages.kbytes", BY_STREAM, INT(1024, 1048576)},
	{"receive.message.max.bytes", BY_STREAM, INT(1000, 2147483647)},

	{"socket.timeout.ms", BY_STREAM, INT(1000, 300000)},
	{"socket.connection.setup.timeout.ms", BY_STREAM, INT(1000, 300000)},
	{"socket.keepalive.enable", BY_STREAM, WORD("true, false")},
	{"socket.receive.buffer.bytes", BY_STREAM, INT(0, 100000000)},
	{"reconnect.backoff.ms", BY_STREAM, INT(0, 3600000)},
	{"reconnect.backoff.max.ms", BY_STREAM, INT(0, 3600000)},
	{"connections.max.idle.ms", BY_STREAM, INT(0, 2147483647)},
	{"broker.address.ttl", BY_STREAM, INT(0, 86400000)},
	{"broker.address.family", BY_STREAM, WORD("any, v4, v6")},
	{"topic.metadata.refresh.interval.ms", BY_STREAM, INT(1000, 3600000)},
	{"topic.metadata.refresh.fast.interval.ms", BY_STREAM, INT(1, 60000)},
	{"metadata.max.age.ms", BY_STREAM, INT(1, 86400000)},
};

#define N_SETTINGS (sizeof table / sizeof table[0])

static const Setting *
find_setting(const char *name)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/* Is value one of the words of "a, b, c"? */
static bool
is_word(const char *words, const char *value, bool any_case)
{
	size_t length = strlen(value);

	while (*words != '\0')
	{
		size_t word = strcspn(words, ",");

		if (word == length &&
			(any_case ? strncasecmp(words, value, length) == 0 : memcmp(words, value, length) == 0))
			return true;
		words += word;
		words += strspn(words, ", ");
	}
	return false;
}

static bool
is_int(const Setting *setting, const char *value)
{
	char *end;
	long number;

	if (value[0] != '-' && (value[0] < '0' || value[0] > '9'))
		return false; /* strtol takes blanks and plus signs */
	errno = 0;
	number = strtol(value, &end, 10);
	return errno == 0 && *end == '\0' && number >= setting->min && number <= setting->max;
}

static bool
is_text(const char *value, size_t max, bool line_breaks)
{
	size_t length = strlen(value);

	if (length == 0 || length > max)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = value[i];

		if (c == 127 || (c < ' ' && !(line_breaks && (c == '\n' || c == '\r'))))
			return false;
	}
	return true;
}

/* Is value right for the setting?  If not, say what it must be, not what it is:
 * a value may have got under the wrong name. */
static bool
check_value(const Setting *setting, const char *value, char *error, size_t size)
{
	const char *name = setting->name;
	bool ok = false;

	switch (setting->kind)
	{
		case SETTING_INT:
			ok = is_int(setting, value);
			snprintf(error, size, "setting \"%s\" must be an integer between %ld and %ld", name,
					 setting->min, setting->max);
			break;
		case SETTING_WORD:
		case SETTING_NAME:
			ok = is_word(setting->words, value, setting->kind == SETTING_WORD);
			snprintf(error, size, "setting \"%s\" must be one of %s", name, setting->words);
			break;
		case SETTING_TEXT:
			ok = is_text(value, MAX_TEXT, false);
			snprintf(error, size,
					 "setting \"%s\" must be a text of 1 to %d bytes without control characters",
					 name, MAX_TEXT);
			break;
		case SETTING_PEM:
			ok = is_text(value, MAX_PEM, true);
			snprintf(error, size, "setting \"%s\" must be a text in PEM format of at most 1 MB",
					 name);
			break;
	}
	return ok;
}

bool
rsk_setting_known(const char *name, bool secret)
{
	const Setting *setting = find_setting(name);

	return setting != NULL && (setting->by & (secret ? BY_SECRET : BY_STREAM)) != 0;
}

bool
rsk_setting_check(const char *name, const char *value, bool secret, char *error, size_t error_size)
{
	const Setting *setting = find_setting(name);

	if (setting == NULL)
	{
		snprintf(error, error_size, "setting \"%.64s\" of librdkafka is not allowed", name);
		return false;
	}
	if (!rsk_setting_known(name, secret))
	{
		snprintf(error, error_size,
				 secret ? "setting \"%s\" is a stream's, not a secret's"
						: "setting \"%s\" may be given by a secret only",
				 name);
		return false;
	}
	return check_value(setting, value, error, error_size);
}

const char *const *
rsk_setting_names(bool secret)
{
	static const char *names[2][N_SETTINGS + 1];
	int n = 0;

	for (size_t i = 0; i < N_SETTINGS; i++)
		if (table[i].by & (secret ? BY_SECRET : BY_STREAM))
			names[secret][n++] = table[i].name;
	return names[secret];
}
