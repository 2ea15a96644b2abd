/*
 * decode.c
 *		Microseconds of the processor to decode an event with five fields wanted.
 *
 * make bench-decode
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kafka/decode_json.h"

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int
main(void)
{
	static const char event[] =
		"{\"event_type\": \"purchase\", \"user_id\": 123456, \"item_id\": 98765, "
		"\"ts\": \"2026-03-01T12:00:00.123Z\", \"weight\": 2.50}";
	static const char *const names[] = {"event_type", "user_id", "item_id", "ts", "weight"};
	RskNode nodes[6];
	RskPaths paths;
	RskValue values[5];
	RskDecodeFailure failure;
	double start;
	int bad = 0;
	const int n = 2000000;

	rsk_paths_init(&paths, nodes);
	for (int i = 0; i < 5; i++)
		rsk_paths_add(&paths, &names[i], 1);
	start = seconds();
	for (int i = 0; i < n; i++)
		bad += rsk_decode_json(&paths, event, strlen(event), values, &failure) != RSK_DECODE_OK ||
			   values[4].kind != RSK_NUMBER;
	printf("%zu bytes, 5 fields: %.3f us\n", strlen(event), (seconds() - start) / n * 1e6);
	return bad != 0;
}
