/*
 * chunks.h
 *		The bytes of a model version, read from recsys.model_chunk.
 */
#ifndef RSPG_CHUNKS_H
#define RSPG_CHUNKS_H

#include "pg/base/rspg.h"

#include "pg/model/registry.h"

/* Length of the live version; an error if the version is gone. */
extern uint64 rspg_chunks_length(const RspgRegistryRow *row);

/* Read and verify all of them into bytes[length]. */
extern void rspg_chunks_read(const RspgRegistryRow *row, char *bytes, uint64 length);

#endif
