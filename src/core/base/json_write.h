/*
 * json_write.h
 *		JSON in pieces to a sink.  After the first failure nothing more is written.
 */
#ifndef RS_JSON_WRITE_H
#define RS_JSON_WRITE_H

#include "core/base/context.h"

typedef struct RsJsonOut
{
	RsContext *ctx;
	RsSink sink;
	void *opaque;
	RsStatus status;
	size_t used;
	char buffer[1024];
} RsJsonOut;

/* ctx takes the message when the sink says no; NULL for one that never does. */
extern void rs_json_out(RsJsonOut *out, RsContext *ctx, RsSink sink, void *opaque);

/* As it is: punctuation, known words. */
extern void rs_json_put(RsJsonOut *out, const char *words);

/* A string, quoted and escaped; bytes beyond ASCII as they are. */
extern void rs_json_put_text(RsJsonOut *out, const char *text, size_t length);

/* The same for one that is NUL-terminated. */
extern void rs_json_put_word(RsJsonOut *out, const char *word);

/* A short number that reads back the same; infinities as the strings
 * "infinity" and "-infinity". */
extern void rs_json_put_number(RsJsonOut *out, double number);

extern void rs_json_put_uint(RsJsonOut *out, uint64_t number);

/* Hand over what is left and return the status. */
extern RsStatus rs_json_flush(RsJsonOut *out);

#endif
