/*
 * worker_batch.h
 *		What the broker sends, until it is written.
 */
#ifndef RSPG_WORKER_BATCH_H
#define RSPG_WORKER_BATCH_H

#include "pg/stream/worker/worker_session.h"

/* Read what has come into the batch; true if there was anything. */
extern bool rspg_worker_poll(void);

/* Write messages and ends in one transaction.  Errors are raised, with the batch
 * untouched. */
extern void rspg_worker_write(void);

#endif
