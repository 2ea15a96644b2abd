/*
 * sweep.h
 *		The inverse of linalg.c for one precision: included once for each, with REAL
 *		and NAME() set, which it unsets.
 */

typedef struct NAME(Sweep)
{
	REAL *a;     /* [n,n] */
	REAL *panel; /* [n,BLOCK] columns of the block that is swept, as they were */
	REAL *right; /* [n,BLOCK] panel times pivot */
	REAL *pivot; /* [BLOCK,BLOCK] inverse of the diagonal block */
	size_t n;
	size_t begin; /* of the block that is swept */
	int width;
	size_t block; /* its number */
} NAME(Sweep);

static size_t
NAME(block_width)(const NAME(Sweep) * sweep, size_t block)
{
	size_t begin = block * BLOCK;

	return sweep->n - begin < BLOCK ? sweep->n - begin : BLOCK;
}

/* Invert the diagonal block into pivot; false if it is not positive definite. */
static bool
NAME(invert_pivot)(NAME(Sweep) * sweep)
{
	int n = sweep->width;
	int lda = BLOCK;
	int info = 0;

	for (int i = 0; i < n; i++)
		memcpy(sweep->pivot + i * BLOCK, sweep->a + (sweep->begin + i) * sweep->n + sweep->begin,
			   (i + 1) * sizeof(REAL));
	/* the lower triangle by rows is the upper one by columns */
	NAME(blas).potrf("U", &n, sweep->pivot, &lda, &info);
	if (info != 0)
		return false;
	NAME(blas).potri("U", &n, sweep->pivot, &lda, &info);
	if (info != 0)
		return false;
	for (int i = 0; i < n; i++)
	{
		REAL diagonal = sweep->pivot[i * BLOCK + i];

		/* OpenBLAS lets NaN pass */
		if (!(diagonal > 0) || isinf(diagonal))
			return false;
		for (int j = 0; j < i; j++)
			sweep->pivot[j * BLOCK + i] = sweep->pivot[i * BLOCK + j];
	}
	return true;
}

/* Panel and right for blocks of rows [begin, end). */
static void
NAME(make_panel)(void *arg, uint64_t begin, uint64_t end, int thread)
{
	NAME(Sweep) *sweep = arg;

	(void) thread;
	for (uint64_t block = begin; block < end; block++)
	{
		size_t row = block * BLOCK;
		size_t rows = NAME(block_width)(sweep, block);
		REAL *panel = sweep->panel + row * BLOCK;

		if (block == sweep->block)
			continue;
		for (size_t i = 0; i < rows; i++)
		{
			if (block > sweep->block)
				memcpy(panel + i * BLOCK, sweep->a + (row + i) * sweep->n + sweep->begin,
					   sweep->width * sizeof(REAL));
			else
			{
				for (int j = 0; j < sweep->width; j++)
					panel[i * BLOCK + j] = sweep->a[(sweep->begin + j) * sweep->n + row + i];
			}
		}
		NAME(blas).gemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_NO_TRANS, (int) rows, sweep->width,
						sweep->width, 1, panel, BLOCK, sweep->pivot, BLOCK, 0,
						sweep->right + row * BLOCK, BLOCK);
	}
}

/* A tile of the block's own row or column gets its new value. */
static void
NAME(replace_tile)(NAME(Sweep) * sweep, size_t i, size_t j)
{
	size_t other = i == sweep->block ? j : i;
	size_t rows = NAME(block_width)(sweep, other);

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
		const REAL *right = sweep->right + (other * BLOCK + r) * BLOCK;

		if (i == sweep->block)
		{
			for (int c = 0; c < sweep->width; c++)
				sweep->a[(sweep->begin + c) * sweep->n + other * BLOCK + r] = right[c];
		}
		else
			memcpy(sweep->a + (other * BLOCK + r) * sweep->n + sweep->begin, right,
				   sweep->width * sizeof(REAL));
	}
}

/* Update tiles [begin, end) of the lower triangle, counted row by row. */
static void
NAME(update_tiles)(void *arg, uint64_t begin, uint64_t end, int thread)
{
	NAME(Sweep) *sweep = arg;

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
			NAME(replace_tile)(sweep, i, j);
		else
			NAME(blas).gemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_TRANS,
							(int) NAME(block_width)(sweep, i), (int) NAME(block_width)(sweep, j),
							sweep->width, -1, sweep->right + i * BLOCK * BLOCK, BLOCK,
							sweep->panel + j * BLOCK * BLOCK, BLOCK, 1,
							sweep->a + i * BLOCK * sweep->n + j * BLOCK, (int) sweep->n);
	}
}

/* The sweep leaves minus the inverse: turn its sign and mirror it. */
static void
NAME(finish_rows)(void *arg, uint64_t begin, uint64_t end, int thread)
{
	NAME(Sweep) *sweep = arg;
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
					REAL value = -sweep->a[i * n + j];

					sweep->a[i * n + j] = value;
					sweep->a[j * n + i] = value;
				}
			}
		}
	}
}

static RsStatus
NAME(sweep_all)(RsContext *ctx, NAME(Sweep) * sweep)
{
	size_t blocks = (sweep->n - 1) / BLOCK + 1;

	for (size_t block = 0; block < blocks; block++)
	{
		RsStatus status;

		sweep->block = block;
		sweep->begin = block * BLOCK;
		sweep->width = (int) NAME(block_width)(sweep, block);
		if (!NAME(invert_pivot)(sweep))
			return rs_fail(ctx, RS_ERR_DIVERGED, "matrix is not positive definite");
		status = rs_parallel_for(ctx, blocks, 1, NAME(make_panel), sweep);
		if (status == RS_OK)
			status = rs_parallel_for(ctx, blocks * (blocks + 1) / 2, 1, NAME(update_tiles), sweep);
		if (status != RS_OK)
			return status;
	}
	return rs_parallel_for(ctx, (sweep->n - 1) / 64 + 1, 1, NAME(finish_rows), sweep);
}

static RsStatus
NAME(inverse)(RsContext *ctx, REAL *a, int n)
{
	NAME(Sweep) sweep = {.a = a, .n = (size_t) n};
	int threads = ctx->threads;
	RsStatus status;

	if (n <= 0)
		return RS_OK;
	sweep.panel = rs_alloc(ctx, sweep.n * BLOCK * sizeof(REAL));
	sweep.right = rs_alloc(ctx, sweep.n * BLOCK * sizeof(REAL));
	sweep.pivot = rs_alloc(ctx, (size_t) BLOCK * BLOCK * sizeof(REAL));
	if (sweep.panel != NULL && sweep.right != NULL && sweep.pivot != NULL)
	{
		status = open_library(ctx);
		if (!library.concurrent)
			ctx->threads = 1;
		if (status == RS_OK)
			status = NAME(sweep_all)(ctx, &sweep);
		ctx->threads = threads;
	}
	else
		status = ctx->status;
	rs_free(ctx, sweep.panel);
	rs_free(ctx, sweep.right);
	rs_free(ctx, sweep.pivot);
	return status;
}

#undef REAL
#undef NAME
