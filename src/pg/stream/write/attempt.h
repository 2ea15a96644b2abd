/*
 * attempt.h
 *		A subtransaction in which a message may fail.
 */
#ifndef RSPG_ATTEMPT_H
#define RSPG_ATTEMPT_H

#include "postgres.h"

/*
 * Run in a subtransaction.  An error that is the message's fault, not the
 * server's, the table's or the rights', rolls it back and is returned; others are
 * raised again.  converting: errors come from functions that read a value.
 * hunting: those are returned, too, that one message may cause and others not.
 */
typedef void (*RspgAttempt)(void *opaque);
extern ErrorData *rspg_attempt(RspgAttempt attempt, void *opaque, bool converting, bool hunting);

/* Is it a message's fault by what it says? */
extern bool rspg_message_fault(const ErrorData *error, bool converting);

extern bool rspg_is_statement_timeout(const ErrorData *error);

/* Raise what the constraints and triggers that are deferred have to say; they stay
 * deferred.  An error leaves a subtransaction open, for rspg_attempt() or the end of
 * the transaction. */
extern void rspg_check_deferred(void);

#endif
