/*
 * users.h
 *		Lists of users.
 */
#ifndef RSPG_USERS_H
#define RSPG_USERS_H

#include "pg/base/rspg.h"

#include "utils/array.h"

#include "pg/model/registry.h"

/* Ids in order, texts by their bytes, each once. */
typedef struct RspgUserList
{
	Oid type;
	uint64 n;
	Datum *user;
} RspgUserList;

/* All that the model's source has for the caller, as ids of this type; those that it
 * cannot hold are left out. */
extern RspgUserList rspg_users_read(const RspgRegistryRow *row, Oid type);

/* Those of an array, which has no nulls. */
extern RspgUserList rspg_users_among(ArrayType *among);

#endif
