/*
 * answer.h
 *		One call on its way: ids as numbers of the model, masks, and whom it is for.
 */
#ifndef RSPG_ANSWER_H
#define RSPG_ANSWER_H

#include "pg/base/rspg.h"

#include "core/serving/serving.h"
#include "pg/base/idarray.h"
#include "pg/model/store.h"
#include "pg/serve/fresh.h"
#include "pg/serve/stage.h"

typedef struct RspgAnswer
{
	const RspgRegistryRow *row; /* NULL of a value */
	RspgStored *stored;
	const RsModel *model;
	Oid id_type; /* of the caller: the model's, a shorter integer, or text */
	RsMask mask;
	uint64 *exclude; /* of the mask: what the history holds is added to it */
	uint32 n;        /* of the history; items below are numbers */
	uint32 *item;
	float *weight;
	float *features; /* of the user, NULL if none are known */
	uint32 n_features;
	const RspgFresh *fresh; /* new items, NULL where nobody asked for them */
	uint32 first_fresh;     /* the number of the first one: its bit is in no word of the model's */
} RspgAnswer;

/* Starts an answer to a caller with ids of type id_type; an error where the
 * model has ids of another. */
extern RspgAnswer rspg_answer_begin(RspgStored *stored, const RspgRegistryRow *row, Oid id_type);

/* Number of an id of a type that converts to the model's, in the model or among the new
 * items, or -1. */
extern int64 rspg_answer_find(const RspgAnswer *answer, RspgConverter *converter, Datum id);

/* The id of an item, one of the model's or a new one, as the model has ids. */
extern Datum rspg_answer_datum(const RspgAnswer *answer, uint32 item);

/* The id of an item as the caller has ids, by a converter from the model's type to
 * theirs.  22003 where theirs cannot hold it. */
extern Datum rspg_answer_id(const RspgAnswer *answer, RspgConverter *to_caller, uint32 item);

/* Ids of picks for a query, by a converter from the model's type to its parameter's;
 * without those that this type cannot hold. */
extern ArrayType *rspg_answer_id_array(const RspgAnswer *answer, RspgConverter *to_query,
									   const RspgPick *picks, uint32 n);

/* Set the masks, before any history; NULL = none.  Ids that the model does not
 * know are left out. */
extern void rspg_answer_masks(RspgAnswer *answer, ArrayType *exclude, ArrayType *candidates);

/* A bitmap of no items, as masks have it. */
extern uint64 *rspg_answer_bitmap(const RspgAnswer *answer);
extern uint64 *rspg_answer_bitmap_copy(const RspgAnswer *answer, const uint64 *bits);
extern void rspg_bitmap_add(uint64 *bits, uint32 item);
extern bool rspg_bitmap_has(const uint64 *bits, uint32 item);

/* Room for a history of n items, and one more of them; unknown ones (-1) count
 * as nothing, and new ones as seen alone. */
extern void rspg_answer_history(RspgAnswer *answer, uint64 n);
extern void rspg_answer_add(RspgAnswer *answer, int64 item, float8 weight, bool weight_is_null,
							bool exclude_seen);

/* Have a history whose order says nothing in one order, whichever way its rows came:
 * sums of floats depend on it. */
extern void rspg_answer_sort(RspgAnswer *answer);

/* The given items (NULL: none) as a history, oldest first, each of weight 1. */
extern void rspg_answer_items(RspgAnswer *answer, ArrayType *items, bool exclude_seen);

/* What is known, as the core takes it. */
extern RsHistory rspg_answer_as_history(const RspgAnswer *answer);

/* What is known of the user: a row of the relation of users, an object of the
 * same columns, or the features themselves. */
extern void rspg_answer_user_row(RspgAnswer *answer, HeapTupleHeader row);
extern void rspg_answer_user_object(RspgAnswer *answer, Jsonb *object);
extern void rspg_answer_features(RspgAnswer *answer, ArrayType *features);

#endif
