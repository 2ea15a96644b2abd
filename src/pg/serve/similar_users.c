/*
 * similar_users.c
 *		recsys.similar_users: who is like a user, by what they did until now.
 *
 * A model knows no users: those of the list, or all that the source has, are read as
 * recommend() would read them, as the caller, and made a vector each (user_vector.h).
 */
#include "pg/base/rspg.h"

#include <math.h>

#include "catalog/pg_collation.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "core/serving/user_vector.h"
#include "pg/base/idmap.h"
#include "pg/serve/answer.h"
#include "pg/serve/request.h"
#include "pg/serve/subject.h"
#include "pg/serve/users.h"

typedef struct Like
{
	double likeness;
	uint32 place; /* in the list, which is sorted by id */
} Like;

PG_FUNCTION_INFO_V1(recsys_similar_users);

/* Most alike first, ties by id. */
static int
by_likeness(const void *a, const void *b)
{
	const Like *left = a;
	const Like *right = b;

	if (left->likeness != right->likeness)
		return left->likeness > right->likeness ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

/* The vector of a user whose id has the type of the call, in the current context: it
 * goes with the call where reading another user fails. */
static RsUserVector
read_vector(const RspgRequest *request, const RspgRegistryRow *row, RspgStored *stored, Datum user)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	RspgRequest of_user = *request;
	RspgAnswer answer = rspg_answer_begin(
		stored, row, rspg_id_type_oid(rs_serving_model(stored->serving)->ids.type));
	RsUserVector vector;
	RsHistory history;

	of_user.exclude_seen = false;
	of_user.user.value = user;
	of_user.user.null = false;
	rspg_subject_read(&of_user, row, &answer);
	history = rspg_answer_as_history(&answer);
	rspg_check(&ctx, rs_user_vector_create(&ctx, answer.model, &history, &vector));
	return vector;
}

/* Likeness of the users of a list to the one of the call, who is none of them; how many. */
static uint64
compare(const RspgRequest *request, const RspgRegistryRow *row, RspgStored *stored,
		const RsUserVector *subject, const RspgUserList *list, Like *likes)
{
	TypeCacheEntry *type = lookup_type_cache(request->user.type, TYPECACHE_EQ_OPR_FINFO);
	MemoryContext each =
		AllocSetContextCreate(CurrentMemoryContext, "recsys user", ALLOCSET_DEFAULT_SIZES);
	uint64 n = 0;
	uint64 i;

	for (i = 0; i < list->n; i++)
	{
		MemoryContext before = MemoryContextSwitchTo(each);
		RsUserVector vector;
		double likeness;

		CHECK_FOR_INTERRUPTS();
		if (!DatumGetBool(FunctionCall2Coll(&type->eq_opr_finfo, C_COLLATION_OID, list->user[i],
											request->user.value)))
		{
			vector = read_vector(request, row, stored, list->user[i]);
			likeness = rs_user_likeness(subject, &vector);
			if (!isnan(likeness))
				likes[n++] = (Like){likeness, (uint32) i};
		}
		MemoryContextSwitchTo(before);
		MemoryContextReset(each);
	}
	return n;
}

/*
 * recsys.similar_users(user_id T, k, model, among T[], version)
 */
static Datum
similar_users(PG_FUNCTION_ARGS)
{
	RspgRequest request = rspg_request_read(fcinfo);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	RspgRegistryRow *row;
	RspgStored *stored;
	RsUserVector subject;
	RspgUserList list = {0};
	Like *likes;
	uint64 n;
	uint64 i;

	if (request.k == 0 || request.user.null)
		return (Datum) 0;
	stored = rspg_subject_open(&request, fcinfo->flinfo, &row);
	if (request.among != NULL)
		list = rspg_users_among(request.among);
	/* before all users are read: the id may not be one of the source's type, or unknown */
	subject = read_vector(&request, row, stored, request.user.value);
	if (!(subject.norm > 0))
		return (Datum) 0;
	if (request.among == NULL)
		list = rspg_users_read(row, request.user.type);
	likes = MemoryContextAllocHuge(CurrentMemoryContext, Max(list.n, 1) * sizeof(Like));
	n = compare(&request, row, stored, &subject, &list, likes);
	pg_qsort(likes, n, sizeof(Like), by_likeness);
	for (i = 0; i < Min(n, request.k); i++)
	{
		Datum values[3] = {list.user[likes[i].place], Float4GetDatum((float4) likes[i].likeness),
						   Int32GetDatum((int32) i + 1)};
		bool nulls[3] = {false, false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

Datum
recsys_similar_users(PG_FUNCTION_ARGS)
{
	return rspg_store_call(similar_users, fcinfo);
}
