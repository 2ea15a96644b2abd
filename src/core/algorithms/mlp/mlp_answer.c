/*
 * mlp_answer.c
 *		The hidden layers of a trained network, and what each input does to a score.
 */
#include "core/algorithms/mlp/mlp_answer.h"

#include <math.h>
#include <string.h>

#include "core/math/vec.h"

size_t
rs_mlp_widest(const RsMlpHidden *hidden)
{
	size_t widest = hidden->width[0];

	for (int l = 1; l <= hidden->layers; l++)
		widest = hidden->width[l] > widest ? hidden->width[l] : widest;
	return widest;
}

/* One layer: y = activation(W x + b). */
static void
forward(const RsMlpHidden *hidden, int l, const float *x, float *y)
{
	rs_dot_rows(x, hidden->weight[l], hidden->width[l + 1], hidden->width[l], y);
	for (size_t j = 0; j < hidden->width[l + 1]; j++)
	{
		float v = y[j] + hidden->bias[l][j];

		y[j] = hidden->activation == RS_RELU   ? (v > 0 ? v : 0)
			   : hidden->activation == RS_TANH ? tanhf(v)
											   : 1 / (1 + expf(-v));
	}
}

void
rs_mlp_forward(const RsMlpHidden *hidden, const float *x, float *scratch, float *y)
{
	size_t widest = rs_mlp_widest(hidden);

	for (int l = 0; l < hidden->layers; l++)
	{
		float *next = scratch + (l % 2) * widest;

		forward(hidden, l, x, next);
		x = next;
	}
	memcpy(y, x, hidden->width[hidden->layers] * sizeof(float));
}

/* The derivative of a layer's activation, told from what it gave. */
static float
slope(RsActivation activation, float y)
{
	return activation == RS_RELU   ? (y > 0 ? 1 : 0)
		   : activation == RS_TANH ? 1 - y * y
								   : y * (1 - y);
}

/* Add the derivative of row · h(x) by each input to sum[width 0].  values: room for
 * the input and every layer, x being in its place; delta [2 * widest]. */
static void
add_gradient(const RsMlpHidden *hidden, const float *row, float *values, float *delta, float *sum)
{
	size_t widest = rs_mlp_widest(hidden);
	float *now = delta;
	float *next = delta + widest;

	for (int l = 0; l < hidden->layers; l++)
		forward(hidden, l, values + l * widest, values + (l + 1) * widest);
	memcpy(now, row, hidden->width[hidden->layers] * sizeof(float));
	for (int l = hidden->layers - 1; l >= 0; l--)
	{
		size_t in = hidden->width[l];
		const float *y = values + (l + 1) * widest;
		float *swap = now;

		memset(next, 0, in * sizeof(float));
		for (size_t j = 0; j < hidden->width[l + 1]; j++)
			rs_axpy(now[j] * slope(hidden->activation, y[j]), hidden->weight[l] + j * in, next, in);
		now = next;
		next = swap;
	}
	rs_axpy(1, now, sum, hidden->width[0]);
}

RsStatus
rs_mlp_attribute(RsContext *ctx, const RsMlpHidden *hidden, const float *row, const float *x,
				 float *out)
{
	size_t widest = rs_mlp_widest(hidden);
	size_t in = hidden->width[0];
	/* a straight function is its own mean derivative */
	int steps = hidden->layers > 0 ? RS_MLP_STEPS : 1;
	float *values = rs_alloc(ctx, ((size_t) hidden->layers + 3) * widest * sizeof(float));
	RsStatus status = RS_OK;

	if (values == NULL)
		return ctx->status;
	memset(out, 0, in * sizeof(float));
	for (int step = 0; step < steps && status == RS_OK; step++)
	{
		float at = ((float) step + 0.5f) / (float) steps;

		status = rs_check_interrupt(ctx);
		for (size_t j = 0; j < in; j++)
			values[j] = at * x[j];
		add_gradient(hidden, row, values, values + (hidden->layers + 1) * widest, out);
	}
	for (size_t j = 0; j < in; j++)
		out[j] *= x[j] / (float) steps;
	rs_free(ctx, values);
	return status;
}
