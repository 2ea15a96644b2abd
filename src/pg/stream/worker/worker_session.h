/*
 * worker_session.h
 *		What the files of a stream's worker share: the stream, where each of its
 *		partitions is, and the batch at hand; and the worker as a session.
 *
 * worker.c, the process and its loop, calls the others: worker_batch.c hears the
 * broker and writes, worker_partitions.c decides where partitions are read from.
 * All of them stand on worker_session.c.
 */
#ifndef RSPG_WORKER_SESSION_H
#define RSPG_WORKER_SESSION_H

#include "pg/host/job_process.h"
#include "pg/stream/worker/stream_jobs.h"
#include "pg/stream/write/writer.h"

#include "kafka/consumer.h"

typedef struct RspgPartition
{
	int32 number;
	int64 next;     /* what the table says, and the compare-and-set expects */
	int64 reached;  /* where messages and ends that were seen lead to; >= next */
	int64 end;      /* behind the last message, as far as told; -1 = not known */
	int64 asked_at; /* reached, when the last question to the broker was asked */

	/* the message before next, if it is still there, must be the one we wrote */
	bool verify;
	int64 last_offset;
	int64 last_time_ms;

	int n_skips;
	int64 *skips; /* offsets of messages to be dead letters unread */

	/* of the batch at hand */
	int64 messages;
	int64 newest_offset;
	int64 newest_time_ms;

	RspgShownPartition *shown; /* in shared memory; NULL = no room there */
} RspgPartition;

typedef struct RspgWorker
{
	RspgJob job;
	/* in shared memory, for those that come after: rows of a batch that are not too
	 * slow; 0 = as many as the stream allows */
	int *batch_rows;

	MemoryContext stream_context;
	RspgStream *stream; /* read once: when the row's generation changes, the worker ends */
	bool unchecked;     /* the row may have changed since */
	Oid table;          /* recsys.stream: another one after a new CREATE EXTENSION */
	RspgWriter *writer; /* NULL = to be made */
	MemoryContext writer_context;

	/* the broker's side */
	RskConsumer *consumer;
	bool positioned;
	int n_partitions;
	RspgPartition *partitions; /* by number */
	bool lookup_open;
	TimestampTz lookup_at; /* next question about the topic */
	int looks;             /* at the topic since the last assignment, while one is refused */
	int looks_to_assign;

	/* the batch */
	MemoryContext batch_context;
	int capacity;
	RskMessage *messages;
	int n_messages;
	Size n_bytes;
	TimestampTz first_at;
	TimestampTz ends_at; /* when ends without messages are written; 0 = none */
	int64 rejected_in_row;

	bool writing; /* what is raised now is of the batch */
	int tries;    /* of the batch that failed */

	/* after an error: wait so long before the next try */
	int retry_ms; /* 0 = none */
	TimestampTz retry_at;

	/* a stop that is to be written before anything else is done */
	bool stopping;
	int stop_sqlstate;
	char stop_reason[512];
	void (*at_stop)(void); /* in its transaction; or NULL */
} RspgWorker;

extern RspgWorker rspg_worker;

/* After so many tries that failed, those of a batch's messages are hunted for that
 * fail where others do not.  One that takes too long is made smaller before, down to
 * this many messages. */
#define RSPG_HUNT_TRIES 3
#define RSPG_HUNT_MESSAGES 8

/* Begin and end a transaction with a snapshot and SPI, as the owner. */
extern void rspg_worker_begin(const char *activity);
extern void rspg_worker_commit(void);

/* The row at the start; later, whether it is still the same: else we end. */
extern void rspg_worker_read_row(void);

/* In a transaction: no session changes the stream until it ends; false = the row is
 * not the one that was read. */
extern bool rspg_worker_lock_row(void);

extern void rspg_worker_open_consumer(void);

/* For how many messages there is room. */
extern int rspg_worker_most_messages(void);

/* Trouble is over. */
extern void rspg_worker_recovered(void);

/* End, to be started anew at once: the row or the offsets are not what they were. */
extern _Noreturn void rspg_worker_restart(void);

/* The stream stops, with a reason that a person must look at.  Where that cannot
 * be written, an error is raised, and nothing else is done until it is. */
extern _Noreturn void rspg_worker_stop(int sqlstate, const char *format, ...)
	pg_attribute_printf(2, 3);
extern _Noreturn void rspg_worker_write_stop(void);

/* In a transaction: the partition's end to its row. */
extern void rspg_worker_write_end(const RspgPartition *partition);

/* Lag to shared memory; returns the sum over partitions. */
extern int64 rspg_worker_show_lag(void);
extern void rspg_worker_show_idle(void);

#endif
