/*
 * linalg.h
 *		Dense linear algebra: the only room that calls OpenBLAS.
 *
 * OpenBLAS is opened on the first call (never when the library is loaded, for
 * its pthread build starts threads then), limited to one thread, with all
 * signals blocked meanwhile.  It is run from several of our own threads only
 * where it says that it can be: Debian's serial build is not safe.
 *
 * Matrices are row-major.
 */
#ifndef RS_LINALG_H
#define RS_LINALG_H

#include "core/base/context.h"

/*
 * In place and on ctx->threads: the lower triangle of a symmetric positive
 * definite A[n,n] becomes that of its inverse, then mirrored to the whole
 * matrix.  RS_ERR_DIVERGED when A is not positive definite, RS_ERR_LIBRARY with a
 * hint naming the package where OpenBLAS is absent.  Polls for cancel.
 */
extern RsStatus rs_spd_inverse(RsContext *ctx, float *a, int n);
extern RsStatus rs_spd_inverse_double(RsContext *ctx, double *a, int n);

/* What it takes beside the matrix, for elements of real bytes. */
extern size_t rs_spd_inverse_bytes(size_t n, size_t real);

#endif
