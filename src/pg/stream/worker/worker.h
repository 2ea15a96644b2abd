/*
 * worker.h
 *		What the files of a stream's worker share: the stream, where each of its
 *		partitions is, and the batch at hand.
 *
 * worker.c is the process and its loop, worker_session.c its transactions,
 * worker_topic.c and worker_start.c decide where partitions are read from,
 * worker_events.c hears the broker, worker_batch.c writes, worker_show.c shows.
 */
#ifndef RSPG_WORKER_H
#define RSPG_WORKER_H

#include "pg/host/job_process.h"
#include "pg/stream/definition/stream_jobs.h"
#include "pg/stream/write/writer.h"

#include "kafka/consumer.h"

typedef struct RspgPartition
{
	int32 number;
	int64 next;     /* what the table says, and the compare-and-set expects */
	int64 reached;  /* where messages and ends that were seen lead to; >= next */
	int64 asked_at; /* reached, when the last question to the broker was asked */

	/* the message before next, if it is still there, must be the one we wrote */
	bool verify;
	int64 last_offset;
	int64 last_time_ms;

	/* of the batch at hand */
	int64 messages;
	int64 newest_offset;
	int64 newest_time_ms;

	RspgShownPartition *shown; /* in shared memory; NULL = no room there */
} RspgPartition;

typedef struct RspgWorker
{
	RspgJob job;
	RspgLaunch launch;
	int *batch_rows; /* in shared memory: see rspg_stream_batch_rows() */

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

	/* the batch */
	MemoryContext batch_context;
	int capacity;
	RskMessage *messages;
	int n_messages;
	Size n_bytes;
	TimestampTz first_at;
	TimestampTz ends_at; /* when ends without messages are written; 0 = none */
	int64 rejected_in_row;

	/* after an error: wait so long before the next try */
	int retry_ms; /* 0 = none */
	TimestampTz retry_at;

	/* a stop that is to be written before anything else is done */
	bool stopping;
	int stop_sqlstate;
	char stop_reason[512];
} RspgWorker;

extern RspgWorker rspg_worker;

/* --- worker.c --- */

/* Trouble is over. */
extern void rspg_worker_recovered(void);

/* End, to be started anew at once: the row or the offsets are not what they were. */
extern _Noreturn void rspg_worker_restart(void);

/* --- worker_session.c --- */

/* The row at the start; later, whether it is still the same: else we end. */
extern void rspg_worker_read_row(void);

extern void rspg_worker_open_consumer(void);

/* Begin and end a transaction with a snapshot and SPI, as the owner. */
extern void rspg_worker_begin(const char *activity);
extern void rspg_worker_commit(void);

/* The oid of recsys.stream, in a transaction. */
extern Oid rspg_worker_table(void);

/* The stream stops, with a reason that a person must look at.  Where that cannot
 * be written, an error is raised, and nothing else is done until it is. */
extern _Noreturn void rspg_worker_stop(int sqlstate, const char *format, ...)
	pg_attribute_printf(2, 3);
extern _Noreturn void rspg_worker_write_stop(void);

/* --- worker_topic.c --- */

#define RSPG_ASK_MS 5000      /* between questions about the topic */
#define RSPG_ASK_RETRY_MS 500 /* when there was no answer to use */
#define RSPG_FIRST_WORKER 0   /* the one that resolves starts and seeks */

/* The broker's last answer */
extern RskLookupAnswer rspg_worker_answer;

extern void rspg_worker_ask_again(int ms);

/* Ask the broker what is due to be asked. */
extern void rspg_worker_ask(TimestampTz now);

extern RspgPartition *rspg_worker_partition(int32 number);

/* Take an answer that has come, if any. */
extern void rspg_worker_take_answer(void);

/* --- worker_start.c --- */

/* Store the offsets that a start or a seek means; false = not yet. */
extern bool rspg_worker_resolve(const char *start, bool seek);

/* --- worker_show.c --- */

/* Places in shared memory for our partitions. */
extern void rspg_worker_claim_shown(void);

/* Lag to shared memory; returns the sum over partitions. */
extern int64 rspg_worker_show_lag(void);
extern void rspg_worker_show_idle(void);

/* --- worker_batch.c --- */

/* Write messages and ends in one transaction.  Errors are raised, with the batch
 * untouched. */
extern void rspg_worker_write(void);

/* SELECT … FOR SHARE of the row; false = it is not the one that was read. */
extern bool rspg_worker_lock_row(void);

/* --- worker_events.c --- */

/* Read what has come into the batch; true if there was anything. */
extern bool rspg_worker_poll(void);

#endif
