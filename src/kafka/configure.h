/*
 * configure.h
 *		Our configuration of librdkafka.  For files of src/kafka only.
 */
#ifndef RSK_CONFIGURE_H
#define RSK_CONFIGURE_H

#include "kafka/api.h"
#include "kafka/settings.h"

/* NULL with a message in error, which holds no value of a setting. */
extern rd_kafka_conf_t *rsk_configure(const char *brokers, const RskSetting *settings,
									  int n_settings, char *error, size_t error_size);

/* Where text holds the value of a setting that a secret alone may give, replace
 * all of it. */
extern void rsk_hide_values(const RskSetting *settings, int n_settings, char *text, size_t size);

#endif
