/*
 * insert_order.c
 *		The order in which rows of a batch are inserted: that of the target's
 *		largest index.
 *
 * Rows that are neighbours in an index find its pages in the processor's cache;
 * make bench-writer shows what that is worth.  Where someone could tell the
 * order (a trigger, a sequence), rows stay in the order of their messages.
 */
#include "pg/stream/write/insert_order.h"

#include "access/genam.h"
#include "access/nbtree.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "storage/bufmgr.h"
#include "utils/lsyscache.h"
#include "utils/reltrigger.h"

/* Could a trigger or a default tell the order of the rows of a statement? */
static bool
order_matters(Relation target)
{
	TupleDesc desc = RelationGetDescr(target);
	int i;

	if (target->trigdesc != NULL)
		for (i = 0; i < target->trigdesc->numtriggers; i++)
		{
			Trigger *trigger = &target->trigdesc->triggers[i];

			if (!trigger->tgisinternal && TRIGGER_FOR_ROW(trigger->tgtype) &&
				TRIGGER_FOR_INSERT(trigger->tgtype))
				return true;
		}
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);

		if (attribute->attisdropped || attribute->attgenerated != '\0')
			continue;
		if (contain_volatile_functions(build_column_default(target, i + 1)))
			return true; /* nextval(), for one */
	}
	return false;
}

/* Leading columns of the index that are written and cheap to compare. */
static int
sortable_columns(Relation target, Relation index, const AttrNumber *attnums, int n, int *columns)
{
	int n_sorted = 0;
	int key;
	int i;

	if (index->rd_rel->relam != BTREE_AM_OID || !index->rd_index->indisready)
		return 0;
	for (key = 0; key < index->rd_index->indnkeyatts; key++)
	{
		AttrNumber attnum = index->rd_index->indkey.values[key];
		Form_pg_attribute attribute;

		for (i = 0; i < n && attnums[i] != attnum; i++)
			;
		if (attnum <= 0 || i == n)
			break;
		attribute = TupleDescAttr(RelationGetDescr(target), attnum - 1);
		if (!attribute->attbyval && getBaseType(attribute->atttypid) != UUIDOID)
			break;
		columns[n_sorted++] = i;
	}
	return n_sorted;
}

int
rspg_insert_order(Relation target, const AttrNumber *attnums, int n, int *columns)
{
	List *indexes;
	ListCell *cell;
	BlockNumber most = 0;
	int n_sorted = 0;

	if ((target->rd_rel->relkind != RELKIND_RELATION &&
		 target->rd_rel->relkind != RELKIND_PARTITIONED_TABLE) ||
		order_matters(target))
		return 0;
	indexes = RelationGetIndexList(target);
	foreach (cell, indexes)
	{
		Relation index = index_open(lfirst_oid(cell), AccessShareLock);
		int these[INDEX_MAX_KEYS];
		int n_these = sortable_columns(target, index, attnums, n, these);
		BlockNumber blocks = index->rd_rel->relkind == RELKIND_INDEX
								 ? RelationGetNumberOfBlocks(index)
								 : 0; /* of a partitioned table */

		if (n_these > 0 && (n_sorted == 0 || blocks > most))
		{
			n_sorted = n_these;
			most = blocks;
			memcpy(columns, these, n_these * sizeof(int));
		}
		index_close(index, NoLock);
	}
	list_free(indexes);
	return n_sorted;
}
