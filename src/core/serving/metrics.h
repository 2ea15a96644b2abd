/*
 * metrics.h
 *		Ranking metrics at k over binary relevance.
 *
 * hit[j] says whether the item at rank j+1 is relevant (its first occurrence
 * only); n_recommended its length; n_relevant the number of distinct relevant
 * items.  All in 0 .. 1; NaN when n_relevant is 0 (not defined).
 */
#ifndef RS_METRICS_H
#define RS_METRICS_H

#include <stdbool.h>
#include <stdint.h>

extern double rs_recall_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant,
							 uint32_t k);
extern double rs_precision_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant,
								uint32_t k);
extern double rs_hit_rate_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant,
							   uint32_t k);
extern double rs_ndcg_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant,
						   uint32_t k);
extern double rs_average_precision_at_k(const bool *hit, uint32_t n_recommended,
										uint32_t n_relevant, uint32_t k);
extern double rs_reciprocal_rank_at_k(const bool *hit, uint32_t n_recommended, uint32_t n_relevant,
									  uint32_t k);

#endif
