/*
 * alsrows.h
 *		One half step of alternating least squares: all rows of one side.
 */
#ifndef RS_ALSROWS_H
#define RS_ALSROWS_H

#include "core/data/rows.h"

#include <stdatomic.h>

typedef enum RsAlsSolver
{
	RS_ALS_CG,
	RS_ALS_CHOLESKY
} RsAlsSolver;

/* The objective's numbers and how rows are solved. */
typedef struct RsAlsSettings
{
	uint32_t factors;
	size_t width; /* factors rounded up to 16; the rest of a row is 0 */
	double alpha;
	double unobserved;
	double regularization;
	double exponent;
	RsAlsSolver solver;
	int steps; /* of conjugate gradient */
} RsAlsSettings;

/* Users or items: what they touched and what is known of them. */
typedef struct RsAlsSide
{
	const RsRows *rows; /* indexes into the other side */
	float *factors;     /* [n][width] */
	float *gram;        /* [width][width], of factors */

	uint64_t pieces; /* the rows in runs of about equal work */
	uint32_t *piece_start;
	double *piece_loss;
} RsAlsSide;

/* Memory of the half steps, for all threads. */
typedef struct RsAlsScratch
{
	float *rows;       /* [threads][row_floats] */
	size_t row_floats; /* vectors, the matrix of Cholesky, a copy of short rows */
	uint32_t copied;   /* longest row that is copied */
	float *partial;    /* [blocks][width][width] */
	uint32_t blocks;
} RsAlsScratch;

extern RsStatus rs_als_scratch_create(RsContext *ctx, const RsAlsSettings *settings, uint32_t rows,
									  RsAlsScratch *scratch);
extern void rs_als_scratch_free(RsContext *ctx, RsAlsScratch *scratch);

/* Cut a side into pieces and make room for its losses. */
extern RsStatus rs_als_cut(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side);

/* side->gram = sum of y yᵀ over its rows; the same bits for any thread count. */
extern RsStatus rs_als_gram(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side,
							RsAlsScratch *scratch);

/*
 * Solve all rows of side against other, whose gram is up to date.  *loss gets
 * the part of the objective that depends on side (observed cells, unobserved
 * ones and side's penalty), *penalty the last of these alone.  RS_ERR_DIVERGED
 * without a message when a row left the finite numbers.
 */
extern RsStatus rs_als_solve(RsContext *ctx, const RsAlsSettings *settings, RsAlsSide *side,
							 const RsAlsSide *other, RsAlsScratch *scratch, double *loss,
							 double *penalty);

/* Weight of the squared norm of a row with count cells among n_other. */
extern double rs_als_penalty(const RsAlsSettings *settings, uint64_t count, uint64_t n_other);

#endif
