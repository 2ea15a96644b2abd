/*
 * dictionary.h
 *		Values of one type numbered in order of appearance, and their rank in an
 *		order that does not depend on it.
 */
#ifndef RSPG_DICTIONARY_H
#define RSPG_DICTIONARY_H

#include "postgres.h"

#include "core/base/context.h"
#include "core/model/model.h"

typedef struct RspgDictionary RspgDictionary;

/* In mcxt; type must be hashable (42883 if not).  what names it in errors. */
extern RspgDictionary *rspg_dictionary_create(MemoryContext mcxt, Oid type, const char *what);

/* Code of a value, a new one if it was not seen yet. */
extern uint32 rspg_dictionary_code(RspgDictionary *dictionary, Datum value);
/* Code of a value that was seen, or -1. */
extern int64 rspg_dictionary_find(RspgDictionary *dictionary, Datum value);
extern uint32 rspg_dictionary_count(const RspgDictionary *dictionary);

/* Bytes held. */
extern Size rspg_dictionary_bytes(const RspgDictionary *dictionary);

/*
 * rank[code] for every code, in ctx memory.  By the 64-bit extended hash, ties
 * by text form: any order would do for users, as long as it is always the same.
 * NULL on failure.
 */
extern uint32_t *rspg_dictionary_rank_by_hash(RspgDictionary *dictionary, RsContext *ctx);

/*
 * Item ids in ascending order, in ctx memory (bigint, uuid and text only), and
 * rank[code].  The pieces of ids are added to owned (4 entries, NULL if unused).
 */
extern RsStatus rspg_dictionary_ids(RspgDictionary *dictionary, RsContext *ctx, RsIds *ids,
									uint32_t **rank, void *owned[4]);

#endif
