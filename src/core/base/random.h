/*
 * random.h
 *		Random numbers that depend on their arguments alone, not on what was drawn
 *		before: any thread can draw any of them, in any order.
 */
#ifndef RS_RANDOM_H
#define RS_RANDOM_H

#include <stdint.h>

/* 64 random bits for number b of stream a. */
extern uint64_t rs_random(uint64_t seed, uint64_t a, uint64_t b);

/* The same as a number in [0, 1). */
extern double rs_random_uniform(uint64_t seed, uint64_t a, uint64_t b);

/* About normal, mean 0, variance 1. */
extern double rs_random_normal(uint64_t seed, uint64_t at);

#endif
