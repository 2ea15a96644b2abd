/*
 * answer_rows.c
 *		What the planner is told of the functions that answer: as many rows as k says.
 */
#include "pg/base/rspg.h"

#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"

#include "pg/serve/request.h"

PG_FUNCTION_INFO_V1(recsys_answer_rows);

/*
 * Support function: rows where k is known when the query is planned.
 */
Datum
recsys_answer_rows(PG_FUNCTION_ARGS)
{
	SupportRequestRows *request = (SupportRequestRows *) PG_GETARG_POINTER(0);
	FuncExpr *call;
	Node *k;
	int place;

	if (!IsA(request, SupportRequestRows) || !is_funcclause(request->node))
		PG_RETURN_POINTER(NULL);
	call = (FuncExpr *) request->node;
	place = rspg_request_k_place(call->funcid);
	if (place < 0 || place >= list_length(call->args))
		PG_RETURN_POINTER(NULL);
	k = estimate_expression_value(request->root, list_nth(call->args, place));
	if (!IsA(k, Const))
		PG_RETURN_POINTER(NULL);
	request->rows =
		((Const *) k)->constisnull ? 0 : Max(DatumGetInt32(((Const *) k)->constvalue), 0);
	PG_RETURN_POINTER(request);
}
