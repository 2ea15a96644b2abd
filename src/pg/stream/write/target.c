/*
 * target.c
 *		The table or view that a stream writes to.
 */
#include "pg/stream/write/target.h"

#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/extension.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/base/check.h"

/* Is it foreign, or would rows of it be?  Partitions come and go. */
static void
check_local(Oid oid)
{
	char kind = get_rel_relkind(oid);
	List *others = NIL;
	ListCell *cell;

	if (kind == RELKIND_FOREIGN_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("foreign table \"%s\" cannot be the target of a stream", get_rel_name(oid)),
				 errdetail("Its server may keep rows of a transaction that failed."),
				 errhint("Write into a table; a trigger or a job can pass rows on.")));
	if (kind == RELKIND_PARTITIONED_TABLE)
		others = find_inheritance_children(oid, NoLock);
	else if (kind == RELKIND_VIEW)
	{
		Relation view = relation_open(oid, AccessShareLock);

		if (view->trigdesc == NULL || !view->trigdesc->trig_insert_instead_row)
			foreach (cell, get_view_query(view)->rtable)
				if (lfirst_node(RangeTblEntry, cell)->rtekind == RTE_RELATION &&
					lfirst_node(RangeTblEntry, cell)->relid != oid)
					others = lappend_oid(others, lfirst_node(RangeTblEntry, cell)->relid);
		relation_close(view, AccessShareLock);
	}
	foreach (cell, others)
		check_local(lfirst_oid(cell));
}

void
rspg_target_check_local(Relation target)
{
	char kind = target->rd_rel->relkind;

	if (kind != RELKIND_RELATION)
		check_local(RelationGetRelid(target));
}

void
rspg_target_check(Relation target)
{
	const char *name = RelationGetRelationName(target);
	Oid oid = RelationGetRelid(target);

	switch (target->rd_rel->relkind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
		case RELKIND_VIEW:
			break;
		default:
			ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
							errmsg("\"%s\" is not a table or view", name)));
	}
	if (IsCatalogRelation(target))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("system catalog \"%s\" cannot be the target of a stream", name)));
	/* not an attack, which would have other ways, but a mistake: messages would make streams */
	if (getExtensionOfObject(RelationRelationId, oid) == get_extension_oid("recsys", false))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("\"%s\" of recsys itself cannot be the target of a stream", name)));
	if (target->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("temporary table \"%s\" cannot be the target of a stream", name),
						errdetail("Only the session that created it can write into it.")));
	if ((relation_is_updatable(oid, NIL, true, NULL) & (1 << CMD_INSERT)) == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cannot insert into view \"%s\"", name),
						errhint("Give it an INSTEAD OF INSERT trigger, or write into a table.")));
	rspg_check_right(oid, GetUserId(), ACL_INSERT);
}

char *
rspg_target_name(Relation target)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(target)),
									  RelationGetRelationName(target));
}

bool
rspg_column_writable(Form_pg_attribute attribute)
{
	return !attribute->attisdropped && attribute->attgenerated == '\0' &&
		   attribute->attidentity != ATTRIBUTE_IDENTITY_ALWAYS;
}

static char *
list_columns(Relation target)
{
	TupleDesc desc = RelationGetDescr(target);
	StringInfoData list;
	int i;

	initStringInfo(&list);
	for (i = 0; i < desc->natts; i++)
		if (rspg_column_writable(TupleDescAttr(desc, i)))
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
							 NameStr(TupleDescAttr(desc, i)->attname));
	return list.data;
}

AttrNumber
rspg_target_column(Relation target, const char *name)
{
	TupleDesc desc = RelationGetDescr(target);
	int i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		if (!rspg_column_writable(attribute))
			ereport(ERROR, (errcode(ERRCODE_GENERATED_ALWAYS),
							errmsg("column \"%s\" of \"%s\" is always generated", name,
								   RelationGetRelationName(target)),
							errhint("Leave it out.")));
		return attribute->attnum;
	}
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
					errmsg("\"%s\" has no column \"%s\"", RelationGetRelationName(target), name),
					errhint("The columns that a stream may write are %s.", list_columns(target))));
	return InvalidAttrNumber; /* not reached */
}

void
rspg_target_no_key(const char *column)
{
	ereport(ERROR, (errcode(ERRCODE_NOT_NULL_VIOLATION),
					errmsg("no value for column %s of the key to upsert by", column)));
}
