/*
 * varlena.c
 *		The content of long values, read straight to where it is wanted.
 *
 * PostgreSQL's detoasting hands out memory of its own: for a model of many
 * megabytes its page faults cost more than the reading.
 */
#include "pg/base/varlena.h"

#include <sys/mman.h>

#include "access/detoast.h"
#include "access/table.h"
#include "access/tableam.h"

Size
rspg_varlena_length(struct varlena *value)
{
	return toast_raw_datum_size(PointerGetDatum(value)) - VARHDRSZ;
}

void
rspg_varlena_read(struct varlena *value, char *to)
{
	struct varlena *whole;

	if (VARATT_IS_EXTERNAL_ONDISK(value))
	{
		struct varatt_external pointer;

		VARATT_EXTERNAL_GET_POINTER(pointer, value);
		if (!VARATT_EXTERNAL_IS_COMPRESSED(pointer))
		{
			Relation toast = table_open(pointer.va_toastrelid, AccessShareLock);

			/* it fills in the content, and leaves the header to its caller; never more
			 * than there is room for, whatever a broken pointer says */
			table_relation_fetch_toast_slice(
				toast, pointer.va_valueid, (int32) VARATT_EXTERNAL_GET_EXTSIZE(pointer), 0,
				(int32) rspg_varlena_length(value), (struct varlena *) (to - VARHDRSZ));
			table_close(toast, AccessShareLock);
			return;
		}
	}
	whole = detoast_attr(value);
	memcpy(to, VARDATA_ANY(whole), VARSIZE_ANY_EXHDR(whole));
	if (whole != value)
		pfree(whole);
}

void
rspg_huge_pages(void *memory, Size length)
{
#ifdef MADV_HUGEPAGE
	char *begin = (char *) TYPEALIGN(4096, memory);
	char *end = (char *) TYPEALIGN_DOWN(4096, (char *) memory + length);

	if (end > begin)
		(void) madvise(begin, end - begin, MADV_HUGEPAGE);
#else
	(void) memory;
	(void) length;
#endif
}
