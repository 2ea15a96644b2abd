/*
 * mlp_net.h
 *		The network of algorithm "mlp", as a model has it.
 *
 *		features ------------------.
 *		                            x -> hidden layers -> a score for every item
 *		mean of history embeddings -'
 *
 * Weights have their rows and columns rounded up to RS_MLP_PAD; what is too much
 * is zero and stays zero.
 */
#ifndef RS_MLP_NET_H
#define RS_MLP_NET_H

#include "core/math/mlpvec.h"
#include "core/model/model.h"

#define RS_MLP_LAYERS (RS_MAX_LIST + 1)
#define RS_MLP_ARRAYS (2 * RS_MLP_LAYERS + 1)

typedef struct RsMlpShape
{
	uint32_t features; /* floats a row */
	uint32_t history;  /* length of an embedding, 0 = no history */
	uint32_t items;
	int hidden; /* layers */
	uint32_t width[RS_MAX_LIST];
	RsActivation activation;
} RsMlpShape;

typedef struct RsMlpLayer
{
	uint32_t in; /* as the model has it */
	uint32_t out;
	size_t in_p; /* rounded up */
	size_t out_p;
	float *weight; /* [out_p][in_p] */
	float *bias;   /* [out_p] */
	float *panels; /* the weights again, as rs_mlp_dense reads them; NULL: never read */
} RsMlpLayer;

typedef struct RsMlpNet
{
	RsMlpShape shape;
	int layers; /* the output layer is the last */
	RsMlpLayer layer[RS_MLP_LAYERS];
	float *embedding; /* [items][history] */
} RsMlpNet;

static inline size_t
rs_mlp_round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/* Of things that take so many multiplications each: how many may be done between
 * two looks for cancel, a multiple of unit.  Some 5 ms, of an old CPU 20. */
static inline size_t
rs_mlp_part(size_t each, size_t unit)
{
	size_t n = ((size_t) 1 << 26) / each / unit * unit;

	return n > unit ? n : unit;
}

/* Zeroed memory for the weights; without panels of the output layer if its scores
 * are never asked for all items.  To be freed after a failure too. */
extern RsStatus rs_mlp_net_create(RsContext *ctx, const RsMlpShape *shape, bool output_panels,
								  RsMlpNet *net);
extern void rs_mlp_net_free(RsContext *ctx, RsMlpNet *net);

/* Random weights (Glorot & Bengio 2010), as Keras starts its dense layers. */
extern RsStatus rs_mlp_net_init(RsContext *ctx, RsMlpNet *net, uint64_t seed);

/* After weights were set: bring the panels in line. */
extern RsStatus rs_mlp_net_pack(RsContext *ctx, RsMlpNet *net);

/* All that is learned, as numbered arrays: weights of layer l are array 2 l, its
 * biases 2 l + 1, the embeddings 2 layers.  *n floats, 0 where there are none. */
extern float *rs_mlp_net_array(const RsMlpNet *net, int i, size_t *n);

/* Names of the tensors of each hidden layer. */
extern const char *const rs_mlp_weight_names[RS_MAX_LIST];
extern const char *const rs_mlp_bias_names[RS_MAX_LIST];

/* The weights become the tensors of the model, those of the output layer with its
 * biases the items' factors; the network is empty then. */
extern RsStatus rs_mlp_net_export(RsContext *ctx, RsMlpNet *net, RsModel *model);

#endif
