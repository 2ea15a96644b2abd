/*
 * idmap.h
 *		Ids of items: the three types that a model can hold, as datums and back.
 */
#ifndef RSPG_IDMAP_H
#define RSPG_IDMAP_H

#include "postgres.h"

#include "core/model/model.h"

/* The model's id type for a column of type oid: int2/4/8 → bigint, uuid, else text. */
extern RsIdType rspg_id_type(Oid type);

/* oid of bigint, uuid or text */
extern Oid rspg_id_type_oid(RsIdType type);
extern const char *rspg_id_type_name(RsIdType type);

/* Number of an id of the model's own type in it, or -1. */
extern int64 rspg_ids_find(const RsIds *ids, Datum id);

/* The id of item number i as a datum of the model's own type (palloc'd). */
extern Datum rspg_ids_datum(const RsIds *ids, uint32 i);

#endif
