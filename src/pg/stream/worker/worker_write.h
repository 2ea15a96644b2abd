/*
 * worker_write.h
 *		The batch, into the tables.
 */
#ifndef RSPG_WORKER_WRITE_H
#define RSPG_WORKER_WRITE_H

#include "pg/stream/worker/worker_session.h"

/* Write messages and ends in one transaction.  Errors are raised, with the batch
 * untouched. */
extern void rspg_worker_write(void);

#endif
