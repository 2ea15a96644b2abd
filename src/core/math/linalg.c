/*
 * linalg.c
 *		Dense linear algebra over an OpenBLAS that is opened on first use.
 *
 * The inverse works in place on the lower triangle by the symmetric sweep
 * operator (Goodnight, A Tutorial on the SWEEP Operator, 1979), a block of
 * columns at a time.  It costs n³ multiplications, as many as Cholesky and the
 * inverse from it, but each step is one update of every tile of the triangle:
 * plain products that any number of threads can share.  Blocks are inverted by
 * Cholesky, so a matrix that is not positive definite is found out.
 */
#include "core/math/linalg.h"

#include "core/base/threads.h"
#include "core/math/vec.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LIBRARY "libopenblas.so.0"

/* What OpenBLAS maps for each thread that calls it, and waits for forever when
 * it cannot have it. */
#define BUFFER_BYTES ((size_t) 128 * 1024 * 1024)

#define BLOCK 256

enum
{
	CBLAS_ROW_MAJOR = 101,
	CBLAS_NO_TRANS = 111,
	CBLAS_TRANS = 112,
	CBLAS_LOWER = 122
};

static struct
{
	bool open;
	bool concurrent; /* may several threads call it at once? */
} library;

/* What is called of it, by precision. */
#define FUNCTIONS(REAL)                                                                            \
	struct                                                                                         \
	{                                                                                              \
		void (*gemm)(int order, int trans_a, int trans_b, int m, int n, int k, REAL alpha,         \
					 const REAL *a, int lda, const REAL *b, int ldb, REAL beta, REAL *c, int ldc); \
		void (*potrf)(const char *uplo, const int *n, REAL *a, const int *lda, int *info);         \
		void (*potri)(const char *uplo, const int *n, REAL *a, const int *lda, int *info);         \
	}

static FUNCTIONS(float) blas_single;
static FUNCTIONS(double) blas_double;

/* Is there room for the buffers of that many threads? */
static RsStatus
probe_memory(RsContext *ctx, int threads)
{
	size_t size = BUFFER_BYTES * (size_t) (threads + 1);
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
	{
		rs_fail(ctx, RS_ERR_NOMEM, "out of memory");
		rs_detail(ctx, "OpenBLAS needs %zu MB of address space.", size / 1048576);
		return RS_ERR_NOMEM;
	}
	munmap(map, size);
	return RS_OK;
}

/* Load the library so that it starts no thread and none sees our signals. */
static void *
load_library(void)
{
	sigset_t all;
	sigset_t old;
	void *handle;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (handle != NULL)
	{
		void (*set_threads)(int) = NULL;

		*(void **) &set_threads = dlsym(handle, "openblas_set_num_threads");
		if (set_threads != NULL)
			set_threads(1);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return handle;
}

/* Open the library; RS_ERR_LIBRARY with a hint naming the package if absent. */
static RsStatus
open_library(RsContext *ctx)
{
	int (*get_parallel)(void) = NULL;
	void *handle;
	RsStatus status;

	status = probe_memory(ctx, rs_parallel_threads(ctx));
	if (status != RS_OK || library.open)
		return status;
	handle = load_library();
	if (handle == NULL)
	{
		const char *reason = dlerror();

		rs_fail(ctx, RS_ERR_LIBRARY, "could not load OpenBLAS");
		rs_detail(ctx, "%s.", reason != NULL ? reason : LIBRARY);
		rs_hint(ctx, "Install the package libopenblas0.");
		return RS_ERR_LIBRARY;
	}
	*(void **) &blas_single.gemm = dlsym(handle, "cblas_sgemm");
	*(void **) &blas_single.potrf = dlsym(handle, "spotrf_");
	*(void **) &blas_single.potri = dlsym(handle, "spotri_");
	*(void **) &blas_double.gemm = dlsym(handle, "cblas_dgemm");
	*(void **) &blas_double.potrf = dlsym(handle, "dpotrf_");
	*(void **) &blas_double.potri = dlsym(handle, "dpotri_");
	*(void **) &get_parallel = dlsym(handle, "openblas_get_parallel");
	if (blas_single.gemm == NULL || blas_single.potrf == NULL || blas_single.potri == NULL ||
		blas_double.gemm == NULL || blas_double.potrf == NULL || blas_double.potri == NULL)
	{
		rs_fail(ctx, RS_ERR_LIBRARY, "could not use OpenBLAS");
		rs_detail(ctx, "%s lacks a function.", LIBRARY);
		rs_hint(ctx, "Install the package libopenblas0.");
		return RS_ERR_LIBRARY;
	}
	library.concurrent = get_parallel != NULL && get_parallel() != 0;
	library.open = true;
	return RS_OK;
}

/* --- the inverse --- */

#define REAL float
#define NAME(name) name##_single
#include "core/math/sweep.h"

#define REAL double
#define NAME(name) name##_double
#include "core/math/sweep.h"

RsStatus
rs_spd_inverse(RsContext *ctx, float *a, int n)
{
	return inverse_single(ctx, a, n);
}

RsStatus
rs_spd_inverse_double(RsContext *ctx, double *a, int n)
{
	return inverse_double(ctx, a, n);
}

size_t
rs_spd_inverse_bytes(size_t n, size_t real)
{
	return (2 * n + BLOCK) * BLOCK * real;
}
