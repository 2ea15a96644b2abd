/*
 * linalg.h
 *		Dense linear algebra: the only room that calls OpenBLAS.
 *
 * OpenBLAS is opened on the first call (never when the library is loaded, for
 * its pthread build starts threads then), limited to one thread, with all
 * signals blocked meanwhile.  Callers run it from several of our own threads
 * only where rs_linalg_concurrent() says so: Debian's serial build is not safe.
 *
 * Matrices are row-major, single precision.
 */
#ifndef RS_LINALG_H
#define RS_LINALG_H

#include "core/base/context.h"

/* Open the library; RS_ERR_LIBRARY with a hint naming the package if absent. */
extern RsStatus rs_linalg_open(RsContext *ctx);

/* May several threads call it at once? */
extern bool rs_linalg_concurrent(void);

/* C[m,n] = alpha * op(A) * op(B) + beta * C, op by trans flags. */
extern void rs_gemm(bool trans_a, bool trans_b, int m, int n, int k, float alpha, const float *a,
					int lda, const float *b, int ldb, float beta, float *c, int ldc);

/*
 * In place and on ctx->threads: the lower triangle of a symmetric positive
 * definite A[n,n] becomes that of its inverse, then mirrored to the whole
 * matrix.  RS_ERR_DIVERGED when A is not positive definite.  Polls for cancel.
 */
extern RsStatus rs_spd_inverse(RsContext *ctx, float *a, int n);

#endif
