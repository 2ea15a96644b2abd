/*
 * decode_csv.h
 *		Fields of a message that is a line of CSV, by their positions.
 */
#ifndef RSK_DECODE_CSV_H
#define RSK_DECODE_CSV_H

#include "kafka/decode.h"

/* Exactly n_fields fields of one line (RFC 4180); a line end after it is taken. */
extern RskDecodeStatus rsk_decode_csv(const char *text, size_t length, char delimiter, char quote,
									  RskValue *values, int n_fields, RskDecodeFailure *failure);

/* The string a value of rsk_decode_csv() stands for: writes at most value->length
 * bytes, returns how many. */
extern size_t rsk_unquote(const RskValue *value, char quote, char *out);

#endif
