/*
 * mlp_sample.h
 *		Sampled softmax: a batch's targets against some of the items.
 *
 * Jean, Cho, Memisevic, Bengio, On Using Very Large Target Vocabulary for Neural
 * Machine Translation, ACL 2015, as in TensorFlow's sampled_softmax_loss: the
 * candidates are drawn without repetition, once for the whole batch, uniformly or
 * log-uniformly by the rank of popularity; the log of how often an item is
 * expected to be drawn is taken from its score; a candidate that is an example's
 * own target is no wrong answer for it.
 */
#ifndef RS_MLP_SAMPLE_H
#define RS_MLP_SAMPLE_H

#include "core/algorithms/mlp/mlp_example.h"
#include "core/algorithms/mlp/mlp_net.h"

#define RS_MLP_SHARD 32 /* examples, and rows of weights, of one piece of work */

typedef enum RsSampler
{
	RS_SAMPLER_LOG_UNIFORM,
	RS_SAMPLER_UNIFORM
} RsSampler;

typedef struct RsMlpSample
{
	const RsMlpLayer *output;
	RsSampler sampler;
	uint64_t seed;
	uint32_t wanted;     /* candidates a batch */
	uint32_t n_p;        /* rounded up */
	uint32_t extra;      /* targets that are no candidates */
	uint32_t *by_rank;   /* items by popularity */
	uint32_t *rank;      /* [items] the other way round */
	uint32_t *candidate; /* [wanted + batch] items: candidates, then the extra ones */
	uint32_t *slot;      /* [items] place in candidate, or UINT32_MAX */
	float *rows;         /* [n_p][in_p] their weights, together */
	float *panels;       /* the same as rs_mlp_dense reads them */
	float *bias;         /* [n_p] less the log of the expected count */
	uint32_t *first;     /* [batch] first example with that extra target */
	uint32_t *next;      /* [batch] the next with the same, or UINT32_MAX */
	float *target_delta; /* [batch] gradient of the target's score, if it is no candidate */
	double tries;        /* draws that it took to find the candidates */
} RsMlpSample;

/* sample comes with output, sampler, seed and wanted (1 to items) set and all else
 * zero.  To be freed after a failure too. */
extern RsStatus rs_mlp_sample_create(RsContext *ctx, const float *popularity, uint32_t batch,
									 RsMlpSample *sample);
extern void rs_mlp_sample_free(RsContext *ctx, RsMlpSample *sample);

/* Candidates for a step, each once; to be given back. */
extern RsStatus rs_mlp_sample_draw(RsContext *ctx, RsMlpSample *sample, uint64_t step);
extern void rs_mlp_sample_return(RsMlpSample *sample);

/* The targets of the batch that are no candidates, each with its examples in order. */
extern void rs_mlp_sample_targets(RsMlpSample *sample, const RsMlpExample *example, uint32_t n);

/* Bring the weights of candidates [begin, begin + RS_MLP_SHARD) together. */
extern void rs_mlp_sample_gather(RsMlpSample *sample, size_t begin);

/* Scores of the candidates of example row of a batch of n, whose last hidden values
 * are query, become their gradient; the loss. */
extern double rs_mlp_sample_loss(RsMlpSample *sample, const RsMlpExample *example, uint32_t row,
								 uint32_t n, const float *query, float *score);

#endif
