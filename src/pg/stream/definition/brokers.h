/*
 * brokers.h
 *		Addresses of brokers and names of topics: their syntax, and
 *		recsys.allowed_brokers.
 */
#ifndef RSPG_BROKERS_H
#define RSPG_BROKERS_H

#include "postgres.h"

extern void rspg_brokers_init(void); /* defines recsys.allowed_brokers */

/* "host:port,host:port" with every port and no blanks, or an error. */
extern char *rspg_brokers_normalize(const char *brokers);

/* Error unless recsys.allowed_brokers has each of these normalized brokers. */
extern void rspg_brokers_check(const char *brokers);

/* Error unless it is a name that Kafka allows a topic. */
extern void rspg_topic_check(const char *topic);

#endif
