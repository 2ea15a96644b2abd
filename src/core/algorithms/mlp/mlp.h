/*
 * mlp.h
 *		The network of algorithm "mlp": its parts, shared by the files mlp*.c.
 *
 *		features ------------------.
 *		                            x -> hidden layers -> a score for every item
 *		mean of history embeddings -'
 *
 * One batch is two loops over the team: pieces of the batch go forward and back
 * (mlp_pass.c), then pieces of the weights get their gradients, summed over the
 * whole batch, and their step of Adam (mlp_update.c).  Each number is computed by
 * one piece in one order: the result is the same on any number of threads.
 *
 * Weights have their rows and columns rounded up to RS_MLP_PAD; what is too much
 * is zero and stays zero.
 */
#ifndef RS_MLP_H
#define RS_MLP_H

#include "core/model/model.h"
#include "core/math/mlpvec.h"
#include "core/data/problem.h"
#include "core/base/threads.h"

#define RS_MLP_SHARD 32 /* examples, and rows of weights, of one piece */
#define RS_MLP_MAX_FEATURES 65536
#define RS_MLP_LAYERS (RS_MAX_LIST + 1)

typedef enum RsSampler
{
	RS_SAMPLER_LOG_UNIFORM,
	RS_SAMPLER_UNIFORM
} RsSampler;

typedef struct RsMlpSettings
{
	uint32_t features; /* floats a row */
	uint32_t history;  /* length of an embedding, 0 = no history */
	uint32_t history_length;
	uint32_t items;
	int hidden; /* layers */
	uint32_t width[RS_MAX_LIST];
	RsActivation activation;
	int epochs;
	uint32_t batch;
	double learning_rate;
	double dropout;
	double weight_decay;
	double validation;
	int patience;
	uint32_t samples; /* 0 = exact */
	RsSampler sampler;
	uint64_t seed;
} RsMlpSettings;

typedef struct RsMlpLayer
{
	uint32_t in; /* as the model has it */
	uint32_t out;
	size_t in_p; /* rounded up */
	size_t out_p;
	float *weight; /* [out_p][in_p]; first and second moments alike */
	float *weight_m;
	float *weight_v;
	float *bias; /* [out_p] */
	float *bias_m;
	float *bias_v;
	float *panels; /* the weights again, as rs_mlp_dense reads them */
	float *y;      /* [batch][y_step] what comes out, of the output layer the gradient */
	float *delta;  /* [batch][y_step] gradient before the activation */
	size_t y_step;
} RsMlpLayer;

/* One thing to learn: this user did this.  Pointers into the problem. */
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

/* What sampled softmax takes in place of all items (mlp_sample.c). */
typedef struct RsMlpSample
{
	uint32_t wanted;     /* candidates a batch, 0 = exact */
	uint32_t n_p;        /* rounded up */
	uint32_t extra;      /* targets that are no candidates */
	uint32_t *by_rank;   /* items by popularity */
	uint32_t *rank;      /* [items] the other way round */
	uint32_t *candidate; /* [wanted + batch] items: candidates, then the extra ones */
	uint32_t *slot;      /* [items] place in candidate, or UINT32_MAX */
	float *rows;         /* [n_p][in_p] their weights, together */
	float *panels;       /* the same as rs_mlp_dense reads them */
	float *bias;         /* [n_p] less the log of the expected count */
	uint32_t *first;     /* [wanted + batch] first example of the batch with that target */
	uint32_t *next;      /* [batch] the next with the same, or UINT32_MAX */
	float *target_delta; /* [batch] gradient of the target's score */
	double tries;        /* draws that it took to find the candidates */
} RsMlpSample;

typedef struct RsMlp
{
	RsMlpSettings set;
	RsMlpLayer layer[RS_MLP_LAYERS];
	int layers;       /* the output layer is the last */
	size_t y_floats;  /* room of the output layer's y */
	size_t batch_p;   /* examples of a batch, rounded up */
	float *x;         /* [batch_p][in_p of layer 0] */
	float *x_delta;   /* the same, if there is a history */
	float *embedding; /* [items][history], and its moments */
	float *embedding_m;
	float *embedding_v;
	float *embedding_gradient;
	uint32_t *seen;   /* [batch_p][history_length] items of the histories */
	uint32_t *n_seen; /* [batch_p] */
	uint8_t *touched; /* [items] has a gradient in this batch */
	float *gradient;  /* [threads][gradient_step]: a piece's gradient, and room for one */
	size_t gradient_step;
	double *loss;   /* [batch_p] of each example */
	uint32_t *rank; /* [batch_p] items above the target */
	RsMlpSample sample;
	RsTeam *team;
	int threads;
	const RsMlpExample *example;
	uint32_t n; /* examples of the batch at hand */
	bool learning;
	uint64_t step;
	uint64_t salt; /* of the random choices of this epoch */
	RsAdam adam;
	float decay;
} RsMlp;

/* --- mlp_net.c --- */
extern RsStatus rs_mlp_create(RsContext *ctx, const RsMlpSettings *settings,
							  const float *popularity, RsMlp *net);
extern void rs_mlp_free(RsContext *ctx, RsMlp *net);

/* Random weights (Glorot & Bengio 2010), as Keras starts its dense layers. */
extern RsStatus rs_mlp_init(RsContext *ctx, RsMlp *net);

/* After weights were set: bring the panels in line. */
extern RsStatus rs_mlp_pack_all(RsContext *ctx, RsMlp *net);

/* The weights become the tensors of the model; the rest is freed. */
extern RsStatus rs_mlp_export(RsContext *ctx, RsMlp *net, RsModel *model);

/* --- mlp_pass.c --- */

/* Learn from one batch of at most settings.batch examples, or only measure it.
 * *loss gets the sum over examples of weight times cross entropy; *hits, which may
 * be NULL, how many targets are among the ten highest scores. */
extern RsStatus rs_mlp_learn(RsContext *ctx, RsMlp *net, const RsMlpExample *example, uint32_t n,
							 double *loss);
extern RsStatus rs_mlp_measure(RsContext *ctx, RsMlp *net, const RsMlpExample *example, uint32_t n,
							   double *loss, uint32_t *hits);

/* --- mlp_sample.c --- */
extern RsStatus rs_mlp_draw(RsContext *ctx, RsMlp *net);
extern void rs_mlp_list_targets(RsMlp *net);
extern void rs_mlp_gather(void *arg, uint64_t begin, uint64_t end, int thread);
extern void rs_mlp_undraw(RsMlp *net);

/* Scores of candidates, then their gradient, for examples [begin, end). */
extern void rs_mlp_sampled_scores(RsMlp *net, uint32_t begin, uint32_t end);

/* --- mlp_update.c --- */

/* Gradients of weights and the step of Adam; pieces of the loop. */
extern uint32_t rs_mlp_update_pieces(const RsMlp *net);
extern void rs_mlp_update(void *arg, uint64_t begin, uint64_t end, int thread);

/* --- mlp_fit.c --- */
extern RsStatus rs_mlp_fit(RsContext *ctx, const RsProblem *problem, RsMlp *net, RsModel *model);

#endif
