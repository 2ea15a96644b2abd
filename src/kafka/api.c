/*
 * api.c
 *		Open librdkafka at run time.
 *
 * It stays open once it is: its threads and its TLS library do not bear being
 * unloaded.
 */
#include "kafka/api.h"

#include <dlfcn.h>
#include <stdio.h>

#define LIBRARY "librdkafka.so.1"
#define MIN_VERSION 0x020000ff /* 2.0.0, in librdkafka's way of writing it */

RskApi rsk_api;

typedef struct ApiFunction
{
	const char *name;
	size_t member;
} ApiFunction;

static const ApiFunction functions[] = {
#define API_FUNCTION(name) {"rd_kafka_" #name, offsetof(RskApi, name)},
	RSK_API_FUNCTIONS(API_FUNCTION)
#undef API_FUNCTION
};

/* Find every function; NULL, or the name of one that is not there. */
static const char *
find_functions(void *library)
{
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
	{
		void *function = dlsym(library, functions[i].name);

		if (function == NULL)
			return functions[i].name;
		*(void **) ((char *) &rsk_api + functions[i].member) = function;
	}
	return NULL;
}

bool
rsk_api_load(char *error, size_t size)
{
	static bool loaded;
	void *library;
	const char *missing;

	if (loaded)
		return true;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
	{
		snprintf(error, size, LIBRARY " not found (Debian's package librdkafka1): %s", dlerror());
		return false;
	}
	missing = find_functions(library);
	if (missing == NULL && rsk_api.version() >= MIN_VERSION)
		loaded = true;
	else if (missing != NULL)
		snprintf(error, size, LIBRARY " has no %s, librdkafka 2.0 or later is needed", missing);
	else
		snprintf(error, size, LIBRARY " is version %s, 2.0 or later is needed",
				 rsk_api.version_str());
	if (!loaded)
		dlclose(library);
	return loaded;
}
