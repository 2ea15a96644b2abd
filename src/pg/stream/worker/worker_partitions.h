/*
 * worker_partitions.h
 *		Where each of the worker's partitions is read from.
 */
#ifndef RSPG_WORKER_PARTITIONS_H
#define RSPG_WORKER_PARTITIONS_H

#include "pg/stream/worker/worker_session.h"

/* Ask the broker what is due to be asked. */
extern void rspg_worker_ask(TimestampTz now);

/* Take an answer that has come, if any. */
extern void rspg_worker_take_answer(void);

/* Whether the broker gives the partition out: text says why it does not, NULL that it
 * does. */
extern void rspg_worker_refused(RspgPartition *partition, const char *text);

/* The partition of that number, NULL when it is not ours. */
extern RspgPartition *rspg_worker_partition(int32 number);

#endif
