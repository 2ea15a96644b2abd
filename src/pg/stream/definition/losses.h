/*
 * losses.h
 *		Offsets that a stream went past without reading them: recsys.stream_loss.
 */
#ifndef RSPG_LOSSES_H
#define RSPG_LOSSES_H

#include "postgres.h"

/*
 * In an open SPI connection: the broker has thrown away what is from next to before
 * to, and the stream went on there, or stopped, by option on_offset_lost ("error",
 * "earliest", "latest").  What a stop has recorded before is not recorded twice.
 */
extern void rspg_loss_record(int64 stream, int32 partition, int64 next, int64 to,
							 const char *policy);

/* The same for a seek from next to to.  Where it goes back, what earlier ones went
 * past is read after all. */
extern void rspg_loss_seek(int64 stream, int32 partition, int64 next, int64 to);

#endif
