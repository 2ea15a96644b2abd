/*
 * mlp_answer.h
 *		The hidden layers of a trained network, and what each input does to a score.
 */
#ifndef RS_MLP_ANSWER_H
#define RS_MLP_ANSWER_H

#include "core/base/context.h"
#include "core/math/mlpvec.h"
#include "core/model/options.h"

/* Hidden layers as the bytes of a model have them. */
typedef struct RsMlpHidden
{
	int layers;
	RsActivation activation;
	uint32_t width[RS_MAX_LIST + 1];  /* of the input, then of each layer */
	const float *weight[RS_MAX_LIST]; /* [width of l + 1][width of l] */
	const float *bias[RS_MAX_LIST];
} RsMlpHidden;

/* What the layers make of x [width 0]: y [width of the last].  scratch [2 * widest],
 * which x and y do not overlap. */
extern void rs_mlp_forward(const RsMlpHidden *hidden, const float *x, float *scratch, float *y);

/* Most floats of a layer or of the input. */
extern size_t rs_mlp_widest(const RsMlpHidden *hidden);

/*
 * Integrated gradients (Sundararajan, Taly and Yan 2017) of row · h(x) from an
 * input of zeros to x: out[j] = x[j] times the mean of the derivative by input j
 * along the straight line.  They sum to row · (h(x) - h(0)) up to the error of the
 * RS_MLP_STEPS steps of the line.
 */
#define RS_MLP_STEPS 64
extern RsStatus rs_mlp_attribute(RsContext *ctx, const RsMlpHidden *hidden, const float *row,
								 const float *x, float *out);

#endif
