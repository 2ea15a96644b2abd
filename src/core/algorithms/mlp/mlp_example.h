/*
 * mlp_example.h
 *		One thing to learn: this user did this.
 */
#ifndef RS_MLP_EXAMPLE_H
#define RS_MLP_EXAMPLE_H

#include <stdint.h>

/* Pointers into the problem. */
typedef struct RsMlpExample
{
	const float *features;   /* NULL: none are known */
	const uint32_t *history; /* items of the user, the target's event among them */
	const float *weights;    /* of these events */
	uint32_t n_history;
	uint32_t left_out; /* place of the target's event */
	uint32_t target;
	float weight; /* mean 1 over all examples */
	uint64_t key; /* what the random choices for it depend on */
} RsMlpExample;

#endif
