/*
 * quality_rank.h
 *		Ranks items for every user of a split and sums up how good the lists are.
 */
#ifndef QUALITY_RANK_H
#define QUALITY_RANK_H

#include "core/algorithms/algorithms.h"
#include "quality_data.h"

typedef struct Sums
{
	double hr10;
	double ndcg10;
	double recall20;
	double ndcg20;
	uint64_t users;
} Sums;

/* On so many threads; a failure ends the program. */
extern Sums evaluate(const Split *split, const RsModel *model, int threads);

/* Print why and exit. */
extern void die(const RsContext *ctx) __attribute__((noreturn));

#endif
