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
 */
typedef void (*RspgAttempt)(void *opaque);
extern ErrorData *rspg_attempt(RspgAttempt attempt, void *opaque, bool converting);

/* Raise what the constraints and triggers that are deferred have to say; they stay
 * deferred.  An error leaves a subtransaction open, for rspg_attempt() or the end of
 * the transaction. */
extern void rspg_check_deferred(void);

#endif
