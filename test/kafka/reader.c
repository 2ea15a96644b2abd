/*
 * reader.c
 *		The consumer of src/kafka as a program: read a topic up to its end.
 *
 *	reader --brokers LIST --topic NAME [--from OFFSET | --time MS] [--follow SECONDS]
 *		[--pause MS] [--quiet] [-X name=value]…
 *
 * Starts each partition at its lowest offset, at OFFSET, or at the first message
 * of the time MS (since 1970), and reads until it has seen every end, or with
 * --follow for so long.  Prints
 *
 *	partition P LOW HIGH START
 *	message P OFFSET TIME KEY PAYLOAD		(- for none)
 *	eof P OFFSET
 *	lost P OFFSET
 *	error CODE TEXT
 *	read N messages, B bytes, T ms, R a second, K kB
 *
 * --pause waits so long after each poll.  --quiet leaves out messages and ends; K is the largest resident set.  T runs
 * from the assignment to the last message.  Fails when it cannot open, or a
 * lookup gets no answer in 5 seconds.
 */
#include <sys/resource.h>

#include <poll.h>
#include <unistd.h>

#include "kafka/consumer.h"
#include "mock.h"

#define MAX_MESSAGES 10000
#define MAX_EVENTS 64
#define MAX_SETTINGS 32

typedef struct Options
{
	const char *brokers;
	const char *topic;
	long from;
	long time_ms;
	double follow;
	int pause_ms;
	bool quiet;
	RskSetting settings[MAX_SETTINGS];
	int n_settings;
} Options;

static Options options = {.from = -1, .time_ms = -1};
static RskConsumer *consumer;
static RskLookupAnswer answer;
static RskMessage messages[MAX_MESSAGES];
static bool at_end[RSK_MAX_PARTITIONS];
static int n_at_end;
static long n_messages;
static long n_bytes;
static double last_message;

static void
print_bytes(const void *bytes, size_t length)
{
	if (bytes == NULL)
		printf(" -");
	else
	{
		putchar(' ');
		fwrite(bytes, 1, length, stdout);
	}
}

static void
take_messages(int n)
{
	for (int i = 0; i < n; i++)
	{
		const RskMessage *m = &messages[i];

		n_bytes += (long) (m->key_length + m->payload_length);
		if (options.quiet)
			continue;
		printf("message %d %lld %lld", (int) m->partition, (long long) m->offset,
			   (long long) m->timestamp_ms);
		print_bytes(m->key, m->key_length);
		print_bytes(m->payload, m->payload_length);
		putchar('\n');
	}
	n_messages += n;
	if (n > 0)
		last_message = mock_seconds();
	rsk_messages_free(messages, n);
}

static void
take_event(const RskEvent *e)
{
	if (e->kind == RSK_EVENT_EOF)
	{
		if (!options.quiet)
			printf("eof %d %lld\n", (int) e->partition, (long long) e->offset);
		if (!at_end[e->partition] && e->offset >= answer.partitions[e->partition].high)
		{
			at_end[e->partition] = true;
			n_at_end++;
		}
	}
	else if (e->kind == RSK_EVENT_OFFSET_LOST)
	{
		printf("lost %d %lld\n", (int) e->partition, (long long) e->offset);
		n_at_end++;
	}
	else if (e->kind == RSK_EVENT_ERROR)
		printf("error %s%s %s\n", e->fatal ? "fatal " : "", e->code, e->text);
}

static void
read_some(void)
{
	struct pollfd fd = {.fd = rsk_consumer_fd(consumer), .events = POLLIN};
	RskEvent events[MAX_EVENTS];
	int n_events = MAX_EVENTS;

	poll(&fd, 1, 100);
	take_messages(
		rsk_consumer_poll(consumer, messages, MAX_MESSAGES, 8 * 1024 * 1024, events, &n_events));
	for (int i = 0; i < n_events; i++)
		take_event(&events[i]);
	fflush(stdout);
	mock_sleep(options.pause_ms);
}

static void
look_up(void)
{
	RskLookupKind kind = options.time_ms >= 0 ? RSK_LOOKUP_TIME : RSK_LOOKUP_TOPIC;
	double end = mock_seconds() + 5;

	do
	{
		rsk_consumer_ask(consumer, kind, options.time_ms);
		while (!rsk_consumer_answer(consumer, &answer))
			read_some();
	} while (!answer.ok && mock_seconds() < end);
	if (!answer.ok)
		mock_fail("lookup", answer.error);
}

static void
assign(void)
{
	static RskPosition positions[RSK_MAX_PARTITIONS];
	char error[512];

	for (int i = 0; i < answer.n_partitions; i++)
	{
		const RskPartitionInfo *info = &answer.partitions[i];

		positions[i].partition = i;
		positions[i].next = options.time_ms >= 0 ? info->offset
							: options.from >= 0  ? options.from
												 : info->low;
		printf("partition %d %lld %lld %lld\n", i, (long long) info->low, (long long) info->high,
			   (long long) positions[i].next);
	}
	if (!rsk_consumer_assign(consumer, positions, answer.n_partitions, error, sizeof error))
		mock_fail("assign", error);
}

static void
read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		const char *name = argv[i];
		char *value = argv[i + 1]; /* NULL behind the last */

		if (strcmp(name, "--quiet") == 0)
		{
			options.quiet = true;
			continue;
		}
		if (value == NULL)
			mock_fail("no value of option", name);
		i++;
		if (strcmp(name, "--brokers") == 0)
			options.brokers = value;
		else if (strcmp(name, "--topic") == 0)
			options.topic = value;
		else if (strcmp(name, "--from") == 0)
			options.from = atol(value);
		else if (strcmp(name, "--time") == 0)
			options.time_ms = atol(value);
		else if (strcmp(name, "--pause") == 0)
			options.pause_ms = atoi(value);
		else if (strcmp(name, "--follow") == 0)
			options.follow = atof(value);
		else if (strcmp(name, "-X") == 0 && strchr(value, '=') != NULL &&
				 options.n_settings < MAX_SETTINGS)
		{
			options.settings[options.n_settings].name = value;
			options.settings[options.n_settings++].value = strchr(value, '=') + 1;
			*strchr(value, '=') = '\0';
		}
		else
			mock_fail("unknown option", name);
	}
	if (options.brokers == NULL || options.topic == NULL)
		mock_fail("option missing", "--brokers or --topic");
}

int
main(int argc, char **argv)
{
	char error[512];
	double begin;
	double seconds;
	struct rusage usage;

	read_options(argc, argv);
	consumer = rsk_consumer_open(options.brokers, options.topic, options.settings,
								 options.n_settings, error, sizeof error);
	if (consumer == NULL)
		mock_fail("open", error);
	look_up();
	assign();
	begin = last_message = mock_seconds();
	while (options.follow > 0 ? mock_seconds() - begin < options.follow
							  : n_at_end < answer.n_partitions)
		read_some();
	seconds = last_message - begin;
	getrusage(RUSAGE_SELF, &usage);
	printf("read %ld messages, %ld bytes, %.0f ms, %.0f a second, %ld kB\n", n_messages, n_bytes,
		   seconds * 1000, seconds > 0 ? n_messages / seconds : 0, usage.ru_maxrss);
	rsk_consumer_close(consumer);
	return 0;
}
