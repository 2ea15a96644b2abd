/*
 * test_library.c
 *		What is said where librdkafka is missing or not the right one.  The program
 *		reader is not linked to it, so it can be given another.
 */
#include "unit.h"

#include <libgen.h>
#include <unistd.h>

#include "kafka/api.h"

#define READER "LD_LIBRARY_PATH=fake ../reader --brokers 127.0.0.1:1 --topic t 2>&1"

/* All is done in this program's folder. */
static void
enter_folder(void)
{
	char program[4096] = "";

	if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 || chdir(dirname(program)) != 0)
		exit(1);
}

/* What reader says when librdkafka.so.1 is what the command makes of it. */
static const char *
said_with(const char *command)
{
	static char text[1024];
	FILE *pipe;
	size_t n;

	CHECK(system(command) == 0);
	pipe = popen(READER, "r");
	n = fread(text, 1, sizeof text - 1, pipe);
	text[n] = '\0';
	CHECK(pclose(pipe) != 0);
	return text;
}

#define COMPILE "gcc -shared -fPIC -w fake/fake.c -o fake/librdkafka.so.1"

TEST(not_a_library)
{
	const char *said;

	enter_folder();
	said = said_with("mkdir -p fake && echo text >fake/librdkafka.so.1");
	CHECK(strstr(said, "librdkafka.so.1 not found (Debian's package librdkafka1): ") != NULL);
	said = said_with("echo 'int x;' >fake/fake.c && " COMPILE);
	CHECK(strstr(said,
				 "librdkafka.so.1 has no rd_kafka_version, librdkafka 2.0 or later is needed") !=
		  NULL);
}

/* 1.8.2 has all but what came with 2.0; here it is only its number that is old. */
TEST(too_old)
{
	static const char *const names[] = {
#define API_NAME(name) #name,
		RSK_API_FUNCTIONS(API_NAME)};
	const char *said;
	FILE *file;

	enter_folder();
	file = fopen("fake/fake.c", "w");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
	{
		const char *value = strcmp(names[i], "version") == 0       ? "0x010802ff"
							: strcmp(names[i], "version_str") == 0 ? "\"1.8.2\""
																   : "0";

		fprintf(file, "long rd_kafka_%s() { return %s; }\n", names[i], value);
	}
	fclose(file);
	said = said_with("rm fake/librdkafka.so.1 && " COMPILE);
	CHECK(strstr(said, "librdkafka.so.1 is version 1.8.2, 2.0 or later is needed") != NULL);
}

UNIT_MAIN(not_a_library, too_old)
