/*
 * algorithms.h
 *		The table of algorithms.  A new one is one file (or folder) and one row.
 */
#ifndef RS_ALGORITHMS_H
#define RS_ALGORITHMS_H

#include "core/model/algorithm.h"

/* Each is defined in the file of its name, which knows no other. */
extern const RsAlgorithm rs_als;
extern const RsAlgorithm rs_ease;
extern const RsAlgorithm rs_item_knn;
extern const RsAlgorithm rs_mlp;
extern const RsAlgorithm rs_popularity;
extern const RsAlgorithm rs_sequence;

/* All of them; ends with NULL. */
extern const RsAlgorithm *const *rs_algorithms(void);

#endif
