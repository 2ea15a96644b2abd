/*
 * producer.c
 *		Send messages to a topic: the lines of standard input, a file, or numbered
 *		events.
 *
 *	producer --brokers LIST --topic NAME [what] [how]
 *
 * What (the default: a message for each line of standard input):
 *	--keyed				a line is key, tab, payload; no tab: no payload (a tombstone)
 *	--file PATH			one message, the bytes of the file
 *	--count N			N numbered events, as below
 * How:
 *	--partition P		all to this one (numbered events: --partitions, in turn)
 *	--partitions N		numbered events: to 0 … N - 1 in turn, default 1
 *	--first SEQ			numbered events: seq starts here, default 1
 *	--users N, --items N	numbered events: ids are 1 … N; default 10000, 1000
 *	--seed N			numbered events: of the random numbers, default 1
 *	--bad-every N		numbered events: each N-th of a partition is broken JSON
 *	--csv				numbered events: as CSV, the same fields in order
 *	--rate R			so many a second; default: as fast as it goes
 *	--timestamp MS		the time that the messages bear; default: now
 *	--header NAME=VALUE	repeated; for each message
 *	--transaction commit|abort	all in one transaction
 *	-X name=value		repeated; a setting of librdkafka
 *
 * A numbered event is
 *	{"user_id":…,"item_id":…,"event_type":…,"ts":…,"weight":…,"partition_no":…,"seq":…}
 * where seq counts the events of its partition without a gap and ts is the time
 * of sending.  Its key is the user id.
 *
 * Prints "produced N messages, B bytes, T ms" when all are delivered; fails when
 * one is not.
 */
#include <unistd.h>

#include "mock.h"

#define MAX_HEADERS 8
#define MAX_PARTITIONS 1000

typedef struct Options
{
	const char *topic;
	const char *file;
	const char *transaction;
	long count; /* -1: lines */
	int partition;
	int n_partitions;
	long first;
	long users;
	long items;
	uint64_t seed;
	long bad_every;
	double rate;
	int64_t timestamp; /* 0: now */
	bool csv;
	bool keyed;
	const char *headers[MAX_HEADERS];
	int n_headers;
} Options;

static Options options = {.count = -1,
						  .partition = RD_KAFKA_PARTITION_UA,
						  .n_partitions = 1,
						  .first = 1,
						  .users = 10000,
						  .items = 1000,
						  .seed = 1};
static rd_kafka_t *kafka;
static long n_sent;
static long n_bytes;
static double started;

/* --- send --- */

/* Hold to the rate, and let deliveries be reported. */
static void
pace(void)
{
	double due;

	if (n_sent % 1000 == 0)
		rd_kafka_poll(kafka, 0);
	if (options.rate <= 0)
		return;
	due = started + n_sent / options.rate;
	for (double now = mock_seconds(); now < due; now = mock_seconds())
	{
		int ms = (int) ((due - now) * 1000);

		if (rd_kafka_poll(kafka, 0) == 0)
			mock_sleep(ms > 10 ? 10 : ms > 1 ? ms : 1);
	}
}

static rd_kafka_headers_t *
make_headers(void)
{
	rd_kafka_headers_t *headers;

	if (options.n_headers == 0)
		return NULL;
	headers = rd_kafka_headers_new(options.n_headers);
	for (int i = 0; i < options.n_headers; i++)
	{
		const char *header = options.headers[i];
		const char *equals = strchr(header, '=');

		if (equals == NULL) /* a header without a value */
			rd_kafka_header_add(headers, header, -1, NULL, 0);
		else
			rd_kafka_header_add(headers, header, equals - header, equals + 1, -1);
	}
	return headers;
}

static void
send_message(int partition, const void *key, size_t key_length, const void *payload, size_t length)
{
	rd_kafka_headers_t *headers = make_headers();
	rd_kafka_resp_err_t error;

	pace();
	for (;;)
	{
		rd_kafka_vu_t arguments[] = {
			{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = options.topic},
			{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
			{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *) key, key_length}},
			{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *) payload, length}},
			{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
			{.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = options.timestamp},
			{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers}};
		rd_kafka_error_t *failed = rd_kafka_produceva(kafka, arguments, headers != NULL ? 7 : 6);

		error = rd_kafka_error_code(failed);
		rd_kafka_error_destroy(failed);
		if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(kafka, 10);
	}
	if (error)
		mock_fail("produce", rd_kafka_err2str(error));
	n_sent++;
	n_bytes += (long) (key_length + length);
}

/* --- numbered events --- */

static uint64_t
next_random(void)
{
	uint64_t z = (options.seed += 0x9e3779b97f4a7c15u); /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Now, as 2026-01-02T03:04:05.123456Z; the date is made once a second. */
static const char *
now_text(void)
{
	static char text[40];
	static time_t second = -1;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != second)
	{
		struct tm tm;

		second = now.tv_sec;
		gmtime_r(&second, &tm);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	}
	snprintf(text + 19, sizeof text - 19, ".%06ldZ", now.tv_nsec / 1000);
	return text;
}

static int
format_event(char *text, size_t size, long user, int partition, long seq)
{
	static const struct
	{
		const char *type;
		double weight;
	} kinds[] = {{"view", 1}, {"cart", 3}, {"purchase", 5}};
	uint64_t bits = next_random();
	double u = (double) (bits >> 11) * 0x1.0p-53;
	long item = 1 + (long) ((double) options.items * u * u * u); /* few items get most */
	int kind = bits % 100 < 85 ? 0 : bits % 100 < 95 ? 1 : 2;

	if (options.bad_every > 0 && seq % options.bad_every == 0)
		return snprintf(text, size, "{\"user_id\":%ld,\"seq\":%ld,", user, seq);
	return snprintf(text, size,
					options.csv ? "%ld,%ld,%s,%s,%g,%d,%ld"
								: "{\"user_id\":%ld,\"item_id\":%ld,\"event_type\":\"%s\","
								  "\"ts\":\"%s\",\"weight\":%g,\"partition_no\":%d,\"seq\":%ld}",
					user, item, kinds[kind].type, now_text(), kinds[kind].weight, partition, seq);
}

static void
send_events(void)
{
	int n = options.n_partitions;

	for (long i = 0; i < options.count; i++)
	{
		int partition = options.partition >= 0 ? options.partition : (int) (i % n);
		long seq = options.first + (options.partition >= 0 ? i : i / n);
		long rounds = (options.users - partition - 1) / n + 1;
		/* a user's events are all in one partition */
		long user =
			1 + partition + n * (long) (next_random() % (uint64_t) (rounds < 1 ? 1 : rounds));
		char key[24];
		char text[256];
		int key_length = snprintf(key, sizeof key, "%ld", user);
		int length = format_event(text, sizeof text, user, partition, seq);

		send_message(partition, key, key_length, text, length);
	}
}

/* --- lines and files --- */

static void
send_lines(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, stdin)) >= 0)
	{
		char *tab;

		if (length > 0 && line[length - 1] == '\n')
			length--;
		tab = options.keyed ? memchr(line, '\t', length) : NULL;
		if (!options.keyed)
			send_message(options.partition, NULL, 0, line, length);
		else if (tab == NULL)
			send_message(options.partition, line, length, NULL, 0);
		else
			send_message(options.partition, line, tab - line, tab + 1, line + length - tab - 1);
	}
	free(line);
}

static void
send_file(void)
{
	FILE *file = fopen(options.file, "rb");
	char *bytes;
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
		mock_fail("file", options.file);
	rewind(file);
	bytes = malloc(size + 1);
	if (bytes == NULL || fread(bytes, 1, size, file) != (size_t) size)
		mock_fail("file", options.file);
	fclose(file);
	send_message(options.partition, NULL, 0, bytes, size);
	free(bytes);
}

/* --- options --- */

static void
add_setting(rd_kafka_conf_t *conf, char *setting)
{
	char *equals = strchr(setting, '=');

	if (equals == NULL)
		mock_fail("-X takes name=value", setting);
	*equals = '\0';
	mock_set(conf, setting, equals + 1);
}

static void
set_option(rd_kafka_conf_t *conf, const char *name, char *value)
{
	if (strcmp(name, "--brokers") == 0)
		mock_set(conf, "bootstrap.servers", value);
	else if (strcmp(name, "--topic") == 0)
		options.topic = value;
	else if (strcmp(name, "--file") == 0)
		options.file = value;
	else if (strcmp(name, "--count") == 0)
		options.count = atol(value);
	else if (strcmp(name, "--partition") == 0)
		options.partition = atoi(value);
	else if (strcmp(name, "--partitions") == 0)
		options.n_partitions = atoi(value);
	else if (strcmp(name, "--first") == 0)
		options.first = atol(value);
	else if (strcmp(name, "--users") == 0)
		options.users = atol(value);
	else if (strcmp(name, "--items") == 0)
		options.items = atol(value);
	else if (strcmp(name, "--seed") == 0)
		options.seed = strtoull(value, NULL, 10);
	else if (strcmp(name, "--bad-every") == 0)
		options.bad_every = atol(value);
	else if (strcmp(name, "--rate") == 0)
		options.rate = atof(value);
	else if (strcmp(name, "--timestamp") == 0)
		options.timestamp = atoll(value);
	else if (strcmp(name, "--header") == 0 && options.n_headers < MAX_HEADERS)
		options.headers[options.n_headers++] = value;
	else if (strcmp(name, "--transaction") == 0)
		options.transaction = value;
	else if (strcmp(name, "-X") == 0)
		add_setting(conf, value);
	else
		mock_fail("unknown option", name);
}

static rd_kafka_conf_t *
read_options(int argc, char **argv)
{
	rd_kafka_conf_t *conf = mock_conf();

	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--keyed") == 0)
			options.keyed = true;
		else if (strcmp(argv[i], "--csv") == 0)
			options.csv = true;
		else if (i + 1 == argc)
			mock_fail("no value of option", argv[i]);
		else
		{
			set_option(conf, argv[i], argv[i + 1]);
			i++;
		}
	}
	if (options.topic == NULL)
		mock_fail("option missing", "--topic");
	if (options.n_partitions < 1)
		mock_fail("option out of range", "--partitions");
	if (options.transaction != NULL)
		mock_set(conf, "transactional.id", "producer");
	return conf;
}

static void
check(const char *what, rd_kafka_error_t *error)
{
	if (error != NULL)
		mock_fail(what, rd_kafka_error_string(error));
}

static void
end_transaction(void)
{
	if (strcmp(options.transaction, "abort") == 0)
	{
		mock_flush_producer(kafka); /* so that they are in the log, aborted */
		check("abort", rd_kafka_abort_transaction(kafka, 30000));
	}
	else
		check("commit", rd_kafka_commit_transaction(kafka, 30000));
}

int
main(int argc, char **argv)
{
	kafka = mock_producer_of(read_options(argc, argv));
	if (options.transaction != NULL)
	{
		check("transactions", rd_kafka_init_transactions(kafka, 30000));
		check("transaction", rd_kafka_begin_transaction(kafka));
	}
	started = mock_seconds();
	if (options.count >= 0)
		send_events();
	else if (options.file != NULL)
		send_file();
	else
		send_lines();
	if (options.transaction != NULL)
		end_transaction();
	mock_flush_producer(kafka);
	printf("produced %ld messages, %ld bytes, %.0f ms\n", n_sent, n_bytes,
		   (mock_seconds() - started) * 1000);
	rd_kafka_destroy(kafka);
	return 0;
}
