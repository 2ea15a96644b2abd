/*
 * mlp_pass.h
 *		A batch goes through the network and its gradient comes back.
 *
 * Pieces of some examples, each on its own from the input to the gradient of the
 * first hidden layer.  Scores of the output layer are replaced in place by their
 * gradient, (softmax - one hot) * weight / batch.  Each number is computed by one
 * piece in one order: the result is the same on any number of threads.
 */
#ifndef RS_MLP_PASS_H
#define RS_MLP_PASS_H

#include "core/algorithms/mlp/mlp_sample.h"
#include "core/base/threads.h"

/* What goes into a layer, a row an example, and the gradient that comes back. */
typedef struct RsMlpValues
{
	size_t step; /* floats a row */
	float *value;
	float *delta;
} RsMlpValues;

typedef struct RsMlpPass
{
	const RsMlpNet *net;
	RsMlpSample *sample; /* NULL: exact */
	RsTeam *team;
	int threads;
	uint32_t history_length;
	double dropout;
	uint32_t rows;     /* room for so many examples */
	uint32_t scored;   /* and for the scores of so many at a time, if learning */
	uint32_t measured; /* if not */

	/* of the batch at hand, set by the caller */
	const RsMlpExample *example;
	uint32_t n;
	bool learning;
	uint64_t salt;  /* of its random choices */
	uint32_t first; /* of its examples that are on their way */
	uint32_t end;

	/* at[l] goes into layer l; at[layers].delta are scores of the examples from first
	 * on, then their gradient; at[0].delta is there if there is a history, and is
	 * filled from the history's floats on */
	RsMlpValues at[RS_MLP_LAYERS + 1];
	uint32_t *seen;   /* [rows][history_length] items of the histories */
	uint32_t *n_seen; /* [rows] */
	double *loss;     /* [rows] */
	uint32_t *rank;   /* [rows] items above the target, where nothing is learned */
} RsMlpPass;

/* pass comes with net, sample, team, threads, history_length and dropout set and
 * all else zero; measuring: batches of what is not learned go through it too.  To
 * be freed after a failure too. */
extern RsStatus rs_mlp_pass_create(RsContext *ctx, uint32_t batch, bool measuring, RsMlpPass *pass);
extern void rs_mlp_pass_free(RsContext *ctx, RsMlpPass *pass);

/* The next examples of the batch, from pass->end on, on all threads: as many as there
 * is room for scores.  Begins with end = 0, and is at the end when it is n. */
extern RsStatus rs_mlp_pass_next(RsContext *ctx, RsMlpPass *pass);

/* Rows of a batch of n that a product reads. */
static inline size_t
rs_mlp_rows(size_t n)
{
	return rs_mlp_round_up(n, RS_MLP_ROWS);
}

#endif
