/*
 * numbers.c
 *		A producer that numbers its events by partition, for the chaos test.
 *
 *	numbers BROKERS TOPIC PARTITIONS EVENTS-A-SECOND POISON
 *
 * It produces until its input ends.  Event n of a partition is {"n": n, "v": …};
 * every POISONth one cannot be written to a table (n bigint, v integer CHECK (v
 * >= 0)), in one of five ways, but its first number is n all the same.
 *
 * A line of input is a command, answered by a line "n0 n1 …": how many events of
 * each partition are delivered.  burst N: that many more at once, spread over
 * the partitions.  hold: produce nothing until the next command, answer when
 * all are delivered.  go: go on.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#define MAX_PARTITIONS 64

static rd_kafka_t *rk;
static const char *topic;
static int partitions;
static long poison;
static long produced[MAX_PARTITIONS];
static long delivered[MAX_PARTITIONS];

static void
on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	(void) kafka;
	(void) opaque;
	if (message->err)
	{
		fprintf(stderr, "numbers: not delivered: %s\n", rd_kafka_err2str(message->err));
		exit(1);
	}
	delivered[message->partition]++;
}

static int
write_event(char *text, size_t size, long n)
{
	if (n % poison == 0)
		switch (n / poison % 5)
		{
			case 0:
				return snprintf(text, size, "event %ld is no JSON", n);
			case 1:
				return snprintf(text, size, "{\"n\": %ld, \"v\": \"word\"}", n);
			case 2:
				return snprintf(text, size, "{\"n\": %ld, \"v\": -1}", n);
			case 3:
				return snprintf(text, size, "{\"n\": %ld, \"v\": \"\\u0000\"}", n);
			default:
				return snprintf(text, size, "{\"n\": %ld, \"v\": 1, \"x\": \"\xff\"", n);
		}
	return snprintf(text, size, "{\"n\": %ld, \"v\": %ld}", n, n % 1000);
}

static void
produce(int partition)
{
	char text[128];
	int length = write_event(text, sizeof(text), produced[partition] + 1);
	rd_kafka_resp_err_t err;

	while ((err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
									RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
									RD_KAFKA_V_VALUE(text, length), RD_KAFKA_V_END)) ==
		   RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(rk, 50);
	if (err)
	{
		fprintf(stderr, "numbers: %s\n", rd_kafka_err2str(err));
		exit(1);
	}
	produced[partition]++;
}

static bool
all_delivered(void)
{
	for (int p = 0; p < partitions; p++)
		if (delivered[p] < produced[p])
			return false;
	return true;
}

/* Carries a command out; returns whether to hold */
static bool
obey(const char *command)
{
	bool hold = strcmp(command, "hold") == 0;

	if (strncmp(command, "burst ", 6) == 0)
		for (long i = 0; i < atol(command + 6); i++)
			produce(i % partitions);
	while (hold && !all_delivered())
		rd_kafka_poll(rk, 10);
	for (int p = 0; p < partitions; p++)
		printf("%ld%c", delivered[p], p + 1 < partitions ? ' ' : '\n');
	fflush(stdout);
	return hold;
}

/* The next line of input if there is one; false at its end */
static bool
read_command(char *line, size_t size, int wait_ms)
{
	static size_t have;
	struct pollfd fd = {STDIN_FILENO, POLLIN, 0};
	ssize_t got;

	line[0] = '\0';
	if (poll(&fd, 1, wait_ms) <= 0)
		return true;
	for (have = 0; have + 1 < size; have++)
	{
		do
			got = read(STDIN_FILENO, line + have, 1);
		while (got < 0 && errno == EINTR);
		if (got <= 0)
			return false;
		if (line[have] == '\n')
			break;
	}
	line[have] = '\0';
	return true;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
run(double rate)
{
	bool hold = false;
	double next = now();
	char line[64];

	for (long i = 0; read_command(line, sizeof(line), hold ? 100 : 1);)
	{
		if (line[0] != '\0')
		{
			hold = obey(line);
			next = now();
		}
		while (!hold && next <= now())
		{
			produce(i++ % partitions);
			next += 1 / rate;
		}
		rd_kafka_poll(rk, 0);
	}
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char error[512];

	if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)))
	{
		fprintf(stderr, "numbers: %s\n", error);
		exit(1);
	}
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char error[512];

	if (argc != 6 || (partitions = atoi(argv[3])) < 1 || partitions > MAX_PARTITIONS)
	{
		fprintf(stderr, "usage: numbers BROKERS TOPIC PARTITIONS RATE POISON\n");
		return 2;
	}
	topic = argv[2];
	poison = atol(argv[5]);
	set(conf, "bootstrap.servers", argv[1]);
	/* A producer that tries again must not double an event itself */
	set(conf, "enable.idempotence", "true");
	set(conf, "linger.ms", "1");
	set(conf, "log_level", "0");
	set(conf, "reconnect.backoff.max.ms", "500");
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
	{
		fprintf(stderr, "numbers: %s\n", error);
		return 1;
	}
	run(atof(argv[4]));
	rd_kafka_destroy(rk);
	return 0;
}
