/*
 * stage.h
 *		An answer is made of stages that take from one another: the ranking below
 *		all, then what the call asks for.
 */
#ifndef RSPG_STAGE_H
#define RSPG_STAGE_H

#include "postgres.h"

typedef enum RspgOrigin
{
	RSPG_FROM_MODEL,
	RSPG_FROM_POPULARITY,
	RSPG_FROM_NEW /* no item of the model's; no score */
} RspgOrigin;

/* An item on its way into the answer. */
typedef struct RspgPick
{
	uint32 item; /* number in the model, or of a new one (answer.h) */
	float score;
	RspgOrigin origin;
} RspgPick;

typedef struct RspgStage RspgStage;

/* The head of a stage's own struct, in the memory of the call. */
struct RspgStage
{
	/* The next n items into picks[n], best first; how many.  Fewer only where there
	 * are no more. */
	uint32 (*next)(RspgStage *stage, RspgPick *picks, uint32 n);
	RspgStage *below; /* NULL for the ranking */
};

static inline uint32
rspg_stage_next(RspgStage *stage, RspgPick *picks, uint32 n)
{
	return stage->next(stage, picks, n);
}

#endif
