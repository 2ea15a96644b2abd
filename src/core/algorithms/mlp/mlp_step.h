/*
 * mlp_step.h
 *		One step of training: from a batch to new weights.
 *
 * A step is two loops over the team: pieces of the batch go forward and back
 * (mlp_pass.c), then pieces of the weights get their gradients, summed over the
 * whole batch, and their step of Adam.
 */
#ifndef RS_MLP_STEP_H
#define RS_MLP_STEP_H

#include "core/algorithms/mlp/mlp_pass.h"

typedef struct RsMlpLearning
{
	uint32_t batch;
	double learning_rate;
	double dropout;
	double weight_decay;
	uint32_t history_length;
	uint32_t samples; /* 0 = exact */
	RsSampler sampler;
	uint64_t seed;
	bool measuring; /* rs_mlp_measure is asked too */
} RsMlpLearning;

/* Adam's memory of an array's gradients. */
typedef struct RsMlpMoments
{
	float *first;
	float *second;
} RsMlpMoments;

typedef struct RsMlpStep
{
	RsMlpLearning set;
	RsMlpNet *net;
	RsTeam *team;
	RsMlpSample sample; /* of no use if exact */
	RsMlpPass pass;
	RsMlpMoments moments[RS_MLP_ARRAYS]; /* as rs_mlp_net_array counts them */
	uint64_t number;                     /* of the step at hand, from 1 */
	RsAdam adam;                         /* of this step */
	float decay;
	float *scratch; /* [threads][scratch_step]: a piece's gradient, and room for one */
	size_t scratch_step;
	float *sums; /* gradient of the output layer, where a batch's scores come in parts */
	float *embedding_gradient; /* [items][history] */
	uint8_t *touched;          /* [items] has a gradient in this batch */
} RsMlpStep;

/* Room and threads for steps of net, which needs panels of the output layer unless
 * it is sampled and not measured.  To be freed after a failure too. */
extern RsStatus rs_mlp_step_create(RsContext *ctx, const RsMlpLearning *settings,
								   const float *popularity, RsMlpNet *net, RsMlpStep *step);
extern void rs_mlp_step_free(RsContext *ctx, RsMlpStep *step);

/* Learn from one batch of at most settings.batch examples.  *loss gets the sum over
 * examples of weight times cross entropy. */
extern RsStatus rs_mlp_learn(RsContext *ctx, RsMlpStep *step, const RsMlpExample *example,
							 uint32_t n, double *loss);

/* The same against the candidates that step->sample has already. */
extern RsStatus rs_mlp_learn_drawn(RsContext *ctx, RsMlpStep *step, const RsMlpExample *example,
								   uint32_t n, double *loss);

/* Only measure: against all items, whose panels must be in line.  *hits: how many
 * targets are among the ten highest scores. */
extern RsStatus rs_mlp_measure(RsContext *ctx, RsMlpStep *step, const RsMlpExample *example,
							   uint32_t n, double *loss, uint32_t *hits);

#endif
