/*
 * paced_events.c
 *		Events at an even rate, each with the time at which it was produced.
 *
 *	paced_events BROKERS TOPIC PARTITIONS EVENTS-A-SECOND SECONDS
 *
 * Payload: {"user_id":…,"item_id":…,"event_type":"view","sent":…}, sent in
 * seconds since 1970 with microseconds.  Prints how many were delivered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

static long delivered;

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void) rk;
	(void) opaque;
	if (message->err)
	{
		fprintf(stderr, "paced_events: %s\n", rd_kafka_err2str(message->err));
		exit(1);
	}
	delivered++;
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];
	rd_kafka_t *rk;
	double start;
	long total;

	if (argc != 6)
	{
		fprintf(stderr, "usage: paced_events BROKERS TOPIC PARTITIONS RATE SECONDS\n");
		return 2;
	}
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) ||
		rd_kafka_conf_set(conf, "linger.ms", "0", text, sizeof(text)) ||
		(rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text))) == NULL)
	{
		fprintf(stderr, "paced_events: %s\n", text);
		return 1;
	}
	total = (long) (atof(argv[4]) * atof(argv[5]));
	start = now();
	for (long i = 0; i < total; i++)
	{
		double due = start + i / atof(argv[4]);
		int length;

		/* poll waits for deliveries; the rest of the time to the next event is slept */
		while (now() < due)
		{
			struct timespec pause = {0, 100000};

			rd_kafka_poll(rk, 0);
			nanosleep(&pause, NULL);
		}
		length = snprintf(text, sizeof(text),
						  "{\"user_id\":%ld,\"item_id\":%ld,\"event_type\":\"view\",\"sent\":%.6f}",
						  i * 7919 % 100000, i * 104729 % 20000, now());
		if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(argv[2]),
							  RD_KAFKA_V_PARTITION(i % atoi(argv[3])),
							  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							  RD_KAFKA_V_VALUE(text, length), RD_KAFKA_V_END))
		{
			fprintf(stderr, "paced_events: the queue is full\n");
			return 1;
		}
	}
	rd_kafka_flush(rk, 10000);
	printf("%ld\n", delivered);
	rd_kafka_destroy(rk);
	return delivered == total ? 0 : 1;
}
