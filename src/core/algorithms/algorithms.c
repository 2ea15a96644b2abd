/*
 * algorithms.c
 *		The table of algorithms.
 */
#include "core/algorithms/algorithms.h"

const RsAlgorithm *const *
rs_algorithms(void)
{
	static const RsAlgorithm *const table[] = {&rs_als,        &rs_ease,     &rs_item_knn, &rs_mlp,
											   &rs_popularity, &rs_sequence, NULL};

	return table;
}
