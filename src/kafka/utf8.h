/*
 * utf8.h
 *		UTF-8 as messages must have it, read and written.
 */
#ifndef RSK_UTF8_H
#define RSK_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is this UTF-8 without a zero byte?  If not, *at is the first byte that is not. */
extern bool rsk_utf8_valid(const char *text, size_t length, size_t *at);

/* Write the character of this number; returns the end of what was written. */
extern char *rsk_utf8_put(char *out, uint32_t code);

#endif
