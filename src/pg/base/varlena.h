/*
 * varlena.h
 *		The content of long values, read straight to where it is wanted.
 */
#ifndef RSPG_VARLENA_H
#define RSPG_VARLENA_H

#include "postgres.h"

/* Bytes of a value's content, whatever form it is stored in. */
extern Size rspg_varlena_length(struct varlena *value);

/* Copy them to to[rspg_varlena_length(value)]. */
extern void rspg_varlena_read(struct varlena *value, char *to);

/* Tell the system that memory that is about to be filled will be read often: it may
 * back it with huge pages, which are fewer faults. */
extern void rspg_huge_pages(void *memory, Size length);

#endif
