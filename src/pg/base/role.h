/*
 * role.h
 *		What a role wrote runs with that role's rights.
 */
#ifndef RSPG_ROLE_H
#define RSPG_ROLE_H

#include "postgres.h"

/* Who was acting before. */
typedef struct RspgRole
{
	Oid user;
	int context;
	int settings; /* level of nesting; 0: nobody else acted */
} RspgRole;

/*
 * Act as a role from now on, with operations restricted as in REFRESH MATERIALIZED
 * VIEW: what its views and functions do can neither become somebody else nor leave
 * anything in the session, settings included.  An error ends it too.
 */
extern RspgRole rspg_role_begin(Oid role);

/*
 * Read what an owner made: as the caller, but where that is a superuser and the owner
 * is none, as the owner, whose views and functions would run with all rights there are.
 */
extern RspgRole rspg_role_begin_reading(Oid owner);

extern void rspg_role_end(RspgRole before);

/*
 * Stay who one is until the transaction has ended and its deferred triggers have
 * run: nothing, a trigger of somebody else's, can SET or RESET ROLE, so what the
 * session may beyond its current role is out of its reach.  In a function that has
 * changed the user it ends with that.
 */
extern void rspg_role_keep_to_end(void);

#endif
