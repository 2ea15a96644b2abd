/*
 * test_settings.c
 *		The whitelist, beside librdkafka's own idea of its settings.
 */
#include "unit.h"

#include "kafka/configure.h"
#include "kafka/consumer.h"
#include "mock.h"

static char error[512];

static bool
check(const char *name, const char *value, bool secret)
{
	error[0] = '\0';
	return rsk_setting_check(name, value, secret, error, sizeof error);
}

static bool
is_known(const char *name, const char *value)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char reason[512];
	bool ok = rd_kafka_conf_set(conf, name, value, reason, sizeof reason) == RD_KAFKA_CONF_OK;

	rd_kafka_conf_destroy(conf);
	return ok;
}

/* Whatever number or word we let through, librdkafka takes. */
TEST(agrees_with_librdkafka)
{
	static const char *const values[] = {"-1",
										 "0",
										 "1",
										 "1000",
										 "5000",
										 "60000",
										 "300000",
										 "3600000",
										 "1048576",
										 "2147483647",
										 "2147483135",
										 "100000000",
										 "1000000000",
										 "86400000",
										 "true",
										 "false",
										 "any",
										 "v4",
										 "https",
										 "none",
										 "plaintext",
										 "ssl",
										 "sasl_ssl",
										 "sasl_plaintext",
										 "PLAIN",
										 "SCRAM-SHA-256",
										 "SCRAM-SHA-512",
										 "read_committed",
										 "read_uncommitted",
										 "a text"};
	int allowed = 0;

	for (int secret = 0; secret < 2; secret++)
	{
		for (const char *const *name = rsk_setting_names(secret); *name != NULL; name++)
		{
			bool any = strstr(*name, ".pem") != NULL;

			for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
			{
				if (!check(*name, values[i], secret))
					continue;
				any = true;
				if (strstr(*name, ".pem") != NULL)
					continue; /* parsed at once; a text is none */
				allowed++;
				if (!is_known(*name, values[i]))
					printf("%s = %s is not right\n", *name, values[i]);
				CHECK(is_known(*name, values[i]));
			}
			if (!any)
				printf("%s takes nothing\n", *name);
			CHECK(any);
		}
	}
	CHECK(allowed > 100);
}

TEST(refuses_the_rest)
{
	static const char *const names[] = {"bootstrap.servers",
										"metadata.broker.list",
										"plugin.library.paths",
										"interceptors",
										"ssl.engine.location",
										"ssl.providers",
										"ssl.ca.location",
										"ssl.key.location",
										"ssl.certificate.location",
										"ssl.keystore.location",
										"ssl.crl.location",
										"sasl.kerberos.kinit.cmd",
										"sasl.kerberos.keytab",
										"sasl.oauthbearer.config",
										"debug",
										"log_level",
										"log.queue",
										"enable.auto.commit",
										"enable.auto.offset.store",
										"auto.offset.reset",
										"enable.partition.eof",
										"check.crcs",
										"queued.min.messages",
										"group.instance.id",
										"partition.assignment.strategy",
										"statistics.interval.ms",
										"internal.termination.signal",
										"enable.ssl.certificate.verification",
										"opaque",
										"transactional.id",
										"allow.auto.create.topics",
										"",
										"fetch.min.bytes ",
										"FETCH.MIN.BYTES"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
	{
		CHECK(!check(names[i], "1", false));
		CHECK(strstr(error, "is not allowed") != NULL);
		CHECK(!check(names[i], "1", true));
	}
	CHECK(!check("sasl.mechanisms", "GSSAPI", false)); /* would run a command */
	CHECK(!check("sasl.mechanisms", "OAUTHBEARER", true));
	CHECK(!check("sasl.mechanism", "GSSAPI", true));
	CHECK(!check("sasl.mechanism", "plain", true)); /* librdkafka would look for a plug-in */
}

TEST(parts_streams_and_secrets)
{
	CHECK(!check("sasl.password", "hunter2", false));
	CHECK_STR(error, "setting \"sasl.password\" may be given by a secret only");
	CHECK(check("sasl.password", "hunter2", true));
	CHECK(check("client.id", "me", false));
	CHECK(!check("client.id", "me", true));
	CHECK_STR(error, "setting \"client.id\" is a stream's, not a secret's");
	CHECK(check("security.protocol", "sasl_ssl", false));
	CHECK(check("security.protocol", "SASL_SSL", true));
}

TEST(checks_values)
{
	static const char *const numbers[] = {"",
										  " 1",
										  "1 ",
										  "+1",
										  "0x10",
										  "1e3",
										  "1.0",
										  "abc",
										  "-5",
										  "0",
										  "99999999999999999999",
										  "100000001",
										  "1;2"};
	char long_text[300];

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
	{
		CHECK(!check("fetch.min.bytes", numbers[i], false));
		CHECK_STR(error, "setting \"fetch.min.bytes\" must be an integer between 1 and 100000000");
	}
	CHECK(!check("broker.address.family", "v5", false));
	CHECK_STR(error, "setting \"broker.address.family\" must be one of any, v4, v6");
	CHECK(!check("broker.address.family", "", false));
	CHECK(!check("broker.address.family", "v4, v6", false));
	CHECK(!check("broker.address.family", "v", false));
	CHECK(!check("client.id", "", false));
	CHECK(!check("client.id", "a\nb", false));
	CHECK(!check("client.id", "a\x7f", false));
	CHECK(check("client.id", "\xc3\xa4", false));
	memset(long_text, 'x', sizeof long_text);
	long_text[256] = '\0';
	CHECK(!check("client.id", long_text, false));
	long_text[255] = '\0';
	CHECK(check("client.id", long_text, false));
	CHECK(check("ssl.ca.pem", "-----BEGIN\r\n-----END\n", true));
	CHECK(!check("ssl.ca.pem", "a\tb", true));
}

/* No message quotes what a secret says. */
TEST(hides_secrets)
{
	static const char *const names[] = {"ssl.ca.pem",       "ssl.certificate.pem", "ssl.key.pem",
										"ssl.key.password", "sasl.username",       "sasl.password"};
	static const char secret[] = "Tr0ub4dor&3";

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
	{
		for (int bad = 0; bad < 2; bad++)
		{
			char value[64];
			RskSetting settings[] = {{"security.protocol", "sasl_ssl"},
									 {"sasl.mechanisms", "PLAIN"},
									 {"sasl.username", secret},
									 {"sasl.password", secret},
									 {names[i], value}};
			RskConsumer *consumer;

			snprintf(value, sizeof value, bad ? "%s\x01" : "%s", secret);
			error[0] = '\0';
			consumer = rsk_consumer_open("127.0.0.1:1", "t", settings, 5, error, sizeof error);
			if (consumer != NULL)
				rsk_consumer_close(consumer);
			else
				CHECK(error[0] != '\0');
			CHECK(consumer == NULL || !bad);
			CHECK(strstr(error, secret) == NULL);
			CHECK(strstr(error, "Tr0") == NULL);
		}
	}
	/* even if librdkafka's own words did */
	{
		RskSetting settings[] = {{"client.id", "public"}, {"sasl.password", secret}};
		char text[200] = "client.id public is well";

		rsk_hide_values(settings, 2, text, sizeof text);
		CHECK_STR(text, "client.id public is well");
		snprintf(text, sizeof text, "Invalid value \"%s\"", secret);
		rsk_hide_values(settings, 2, text, sizeof text);
		CHECK_STR(text, "librdkafka refused the value of setting \"sasl.password\"");
	}
}

TEST(sasl_needs_its_parts)
{
	RskSetting settings[] = {{"security.protocol", "sasl_plaintext"},
							 {"sasl.mechanisms", "PLAIN"},
							 {"sasl.username", "u"},
							 {"sasl.password", "p"}};
	RskConsumer *consumer;

	CHECK(rsk_consumer_open("127.0.0.1:1", "t", settings, 1, error, sizeof error) == NULL);
	CHECK_STR(error, "setting \"security.protocol\" = sasl_plaintext needs \"sasl.mechanism\" too");
	settings[0].value = "SASL_PLAINTEXT";
	CHECK(rsk_consumer_open("127.0.0.1:1", "t", settings, 1, error, sizeof error) == NULL);
	CHECK_STR(error, "setting \"security.protocol\" = SASL_PLAINTEXT needs \"sasl.mechanism\" too");
	settings[0].value = "sasl_plaintext";
	settings[1].name = "sasl.mechanism";
	CHECK(rsk_consumer_open("127.0.0.1:1", "t", settings, 3, error, sizeof error) == NULL);
	CHECK_STR(error, "setting \"security.protocol\" = sasl_plaintext needs \"sasl.username\" and "
					 "\"sasl.password\" from a secret");
	consumer = rsk_consumer_open("127.0.0.1:1", "t", settings, 4, error, sizeof error);
	CHECK(consumer != NULL);
	rsk_consumer_close(consumer);
	settings[0].name = "enable.auto.commit";
	CHECK(rsk_consumer_open("127.0.0.1:1", "t", settings, 1, error, sizeof error) == NULL);
	CHECK_STR(error, "setting \"enable.auto.commit\" of librdkafka is not allowed");
}

UNIT_MAIN(agrees_with_librdkafka, refuses_the_rest, parts_streams_and_secrets, checks_values,
		  hides_secrets, sasl_needs_its_parts)
