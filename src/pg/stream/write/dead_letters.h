/*
 * dead_letters.h
 *		Messages that could not be written, byte for byte, in recsys.dead_letter.
 */
#ifndef RSPG_DEAD_LETTERS_H
#define RSPG_DEAD_LETTERS_H

#include "pg/stream/write/batch.h"

/* Insert a row for each reject of the batch, delete those of what it wrote; SPI is
 * connected. */
extern void rspg_dead_letters_write(const RspgBatch *batch);

/* Delete those of these ids. */
extern void rspg_dead_letters_delete(const int64 *ids, int n);

#endif
