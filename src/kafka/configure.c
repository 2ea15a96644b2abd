/*
 * configure.c
 *		Our configuration of librdkafka, and what a stream changes of it.
 */
#include "kafka/configure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define QUEUED_KBYTES "65536"

/* What a stream may change, where our default is not librdkafka's. */
static const RskSetting defaults[] = {
	{"client.id", "recsys"},
	{"group.id", "recsys"},       /* must be set; no group is joined, nothing committed */
	{"fetch.wait.max.ms", "100"}, /* other requests queue behind a waiting fetch */
	{"fetch.error.backoff.ms", "100"},
	{"queued.max.messages.kbytes", QUEUED_KBYTES}, /* the bound of memory: set_bounds */
	{"socket.timeout.ms", "30000"},
	{"socket.connection.setup.timeout.ms", "10000"},
	{"socket.keepalive.enable", "true"},
	{"reconnect.backoff.ms", "100"},
	{"reconnect.backoff.max.ms", "2000"},
	{"topic.metadata.refresh.interval.ms", "30000"},
	{"isolation.level", "read_committed"},
};

/* What none may change. */
static const RskSetting fixed[] = {
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"}, /* the default skips what was lost in silence */
	{"enable.partition.eof", "true"},
	{"allow.auto.create.topics", "false"},
	{"check.crcs", "true"},
	{"max.poll.interval.ms", "86400000"}, /* a transaction may wait long for a lock */
	{"socket.nagle.disable", "true"},
	{"log.queue", "true"},
	{"log.connection.close", "false"},
	{"log.thread.name", "false"},
};

static const char *
find_value(const RskSetting *settings, int n, const char *name)
{
	const char *value = NULL;

	for (int i = 0; i < n; i++)
		if (strcmp(settings[i].name, name) == 0)
			value = settings[i].value; /* the last one is in force */
	return value;
}

/* Set one; librdkafka's own message would quote the value. */
static bool
set_value(rd_kafka_conf_t *conf, const char *name, const char *value, char *error, size_t size)
{
	char reason[512];
	rd_kafka_conf_res_t result = rsk_api.conf_set(conf, name, value, reason, sizeof reason);

	if (result == RD_KAFKA_CONF_OK)
		return true;
	if (result == RD_KAFKA_CONF_UNKNOWN)
		snprintf(error, size, "setting \"%s\" is not known to librdkafka %s", name,
				 rsk_api.version_str());
	else
		snprintf(error, size, "value of setting \"%s\" was refused by librdkafka", name);
	return false;
}

static bool
set_all(rd_kafka_conf_t *conf, const RskSetting *settings, int n, char *error, size_t size)
{
	for (int i = 0; i < n; i++)
		if (!set_value(conf, settings[i].name, settings[i].value, error, size))
			return false;
	return true;
}

/* The whitelist once more, and what settings mean together. */
static bool
check_all(const RskSetting *settings, int n, char *error, size_t size)
{
	const char *protocol = find_value(settings, n, "security.protocol");

	for (int i = 0; i < n; i++)
		if (!rsk_setting_check(settings[i].name, settings[i].value,
							   !rsk_setting_known(settings[i].name, false), error, size))
			return false;
	if (protocol == NULL || strncasecmp(protocol, "sasl", 4) != 0)
		return true;
	/* librdkafka's default, GSSAPI, runs a command of the shell */
	if (find_value(settings, n, "sasl.mechanisms") == NULL &&
		find_value(settings, n, "sasl.mechanism") == NULL)
	{
		snprintf(error, size, "setting \"security.protocol\" = %s needs \"sasl.mechanism\" too",
				 protocol);
		return false;
	}
	if (find_value(settings, n, "sasl.username") == NULL ||
		find_value(settings, n, "sasl.password") == NULL)
	{
		snprintf(error, size,
				 "setting \"security.protocol\" = %s needs \"sasl.username\" and "
				 "\"sasl.password\" from a secret",
				 protocol);
		return false;
	}
	return true;
}

/*
 * What is fetched ahead is bounded in bytes of keys and payloads, but librdkafka
 * has some 400 bytes more for each message, whatever it is: so in number, too, as
 * many as messages of MESSAGE_BYTES would be.  (Beyond either bound the fetcher of
 * 2.0 sleeps for a second: half the number costs a fifth of the speed.)  And what
 * one fetch brings comes on top of it, of all partitions together.
 */
#define MESSAGE_BYTES 128
#define FETCHES 16        /* that make up the bound */
#define MIN_FETCH 1000000 /* message.max.bytes, which librdkafka wants it to hold */

static bool
set_bounds(rd_kafka_conf_t *conf, const RskSetting *settings, int n, char *error, size_t size)
{
	const char *given = find_value(settings, n, "queued.max.messages.kbytes");
	long kbytes = atol(given != NULL ? given : QUEUED_KBYTES);
	long fetch = kbytes * 1024 / FETCHES;
	char text[32];

	snprintf(text, sizeof text, "%ld", kbytes * 1024 / MESSAGE_BYTES);
	if (!set_value(conf, "queued.min.messages", text, error, size))
		return false;
	if (find_value(settings, n, "fetch.max.bytes") != NULL)
		return true;
	snprintf(text, sizeof text, "%ld", fetch > MIN_FETCH ? fetch : MIN_FETCH);
	return set_value(conf, "fetch.max.bytes", text, error, size);
}

rd_kafka_conf_t *
rsk_configure(const char *brokers, const RskSetting *settings, int n_settings, char *error,
			  size_t error_size)
{
	rd_kafka_conf_t *conf;

	if (!check_all(settings, n_settings, error, error_size))
		return NULL;
	conf = rsk_api.conf_new();
	if (set_all(conf, defaults, sizeof defaults / sizeof defaults[0], error, error_size) &&
		set_all(conf, settings, n_settings, error, error_size) &&
		set_all(conf, fixed, sizeof fixed / sizeof fixed[0], error, error_size) &&
		set_bounds(conf, settings, n_settings, error, error_size) &&
		set_value(conf, "bootstrap.servers", brokers, error, error_size))
		return conf;
	rsk_api.conf_destroy(conf);
	return NULL;
}

void
rsk_hide_values(const RskSetting *settings, int n_settings, char *text, size_t size)
{
	for (int i = 0; i < n_settings; i++)
	{
		const RskSetting *setting = &settings[i];

		if (setting->value[0] != '\0' && !rsk_setting_known(setting->name, false) &&
			strstr(text, setting->value) != NULL)
			snprintf(text, size, "librdkafka refused the value of setting \"%s\"", setting->name);
	}
}
