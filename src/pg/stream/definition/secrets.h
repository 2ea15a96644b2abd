/*
 * secrets.h
 *		recsys.secrets_file: passwords and keys that streams use by name.
 */
#ifndef RSPG_SECRETS_H
#define RSPG_SECRETS_H

#include "postgres.h"

#include "kafka/settings.h"

extern void rspg_secrets_init(void); /* defines recsys.secrets_file */

/* Settings of the named entry of recsys.secrets_file, for a stream of this owner
 * and normalized brokers; errors never quote a value.  Returns their number. */
extern int rspg_secret_settings(const char *name, Oid owner, const char *brokers,
								RskSetting **settings);

#endif
