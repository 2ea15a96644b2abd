/*
 * role_note.h
 *		Roles that rows name, as PostgreSQL knows them: DROP ROLE refuses, DROP OWNED
 *		takes the note.
 *
 * PostgreSQL has no dependencies of rows.  What a column says of a role is noted in
 * pg_shdepend as if the role had been granted a right on that column, so that DROP
 * ROLE names it; REVOKE of the rights on the table that it may really have does not
 * touch it.
 */
#ifndef RSPG_ROLE_NOTE_H
#define RSPG_ROLE_NOTE_H

#include "postgres.h"

/* Note a role, once; holds a shared lock on it until the end of the transaction. */
extern void rspg_note_role(Oid table, const char *column, Oid role);

/*
 * May notes of a role go?  Not while another transaction notes something of it: then
 * DROP OWNED takes them.  Ask before looking whether anything is left.
 */
extern bool rspg_role_may_be_forgotten(Oid role);

extern void rspg_forget_role(Oid table, const char *column, Oid role);

#endif
