/*
 * variety.c
 *		A list that is not only good but varied: chosen anew from a longer one.
 *
 * The DPP's gain of a candidate is log d², where d² is what of its unit vector the
 * chosen ones do not span.  A row of the Cholesky factor is kept for each chosen j:
 *
 *		e_i = (s_ji - Σ_t c_ti c_tj) / d_j      d_i² -= e_i²
 *
 * so that a step costs candidates × steps so far.
 */
#include "core/serving/variety.h"

#include <math.h>
#include <string.h>

/* Of a unit vector less than this is rounding: all that the chosen ones span as good
 * as whole is equally alike. */
#define LEAST 1e-6

typedef struct Choice
{
	RsVarietyMethod method;
	double diversity;
	uint32_t n;
	uint32_t steps; /* room of factor */
	double *z;      /* [n] standardised scores */
	double *state;  /* [n] DPP: d²; MMR: greatest likeness to a chosen one */
	double *like;   /* [n] to the last chosen one */
	double *factor; /* [steps][n] DPP */
	bool *gone;     /* [n] chosen, or of a full group */
	RsLikeness likeness;
} Choice;

bool
rs_quota_take(const RsQuota *quota, uint32_t i)
{
	const uint32_t *group;

	if (quota == NULL)
		return true;
	group = quota->group + (size_t) i * quota->columns;
	for (uint32_t c = 0; c < quota->columns; c++)
		if (group[c] != RS_NO_GROUP && quota->left[group[c]] == 0)
			return false;
	for (uint32_t c = 0; c < quota->columns; c++)
		if (group[c] != RS_NO_GROUP)
			quota->left[group[c]]--;
	return true;
}

/* Scores of mean 0 and deviation 1; all 0 where they are the same. */
static void
standardise(const RsHit *hits, uint32_t n, double *z)
{
	double mean = 0;
	double square = 0;

	for (uint32_t i = 0; i < n; i++)
		mean += hits[i].score / (double) n;
	for (uint32_t i = 0; i < n; i++)
	{
		z[i] = hits[i].score - mean;
		square += z[i] * z[i] / n;
	}
	for (uint32_t i = 0; i < n; i++)
		z[i] = square > 0 ? z[i] / sqrt(square) : 0;
}

static void
end(RsContext *ctx, Choice *choice)
{
	rs_free(ctx, choice->z);
	rs_free(ctx, choice->factor);
	rs_free(ctx, choice->gone);
	rs_likeness_close(ctx, &choice->likeness);
}

static RsStatus
begin(RsContext *ctx, const RsModel *model, const RsHit *hits, uint32_t *items, Choice *choice)
{
	uint32_t n = choice->n;

	for (uint32_t i = 0; i < n; i++)
		items[i] = hits[i].item;
	if (rs_likeness_open(ctx, model, items, n, &choice->likeness) != RS_OK)
		return ctx->status;
	choice->z = rs_alloc(ctx, 3 * (size_t) n * sizeof(double));
	choice->gone = rs_calloc(ctx, n, sizeof(bool));
	if (choice->method == RS_VARIETY_DPP)
		choice->factor = rs_alloc(ctx, (size_t) choice->steps * n * sizeof(double));
	if (choice->z == NULL || choice->gone == NULL ||
		(choice->method == RS_VARIETY_DPP && choice->factor == NULL))
	{
		end(ctx, choice);
		return ctx->status;
	}
	choice->state = choice->z + n;
	choice->like = choice->state + n;
	standardise(hits, n, choice->z);
	for (uint32_t i = 0; i < n; i++)
		choice->state[i] = choice->method == RS_VARIETY_DPP ? 1 : 0;
	return RS_OK;
}

/* What candidate i would add to the list. */
static double
gain(const Choice *choice, uint32_t i)
{
	double state = choice->state[i];
	double varied = choice->method == RS_VARIETY_MMR ? -state : log(state > LEAST ? state : LEAST);

	return (1 - choice->diversity) * choice->z[i] + choice->diversity * varied;
}

/* Tell the others that candidate j was chosen, at this step. */
static void
update(Choice *choice, uint32_t j, uint32_t step)
{
	uint32_t n = choice->n;
	double *like = choice->like;
	double *row;
	double d;

	rs_likeness_of(&choice->likeness, j, like);
	if (choice->method == RS_VARIETY_MMR)
	{
		for (uint32_t i = 0; i < n; i++)
			if (step == 0 || like[i] > choice->state[i])
				choice->state[i] = like[i];
		return;
	}
	row = choice->factor + (size_t) step * n;
	d = choice->state[j];
	if (!(d > LEAST)) /* no new direction */
	{
		memset(row, 0, n * sizeof(double));
		return;
	}
	memcpy(row, like, n * sizeof(double));
	for (uint32_t t = 0; t < step; t++)
	{
		const double *c = choice->factor + (size_t) t * n;
		double own = c[j];

		for (uint32_t i = 0; i < n; i++)
			row[i] -= own * c[i];
	}
	for (uint32_t i = 0; i < n; i++)
	{
		row[i] /= sqrt(d);
		choice->state[i] -= row[i] * row[i];
	}
}

/* The best that may be taken, or n. */
static uint32_t
take_best(Choice *choice, const RsQuota *quota)
{
	for (;;)
	{
		uint32_t best = choice->n;
		double most = 0;

		for (uint32_t i = 0; i < choice->n; i++)
		{
			double value;

			if (choice->gone[i])
				continue;
			value = gain(choice, i);
			if (best == choice->n || value > most)
			{
				best = i;
				most = value;
			}
		}
		if (best == choice->n)
			return best;
		choice->gone[best] = true;
		if (rs_quota_take(quota, best))
			return best;
	}
}

/* By score, what is left of the candidates. */
static void
take_rest(const bool *gone, uint32_t n, const RsQuota *quota, uint32_t k, uint32_t *chosen,
		  uint32_t *n_chosen)
{
	for (uint32_t i = 0; i < n && *n_chosen < k; i++)
		if ((gone == NULL || !gone[i]) && rs_quota_take(quota, i))
			chosen[(*n_chosen)++] = i;
}

RsStatus
rs_variety_choose(RsContext *ctx, const RsModel *model, RsVarietyMethod method, double diversity,
				  const RsHit *hits, uint32_t n, const RsQuota *quota, uint32_t k, uint32_t *chosen,
				  uint32_t *n_chosen)
{
	Choice choice = {.method = method, .diversity = diversity, .n = n};
	RsStatus status;
	uint32_t *items;

	*n_chosen = 0;
	k = k < n ? k : n;
	if (!(diversity >= 0 && diversity <= 1))
		return rs_fail(ctx, RS_ERR_PARAM, "diversity must be between 0 and 1, but is %g",
					   diversity);
	if (diversity == 0 || k == 0)
	{
		take_rest(NULL, n, quota, k, chosen, n_chosen);
		return RS_OK;
	}
	choice.steps = k < RS_VARIETY_MOST ? k : RS_VARIETY_MOST;
	items = rs_alloc(ctx, n * sizeof(uint32_t));
	if (items == NULL)
		return ctx->status;
	status = begin(ctx, model, hits, items, &choice);
	if (status != RS_OK)
	{
		rs_free(ctx, items);
		return status;
	}
	while (*n_chosen < choice.steps && (status = rs_check_interrupt(ctx)) == RS_OK)
	{
		uint32_t best = take_best(&choice, quota);

		if (best == n)
			break;
		update(&choice, best, *n_chosen);
		chosen[(*n_chosen)++] = best;
	}
	if (status == RS_OK)
		take_rest(choice.gone, n, quota, k, chosen, n_chosen);
	end(ctx, &choice);
	rs_free(ctx, items);
	return status;
}
