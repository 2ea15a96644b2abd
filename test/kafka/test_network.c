/*
 * test_network.c
 *		The consumer behind a network that cuts, stalls, slows and corrupts: the
 *		program proxy, which is beside this one's folder.
 */
#include "reader.h"

#include <libgen.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Proxy
{
	pid_t pid;
	FILE *in;
	FILE *out;
	char brokers[512];
} Proxy;

static char *
answer_of(Proxy *proxy)
{
	static char line[600];

	if (fgets(line, sizeof line, proxy->out) == NULL)
		mock_fail("proxy", "ended");
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
command(Proxy *proxy, const char *text)
{
	fprintf(proxy->in, "%s\n", text);
	fflush(proxy->in);
	CHECK(strncmp(answer_of(proxy), "ok", 2) == 0);
}

static void
start_proxy(Proxy *proxy, const char *brokers)
{
	char path[4096] = "";
	int to[2];
	int from[2];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);

	if (n < 0 || pipe(to) != 0 || pipe(from) != 0 || (proxy->pid = fork()) < 0)
		mock_fail("proxy", "cannot start");
	if (proxy->pid == 0)
	{
		dup2(to[0], 0);
		dup2(from[1], 1);
		close(to[1]);
		close(from[0]);
		strcat(dirname(path), "/../proxy");
		execl(path, "proxy", brokers, NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	proxy->in = fdopen(to[1], "w");
	proxy->out = fdopen(from[0], "r");
	snprintf(proxy->brokers, sizeof proxy->brokers, "%s", answer_of(proxy) + strlen("bootstrap "));
}

static void
stop_proxy(Proxy *proxy)
{
	fclose(proxy->in);
	fclose(proxy->out);
	waitpid(proxy->pid, NULL, 0);
}

/* n messages of 1000 bytes into each partition. */
static void
send_many(Mock *mock, int n_partitions, int n)
{
	char payload[1000];

	memset(payload, 'x', sizeof payload);
	for (int i = 0; i < n; i++)
		for (int p = 0; p < n_partitions; p++)
			mock_send(mock, TOPIC, p, NULL, 0, payload, sizeof payload);
	mock_flush(mock);
}

/* Behind a proxy: everything of what was sent. */
static void
start_behind(Reader *reader, Proxy *proxy, int n_partitions)
{
	Mock behind = {.brokers = proxy->brokers};

	start_reader(reader, &behind, n_partitions, 0);
}

TEST(cuts_lose_nothing)
{
	Mock mock;
	Proxy proxy;
	Reader reader;

	mock_start(&mock, 2, TOPIC, 4);
	send_many(&mock, 4, 4000);
	start_proxy(&proxy, mock.brokers);
	command(&proxy, "slow 4000000"); /* so that each cut is within an answer */
	start_behind(&reader, &proxy, 4);
	for (int i = 0; i < 8; i++)
	{
		long before = reader.messages;

		read_messages(&reader, before + 200, 10);
		command(&proxy, "cut");
	}
	CHECK(reader.messages < 16000); /* or the cuts were too late to show anything */
	CHECK(read_messages(&reader, 16000, 30));
	CHECK(read_ends(&reader, 4, 4000, 10));
	CHECK(reader.messages == 16000);
	CHECK(!reader.wrong);
	CHECK(reader.n_lost == 0);
	rsk_consumer_close(reader.consumer);
	stop_proxy(&proxy);
	mock_stop(&mock);
}

TEST(stall_is_sat_out)
{
	Mock mock;
	Proxy proxy;
	Reader reader;

	mock_start(&mock, 1, TOPIC, 2);
	send_many(&mock, 2, 2000);
	start_proxy(&proxy, mock.brokers);
	command(&proxy, "slow 1000000");
	start_behind(&reader, &proxy, 2);
	CHECK(read_messages(&reader, 500, 10));
	command(&proxy, "stall");
	for (int i = 0; i < 20; i++)
		read_once(&reader, 100);
	command(&proxy, "resume");
	CHECK(read_messages(&reader, 4000, 20));
	CHECK(reader.messages == 4000);
	CHECK(!reader.wrong);

	/* close while nothing moves */
	command(&proxy, "stall");
	rsk_consumer_close(reader.consumer);
	stop_proxy(&proxy);
	mock_stop(&mock);
}

/*
 * A message that was changed on its way.  librdkafka would skip what it could not
 * check; the consumer must not give out what is behind it.
 */
TEST(corruption_stops)
{
	Mock mock;
	Proxy proxy;
	Reader reader;
	RskEvent error;
	int64_t next;

	mock_start(&mock, 1, TOPIC, 1);
	send_many(&mock, 1, 1000);
	start_proxy(&proxy, mock.brokers);
	command(&proxy, "corrupt 1");
	start_behind(&reader, &proxy, 1);
	for (int i = 0; i < 30; i++)
		read_once(&reader, 100);
	CHECK(!reader.wrong); /* no hole */
	CHECK(reader.messages < 1000);
	error = reader.error;
	CHECK_STR(error.code, "_BAD_MSG");
	CHECK(error.fatal);
	CHECK(error.partition == 0);
	CHECK(error.offset == reader.next[0]);
	next = reader.next[0];
	rsk_consumer_close(reader.consumer);

	/* the message itself is well: another consumer goes on */
	start_behind(&reader, &proxy, 1);
	assign_all(&reader, 1, next);
	CHECK(read_ends(&reader, 1, 1000, 10));
	CHECK(reader.messages == 1000 - next);
	CHECK(!reader.wrong);
	rsk_consumer_close(reader.consumer);
	stop_proxy(&proxy);
	mock_stop(&mock);
}

UNIT_MAIN(cuts_lose_nothing, stall_is_sat_out, corruption_stops)
