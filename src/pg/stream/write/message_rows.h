/*
 * message_rows.h
 *		Messages of a batch to rows of datums, or to rejects.
 */
#ifndef RSPG_MESSAGE_ROWS_H
#define RSPG_MESSAGE_ROWS_H

#include "pg/stream/write/batch.h"
#include "pg/stream/write/mapping.h"

/* Decode and convert all messages, in CurrentMemoryContext: fills states, values
 * and cells of the batch. */
extern void rspg_message_rows(RspgBatch *batch, const RspgMapping *mapping);

#endif
