/*
 * type_operator.c
 *		The operator by which a type orders its values, for the SQL that clean()
 *		writes: what the search path would find may be another's.
 */
#include "pg/base/rspg.h"

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "parser/parse_oper.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(recsys_type_operator);

/* (type oid, operator text): "<", "=" or ">" with its schema; an error where the
 * type has no order. */
Datum
recsys_type_operator(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Oid less;
	Oid equal;
	Oid greater;
	Oid found;
	HeapTuple tuple;
	Form_pg_operator form;
	text *result;

	get_sort_group_operators(PG_GETARG_OID(0), *name == '<', *name == '=', *name == '>', &less,
							 &equal, &greater, NULL);
	found = *name == '<' ? less : *name == '>' ? greater : equal;
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(found));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", found);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	result = cstring_to_text(psprintf("OPERATOR(%s.%s)",
									  quote_identifier(get_namespace_name(form->oprnamespace)),
									  NameStr(form->oprname)));
	ReleaseSysCache(tuple);
	PG_RETURN_TEXT_P(result);
}
