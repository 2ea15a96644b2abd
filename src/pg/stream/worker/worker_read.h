/*
 * worker_read.h
 *		What the broker sends, into the batch.
 */
#ifndef RSPG_WORKER_READ_H
#define RSPG_WORKER_READ_H

#include "pg/stream/worker/worker_session.h"

/* Read what has come into the batch; true if there was anything. */
extern bool rspg_worker_poll(void);

#endif
