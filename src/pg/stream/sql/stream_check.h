/*
 * stream_check.h
 *		A stream checked by a session, the way a worker will.
 */
#ifndef RSPG_STREAM_CHECK_H
#define RSPG_STREAM_CHECK_H

/* Check the row as it is now: options, brokers, owner, secret, and with the
 * owner's rights mapping, transform and target.  SPI is connected. */
extern void rspg_stream_validate(const char *name);

#endif
