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

typedef void (*SgemmFn)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
						const float *a, int lda, const float *b, int ldb, float beta, float *c,
						int ldc);
typedef void (*FactorFn)(const char *uplo, const int *n, float *a, const int *lda, int *info);

static struct
{
	bool open;
	bool concurrent; /* may several threads call it at once? */
	SgemmFn sgemm;
	FactorFn spotrf;
	FactorFn spotri;
} blas;

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
	if (status != RS_OK || blas.open)
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
	*(void **) &blas.sgemm = dlsym(handle, "cblas_sgemm");
	*(void **) &blas.spotrf = dlsym(handle, "spotrf_");
	*(void **) &blas.spotri = dlsym(handle, "spotri_");
	*(void **) &get_parallel = dlsym(handle, "openblas_get_parallel");
	if (blas.sgemm == NULL || blas.spotrf == NULL || blas.spotri == NULL)
	{
		rs_fail(ctx, RS_ERR_LIBRARY, "could not use OpenBLAS");
		rs_detail(ctx, "%s lacks a function.", LIBRARY);
		rs_hint(ctx, "Install the package libopenblas0.");
		return RS_ERR_LIBRARY;
	}
	blas.concurrent = get_parallel != NULL && get_parallel() != 0;
	blas.open = true;
	return RS_OK;
}

/* --- the inverse --- */

typedef struct Sweep
{
	float *a;     /* [n,n] */
	float *panel; /* [n,BLOCK] columns of the block that is swept, as they were */
	float *right; /* [n,BLOCK] panel times pivot */
	float *pivot; /* [BLOCK,BLOCK] inverse of the diagonal block */
	size_t n;
	size_t begin; /* of the block that is swept */
	int width;
	size_t block; /* its number */
} Sweep;

static size_t
block_width(const Sweep *sweep, size_t block)
{
	size_t begin = block * BLOCK;

	return sweep->n - begin < BLOCK ? sweep->n - begin : BLOCK;
}

/* Invert the diagonal block into pivot; false if it is not positive definite. */
static bool
invert_pivot(Sweep *sweep)
{
	int n = sweep->width;
	int lda = BLOCK;
	int info = 0;

	for (int i = 0; i < n; i++)
		memcpy(sweep->pivot + i * BLOCK, sweep->a + (sweep->begin + i) * sweep->n + sweep->begin,
			   (i + 1) * sizeof(float));
	/* the lower triangle by rows is the upper one by columns */
	blas.spotrf("U", &n, sweep->pivot, &lda, &info);
	if (info != 0)
		return false;
	blas.spotri("U", &n, sweep->pivot, &lda, &info);
	if (info != 0)
		return false;
	for (int i = 0; i < n; i++)
	{
		float diagonal = sweep->pivot[i * BLOCK + i];

		/* OpenBLAS lets NaN pass */
		if (!(diagonal > 0.0f) || isinf(diagonal))
			return false;
		for (int j = 0; j < i; j++)
			sweep->pivot[j * BLOCK + i] = sweep->pivot[i * BLOCK + j];
	}
	return true;
}

/* Panel and right for blocks of rows [begin, end). */
static void
make_panel(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Sweep *sweep = arg;

	(void) thread;
	for (uint64_t block = begin; block < end; block++)
	{
		size_t row = block * BLOCK;
		size_t rows = block_width(sweep, block);
		float *panel = sweep->panel + row * BLOCK;

		if (block == sweep->block)
			continue;
		for (size_t i = 0; i < rows; i++)
		{
			if (block > sweep->block)
				memcpy(panel + i * BLOCK, sweep->a + (row + i) * sweep->n + sweep->begin,
					   sweep->width * sizeof(float));
			else
			{
				for (int j = 0; j < sweep->width; j++)
					panel[i * BLOCK + j] = sweep->a[(sweep->begin + j) * sweep->n + row + i];
			}
		}
		blas.sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_NO_TRANS, (int) rows, sweep->width,
				   sweep->width, 1.0f, panel, BLOCK, sweep->pivot, BLOCK, 0.0f,
				   sweep->right + row * BLOCK, BLOCK);
	}
}

/* A tile of the block's own row or column gets its new value. */
static void
replace_tile(Sweep *sweep, size_t i, size_t j)
{
	size_t other = i == sweep->block ? j : i;
	size_t rows = block_width(sweep, other);

	if (i == j)
	{
		for (int r = 0; r < sweep->width; r++)
		{
			for (int c = 0; c <= r; c++)
				sweep->a[(sweep->begin + r) * sweep->n + sweep->begin + c] =
					-sweep->pivot[r * BLOCK + c];
		}
		return;
	}
	for (size_t r = 0; r < rows; r++)
	{
		const float *right = sweep->right + (other * BLOCK + r) * BLOCK;

		if (i == sweep->block)
		{
			for (int c = 0; c < sweep->width; c++)
				sweep->a[(sweep->begin + c) * sweep->n + other * BLOCK + r] = right[c];
		}
		else
			memcpy(sweep->a + (other * BLOCK + r) * sweep->n + sweep->begin, right,
				   sweep->width * sizeof(float));
	}
}

/* Update tiles [begin, end) of the lower triangle, counted row by row. */
static void
update_tiles(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Sweep *sweep = arg;

	(void) thread;
	for (uint64_t tile = begin; tile < end; tile++)
	{
		size_t i = (size_t) ((sqrt(8.0 * (double) tile + 1.0) - 1.0) / 2.0);
		size_t j;

		while (i * (i + 1) / 2 > tile)
			i--;
		while ((i + 1) * (i + 2) / 2 <= tile)
			i++;
		j = tile - i * (i + 1) / 2;
		if (i == sweep->block || j == sweep->block)
			replace_tile(sweep, i, j);
		else
			blas.sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_TRANS, (int) block_width(sweep, i),
					   (int) block_width(sweep, j), sweep->width, -1.0f,
					   sweep->right + i * BLOCK * BLOCK, BLOCK, sweep->panel + j * BLOCK * BLOCK,
					   BLOCK, 1.0f, sweep->a + i * BLOCK * sweep->n + j * BLOCK, (int) sweep->n);
	}
}

/* The sweep leaves minus the inverse: turn its sign and mirror it. */
static void
finish_rows(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Sweep *sweep = arg;
	size_t n = sweep->n;

	(void) thread;
	for (uint64_t tile = begin; tile < end; tile++)
	{
		size_t first = tile * 64;
		size_t last = n - first < 64 ? n : first + 64;

		for (size_t j0 = 0; j0 < last; j0 += 64)
		{
			for (size_t i = first; i < last; i++)
			{
				for (size_t j = j0; j < j0 + 64 && j <= i; j++)
				{
					float value = -sweep->a[i * n + j];

					sweep->a[i * n + j] = value;
					sweep->a[j * n + i] = value;
				}
			}
		}
	}
}

static RsStatus
sweep_all(RsContext *ctx, Sweep *sweep)
{
	size_t blocks = (sweep->n - 1) / BLOCK + 1;

	for (size_t block = 0; block < blocks; block++)
	{
		RsStatus status;

		sweep->block = block;
		sweep->begin = block * BLOCK;
		sweep->width = (int) block_width(sweep, block);
		if (!invert_pivot(sweep))
			return rs_fail(ctx, RS_ERR_DIVERGED, "matrix is not positive definite");
		status = rs_parallel_for(ctx, blocks, 1, make_panel, sweep);
		if (status == RS_OK)
			status = rs_parallel_for(ctx, blocks * (blocks + 1) / 2, 1, update_tiles, sweep);
		if (status != RS_OK)
			return status;
	}
	return rs_parallel_for(ctx, (sweep->n - 1) / 64 + 1, 1, finish_rows, sweep);
}

RsStatus
rs_spd_inverse(RsContext *ctx, float *a, int n)
{
	Sweep sweep = {.a = a, .n = (size_t) n};
	int threads = ctx->threads;
	RsStatus status;

	if (n <= 0)
		return RS_OK;
	sweep.panel = rs_alloc(ctx, sweep.n * BLOCK * sizeof(float));
	sweep.right = rs_alloc(ctx, sweep.n * BLOCK * sizeof(float));
	sweep.pivot = rs_alloc(ctx, (size_t) BLOCK * BLOCK * sizeof(float));
	if (sweep.panel != NULL && sweep.right != NULL && sweep.pivot != NULL)
	{
		status = open_library(ctx);
		if (!blas.concurrent)
			ctx->threads = 1;
		if (status == RS_OK)
			status = sweep_all(ctx, &sweep);
		ctx->threads = threads;
	}
	else
		status = ctx->status;
	rs_free(ctx, sweep.panel);
	rs_free(ctx, sweep.right);
	rs_free(ctx, sweep.pivot);
	return status;
}
