/*
 * settings.h
 *		Which of librdkafka's settings a stream or a secret may give.
 *
 * A whitelist: some settings load a library, run a command or read a file of
 * the server.  Works without librdkafka, for sessions check names with it.
 */
#ifndef RSK_SETTINGS_H
#define RSK_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/* A setting of librdkafka by its own name. */
typedef struct RskSetting
{
	const char *name;
	const char *value;
} RskSetting;

/* May a stream (or, with secret, an entry of the secrets file) give this setting?
 * A message without the value in error if not. */
extern bool rsk_setting_check(const char *name, const char *value, bool secret, char *error,
							  size_t error_size);

/* Is it the name of a setting that a stream (or a secret) may give? */
extern bool rsk_setting_known(const char *name, bool secret);

/* Names that a stream (or a secret) may give, ends with NULL; for hints. */
extern const char *const *rsk_setting_names(bool secret);

#endif
