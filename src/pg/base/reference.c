/*
 * reference.c
 *		Types recsys_support.role and recsys_support.relation: regrole and regclass
 *		for columns that are dumped.
 *
 * A dump has the names of what there is, and "-" for what there is not any more:
 * never a number, which means something else in another database.  A name that
 * nothing has makes no error but a 0: a row that names a role which the cluster
 * lacks would take all the rows of its table with it.
 */
#include "pg/base/rspg.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(recsys_role_in);
PG_FUNCTION_INFO_V1(recsys_role_out);
PG_FUNCTION_INFO_V1(recsys_relation_in);
PG_FUNCTION_INFO_V1(recsys_relation_out);

static List *
names_of(const char *text)
{
	return textToQualifiedNameList(cstring_to_text(text));
}

Datum
recsys_role_in(PG_FUNCTION_ARGS)
{
	char *text = PG_GETARG_CSTRING(0);
	List *names;
	Oid role;

	if (strcmp(text, "-") == 0)
		PG_RETURN_OID(InvalidOid);
	names = names_of(text);
	if (list_length(names) != 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_NAME), errmsg("invalid name of a role")));
	role = get_role_oid(strVal(linitial(names)), true);
	if (!OidIsValid(role))
		ereport(WARNING, (errcode(ERRCODE_UNDEFINED_OBJECT),
						  errmsg("role \"%s\" does not exist", strVal(linitial(names)))));
	PG_RETURN_OID(role);
}

Datum
recsys_role_out(PG_FUNCTION_ARGS)
{
	char *name = GetUserNameFromId(PG_GETARG_OID(0), true);

	PG_RETURN_CSTRING(name != NULL ? pstrdup(quote_identifier(name)) : pstrdup("-"));
}

Datum
recsys_relation_in(PG_FUNCTION_ARGS)
{
	char *text = PG_GETARG_CSTRING(0);
	Oid relation;

	if (strcmp(text, "-") == 0)
		PG_RETURN_OID(InvalidOid);
	relation = RangeVarGetRelid(makeRangeVarFromNameList(names_of(text)), NoLock, true);
	if (!OidIsValid(relation))
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"%s\" does not exist", text)));
	PG_RETURN_OID(relation);
}

/* As regclass: with the schema where the search path does not find it. */
Datum
recsys_relation_out(PG_FUNCTION_ARGS)
{
	if (get_rel_name(PG_GETARG_OID(0)) == NULL)
		PG_RETURN_CSTRING(pstrdup("-"));
	PG_RETURN_DATUM(DirectFunctionCall1(regclassout, PG_GETARG_DATUM(0)));
}
