/*
 * broker.c
 *		A mock Kafka cluster as a program, which tests and the demo talk to.
 *
 *	broker [--brokers N] [--partitions N] [--topic NAME[:PARTITIONS]]…
 *
 * Prints "bootstrap HOST:PORT,…", then takes commands, a line each, on its
 * standard input and answers "ok" or "error: …" to each:
 *
 *	down [ID]				close its connections and port; no ID: of all brokers
 *	up [ID]					open its port again (the same one)
 *	leader TOPIC PARTITION ID	move a partition; ID -1: none leads it
 *	error API CODE [COUNT]	the next COUNT requests of this kind fail
 *	clear API				no more of them
 *	topic-error TOPIC CODE	what Metadata says of a topic; NO_ERROR ends it
 *	rtt MS [ID]				each answer comes so much later
 *	topic NAME PARTITIONS	a topic more
 *	quit					as does the end of the input
 *
 * API is Produce, Fetch, ListOffsets, Metadata, FindCoordinator or ApiVersions;
 * CODE a name of Kafka's, such as NOT_LEADER_FOR_PARTITION, or _TRANSPORT to
 * close the connection.  Brokers have the IDs 1 … N.
 *
 * It is librdkafka's mock: see mock.h for what it does not know.  For that, and
 * for topics that come and go, there is the real broker in test/kafka/real.
 */
#include <sys/prctl.h>

#include <signal.h>
#include <unistd.h>

#include "mock.h"

static rd_kafka_mock_cluster_t *cluster;

typedef struct Command
{
	int argc;
	char *argv[8];
} Command;

static const struct
{
	const char *name;
	int16_t key;
} apis[] = {{"Produce", 0},          {"Fetch", 1},       {"ListOffsets", 2}, {"Metadata", 3},
			{"FindCoordinator", 10}, {"ApiVersions", 18}};

static int
api_key(const char *name)
{
	for (size_t i = 0; i < sizeof apis / sizeof apis[0]; i++)
		if (strcmp(apis[i].name, name) == 0)
			return apis[i].key;
	return -1;
}

/* An error by its name; false when there is none of it. */
static bool
error_code(const char *name, rd_kafka_resp_err_t *code)
{
	const struct rd_kafka_err_desc *all;
	size_t n;

	rd_kafka_get_err_descs(&all, &n);
	for (size_t i = 0; i < n; i++)
	{
		if (all[i].name != NULL && strcmp(all[i].name, name) == 0)
		{
			*code = all[i].code;
			return true;
		}
	}
	return false;
}

static const char *
push_errors(const Command *c)
{
	int key = api_key(c->argv[1]);
	int count = c->argc > 3 ? atoi(c->argv[3]) : 1;
	rd_kafka_resp_err_t codes[1000];

	if (key < 0)
		return "unknown API";
	if (count < 1 || count > 1000)
		return "COUNT is 1 to 1000";
	if (!error_code(c->argv[2], &codes[0]))
		return "unknown CODE";
	for (int i = 1; i < count; i++)
		codes[i] = codes[0];
	rd_kafka_mock_push_request_errors_array(cluster, key, count, codes);
	return NULL;
}

static const char *
message_of(rd_kafka_resp_err_t error)
{
	return error ? rd_kafka_err2str(error) : NULL;
}

/* Do it; NULL, or what is wrong. */
static const char *
run(const Command *c)
{
	const char *name = c->argv[0];
	rd_kafka_resp_err_t code;

	if (strcmp(name, "down") == 0)
		return message_of(
			rd_kafka_mock_broker_set_down(cluster, c->argc > 1 ? atoi(c->argv[1]) : -1));
	if (strcmp(name, "up") == 0)
		return message_of(
			rd_kafka_mock_broker_set_up(cluster, c->argc > 1 ? atoi(c->argv[1]) : -1));
	if (strcmp(name, "rtt") == 0 && c->argc > 1)
		return message_of(rd_kafka_mock_broker_set_rtt(cluster, c->argc > 2 ? atoi(c->argv[2]) : -1,
													   atoi(c->argv[1])));
	if (strcmp(name, "leader") == 0 && c->argc == 4)
		return message_of(rd_kafka_mock_partition_set_leader(cluster, c->argv[1], atoi(c->argv[2]),
															 atoi(c->argv[3])));
	if (strcmp(name, "topic") == 0 && c->argc == 3)
		return message_of(rd_kafka_mock_topic_create(cluster, c->argv[1], atoi(c->argv[2]), 1));
	if (strcmp(name, "error") == 0 && c->argc > 2)
		return push_errors(c);
	if (strcmp(name, "clear") == 0 && c->argc == 2)
	{
		if (api_key(c->argv[1]) < 0)
			return "unknown API";
		rd_kafka_mock_clear_request_errors(cluster, api_key(c->argv[1]));
		return NULL;
	}
	if (strcmp(name, "topic-error") == 0 && c->argc == 3)
	{
		if (!error_code(c->argv[2], &code))
			return "unknown CODE";
		rd_kafka_mock_topic_set_error(cluster, c->argv[1], code);
		return NULL;
	}
	return "unknown command";
}

/* "NAME" or "NAME:PARTITIONS" */
static void
create_topic(char *spec, int n_partitions, int n_brokers)
{
	char *colon = strchr(spec, ':');
	rd_kafka_resp_err_t error;

	if (colon != NULL)
	{
		*colon = '\0';
		n_partitions = atoi(colon + 1);
	}
	error = rd_kafka_mock_topic_create(cluster, spec, n_partitions, n_brokers);
	if (error)
		mock_fail("topic", rd_kafka_err2str(error));
}

static void
take_commands(void)
{
	char line[1024];

	while (fgets(line, sizeof line, stdin) != NULL)
	{
		Command command = {.argc = 0};
		const char *error;

		for (char *word = strtok(line, " \t\n"); word != NULL && command.argc < 8;
			 word = strtok(NULL, " \t\n"))
			command.argv[command.argc++] = word;
		if (command.argc == 0)
			continue;
		if (strcmp(command.argv[0], "quit") == 0)
			break;
		error = run(&command);
		printf(error != NULL ? "error: %s\n" : "ok\n", error);
	}
}

int
main(int argc, char **argv)
{
	int n_brokers = 1;
	int n_partitions = 1;
	rd_kafka_t *host;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* no test leaves one behind */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i + 1 < argc; i += 2)
	{
		if (strcmp(argv[i], "--brokers") == 0)
			n_brokers = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--partitions") == 0)
			n_partitions = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--topic") != 0)
			mock_fail("unknown option", argv[i]);
	}
	if (argc % 2 == 0)
		mock_fail("no value of option", argv[argc - 1]);
	host = mock_producer(NULL);
	cluster = rd_kafka_mock_cluster_new(host, n_brokers);
	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--topic") == 0)
			create_topic(argv[i + 1], n_partitions, n_brokers);
	printf("bootstrap %s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	take_commands();
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(host);
	return 0;
}
