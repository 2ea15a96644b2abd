/*
 * subject.h
 *		Whom or what an answer is for.
 */
#ifndef RSPG_SUBJECT_H
#define RSPG_SUBJECT_H

#include "pg/model/registry.h"
#include "pg/serve/answer.h"
#include "pg/serve/history.h"
#include "pg/serve/request.h"

/*
 * The model that the request names, opened (store.h); NULL for a value that is null.
 * *row is NULL for a value, else its row in the registry, with the version that the
 * request wants as the live one, and a source that was found to be whole where a user
 * is asked for.
 */
extern RspgStored *rspg_subject_open(const RspgRequest *request, FmgrInfo *flinfo,
									 RspgRegistryRow **row);

/* Fill the answer, whose masks are set, with what is known of whom the request names;
 * row NULL for a model value.  Reads the history and the row of the user as the
 * caller, which runs what views and policies say. */
extern void rspg_subject_read(const RspgRequest *request, const RspgRegistryRow *row,
							  RspgAnswer *answer);

/* Does the order of a history matter to the model? */
extern bool rspg_subject_ordered(const RspgRegistryRow *row, const RsModel *model);

/* Which events count as seen.  22023 for what the source cannot tell. */
extern RspgSeen rspg_subject_seen(const RspgRequest *request, const RspgRegistryRow *row);

/* Number of the item that the request names, or -1. */
extern int64 rspg_subject_item(const RspgRequest *request, const RspgAnswer *answer);

#endif
