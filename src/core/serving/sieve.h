/*
 * sieve.h
 *		Which rows of a block may be among the best, by their coarse copies.
 */
#ifndef RS_SIEVE_H
#define RS_SIEVE_H

#include "core/model/derived.h"

typedef struct RsSieve
{
	const RsFactors *factors;
	bool cosine;
	double norm;                     /* of the query */
	double step;                     /* number d of it is near step * query[d] */
	double off;                      /* length of the vector of the differences, at most */
	int32_t bias;                    /* 128 times the sum of query */
	int8_t query[RS_COARSE_MAX_DIM]; /* within 64 */
} RsSieve;

/* For a finite query of this norm; false where the factors have no coarse copies. */
extern bool rs_sieve_open(RsSieve *sieve, const RsFactors *factors, const float *query, double norm,
						  bool cosine);

/* The rows begin + j, j < 32, that may score threshold or more have bit j set; of rows
 * that there are not it may be either.  begin is a multiple of 32. */
extern uint32_t rs_sieve_block(const RsSieve *sieve, uint32_t begin, float threshold);

#endif
