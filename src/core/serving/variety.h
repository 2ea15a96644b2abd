/*
 * variety.h
 *		A list that is not only good but varied: chosen anew from a longer one.
 *
 * With diversity d in 0 .. 1, standardised scores z = (score - mean) / deviation over
 * the candidates, and s the likeness of two items (likeness.h), each step takes the
 * candidate that adds most:
 *
 *		DPP   (1 - d) Σ z_i + d log det S   over the set S chosen so far (Chen, Zhang
 *		      and Zhou 2018: greedy, by a Cholesky factor that grows a row a step)
 *		MMR   (1 - d) z_i - d max s_ij      over j chosen so far, 0 for the first
 *		      (Carbonell and Goldstein 1998)
 *
 * So 0 is the list as it was and 1 is diversity alone, beginning with the best item.
 * The standard scores make a setting mean the same for models whose scores are of
 * other sizes.  Ties go to the better candidate, that is by score, then by item.
 */
#ifndef RS_VARIETY_H
#define RS_VARIETY_H

#include "core/serving/likeness.h"
#include "core/serving/topk.h"

typedef enum RsVarietyMethod
{
	RS_VARIETY_DPP,
	RS_VARIETY_MMR
} RsVarietyMethod;

#define RS_VARIETY_MOST 500 /* items that are chosen so; what is beyond follows by score */

/* Candidates that a list of k is chosen from. */
static inline uint64_t
rs_variety_depth(uint64_t k)
{
	return k < 50 ? 200 : 4 * k;
}

#define RS_NO_GROUP UINT32_MAX

/* How many of a group may stand in a list.  A group is a value of a column; left is
 * counted down, and shared by all candidates. */
typedef struct RsQuota
{
	uint32_t columns;
	const uint32_t *group; /* [n][columns] of each candidate; RS_NO_GROUP: in none */
	uint32_t *left;        /* by group */
} RsQuota;

/* Take candidate i, unless one of its groups is full. */
extern bool rs_quota_take(const RsQuota *quota, uint32_t i);

/*
 * Choose up to k of candidates hits[n], best first, under a quota (NULL: none):
 * chosen[k] are their places, in the order of the list.  *n_chosen is k, unless there
 * are fewer or the others are of full groups.  RS_ERR_PARAM for a diversity outside
 * 0 .. 1.  Polls for cancel.
 */
extern RsStatus rs_variety_choose(RsContext *ctx, const RsModel *model, RsVarietyMethod method,
								  double diversity, const RsHit *hits, uint32_t n,
								  const RsQuota *quota, uint32_t k, uint32_t *chosen,
								  uint32_t *n_chosen);

#endif
