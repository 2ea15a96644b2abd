/*
 * groups.h
 *		How many of a group may stand in an answer: max_per_group, over columns of the
 *		model's relation of items.
 */
#ifndef RSPG_GROUPS_H
#define RSPG_GROUPS_H

#include "core/serving/variety.h"
#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/stage.h"

typedef struct RspgGroups RspgGroups;

/* Those of a request, NULL where it names none.  22023 for what is no object of whole
 * numbers from 1, 55000 for a model without a relation of items, 42703 for a column
 * that it has not. */
extern RspgGroups *rspg_groups_read(const RspgRequest *request, const RspgAnswer *answer);

/*
 * The quota of these picks: groups[n] of each, by the rows that the caller may read.  Null
 * and an item without a row are in no group; of several rows of an item the first
 * counts.  Groups go on counting from call to call.  An earlier one's is not valid any
 * more.
 */
extern RsQuota rspg_groups_of(RspgGroups *groups, const RspgPick *picks, uint32 n);

#endif
