/*
 * chunks.h
 *		The bytes of a model version, read from recsys.model_chunk.
 */
#ifndef RSPG_CHUNKS_H
#define RSPG_CHUNKS_H

#include "pg/base/rspg.h"

#include "port/pg_crc32c.h"

#include "pg/model/arena.h"
#include "pg/model/registry.h"

typedef struct RspgChunks
{
	uint64 length;
	uint64 digest; /* of their checksums and order */
} RspgChunks;

/* What the active snapshot has of the live version; an error if the version is gone. */
extern RspgChunks rspg_chunks_find(const RspgRegistryRow *row);

/* Read and verify all of them into bytes[chunks->length]; their digest.  place: in
 * shared memory, where others wait for it, or NULL. */
extern uint64 rspg_chunks_read(const RspgRegistryRow *row, const RspgChunks *chunks, char *bytes,
							   const RspgArenaPlace *place);

/* What a chunk adds, by exclusive or, to the digest. */
extern uint64 rspg_chunk_digest(pg_crc32c crc, int64 seq);

#endif
