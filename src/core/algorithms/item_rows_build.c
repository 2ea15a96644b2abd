/*
 * item_rows_build.c
 *		Building sparse item-item weights in parallel.
 *
 * Rows are built in batches: threads fill fixed slots of a batch, the main
 * thread packs them into a chunk, and the chunks become one matrix at the end.
 * Which entries of a row are kept is a strict order (absolute value descending,
 * then item ascending), so the result does not depend on threads.
 */
#include "core/algorithms/item_rows_build.h"

#include "core/base/sort.h"
#include "core/base/threads.h"

#include <math.h>
#include <string.h>

#define BATCH_CELLS (1 << 21) /* cells of all slots of a batch: 16 MB */

typedef struct Chunk
{
	struct Chunk *next;
	uint64_t n;
	uint32_t *item;
	float *value;
} Chunk;

typedef struct Builder
{
	const RsRowPlan *plan;
	RsRowScratch *scratch; /* [threads] */
	int threads;
	uint64_t slot;  /* cells a slot */
	uint64_t batch; /* slots */
	uint32_t first; /* item of slot 0 */
	uint32_t *slot_item;
	float *slot_value;
	uint32_t *row_n; /* [n_items] cells kept of each row */
	Chunk *chunks;
	Chunk *last_chunk;
	int bad; /* some value is not finite; any thread */
} Builder;

/* --- the strongest entries of a dense row, in the order of columns --- */

/* Does column a come before b: larger absolute value, then smaller number? */
static inline bool
better(const float *sum, uint32_t a, uint32_t b)
{
	float x = fabsf(sum[a]);
	float y = fabsf(sum[b]);

	return x != y ? x > y : a < b;
}

/* Bring the k best of n columns to the front (Hoare's quickselect).  1 <= k <= n. */
static void
select_best(const float *sum, uint32_t *column, int64_t n, int64_t k)
{
	int64_t low = 0;
	int64_t high = n - 1;

	while (low < high)
	{
		uint32_t pivot = column[low + (high - low) / 2];
		int64_t i = low;
		int64_t j = high;

		while (i <= j)
		{
			while (better(sum, column[i], pivot))
				i++;
			while (better(sum, pivot, column[j]))
				j--;
			if (i <= j)
			{
				uint32_t kept = column[i];

				column[i++] = column[j];
				column[j--] = kept;
			}
		}
		if (k - 1 <= j)
			high = j;
		else if (k - 1 >= i)
			low = i;
		else
			return;
	}
}

static inline bool
column_less(const void *array, uint64_t a, uint64_t b)
{
	return ((const uint32_t *) array)[a] < ((const uint32_t *) array)[b];
}

static inline void
column_swap(void *array, uint64_t a, uint64_t b)
{
	uint32_t *column = array;
	uint32_t kept = column[a];

	column[a] = column[b];
	column[b] = kept;
}

/* Distinct columns into ascending order: by a bitmap, which is zero before and
 * after, or by sorting where they are few. */
static void
sort_columns(uint32_t *column, uint32_t n, uint64_t *bitmap, uint32_t n_items)
{
	uint32_t words = n_items / 64 + 1;
	uint32_t to = 0;
	uint32_t i;

	if (n < words / 16)
	{
		rs_sort_in_place(NULL, column, n, column_less, column_swap);
		return;
	}
	for (i = 0; i < n; i++)
		bitmap[column[i] / 64] |= (uint64_t) 1 << (column[i] % 64);
	for (i = 0; i < words; i++)
	{
		uint64_t bits = bitmap[i];

		bitmap[i] = 0;
		for (; bits != 0; bits &= bits - 1)
			column[to++] = i * 64 + (uint32_t) __builtin_ctzll(bits);
	}
}

/* --- rows --- */

/* Build the rows of slots [begin, end). */
static void
build_rows(void *arg, uint64_t begin, uint64_t end, int thread)
{
	Builder *builder = arg;
	const RsRowPlan *plan = builder->plan;
	RsRowScratch *row = &builder->scratch[thread];
	uint64_t slot;

	for (slot = begin; slot < end; slot++)
	{
		uint32_t item = builder->first + (uint32_t) slot;
		uint32_t *column = builder->slot_item + slot * builder->slot;
		float *value = builder->slot_value + slot * builder->slot;
		uint32_t n = 0;
		uint32_t i;

		row->n = 0;
		plan->body(plan->arg, item, row, thread);
		for (i = 0; i < row->n; i++)
		{
			uint32_t other = row->touched[i];

			row->mark[other] = 0;
			if (!isfinite(row->sum[other]))
				__atomic_store_n(&builder->bad, 1, __ATOMIC_RELAXED);
			if ((other == item && !plan->own) || row->sum[other] == 0 || !isfinite(row->sum[other]))
				row->sum[other] = 0;
			else
				row->touched[n++] = other;
		}
		if (n > builder->slot)
		{
			select_best(row->sum, row->touched, n, (int64_t) builder->slot);
			for (i = (uint32_t) builder->slot; i < n; i++)
				row->sum[row->touched[i]] = 0;
			n = (uint32_t) builder->slot;
		}
		sort_columns(row->touched, n, row->bitmap, plan->n_items);
		for (i = 0; i < n; i++)
		{
			column[i] = row->touched[i];
			value[i] = row->sum[column[i]];
			row->sum[column[i]] = 0;
		}
		builder->row_n[item] = n;
	}
}

/* --- memory --- */

static void
free_builder(RsContext *ctx, Builder *builder)
{
	int i;

	for (i = 0; builder->scratch != NULL && i < builder->threads; i++)
	{
		rs_free(ctx, builder->scratch[i].sum);
		rs_free(ctx, builder->scratch[i].mark);
		rs_free(ctx, builder->scratch[i].touched);
		rs_free(ctx, builder->scratch[i].bitmap);
	}
	rs_free(ctx, builder->scratch);
	rs_free(ctx, builder->slot_item);
	rs_free(ctx, builder->slot_value);
	builder->scratch = NULL;
	builder->slot_item = NULL;
	builder->slot_value = NULL;
}

static void
free_chunks(RsContext *ctx, Builder *builder)
{
	while (builder->chunks != NULL)
	{
		Chunk *chunk = builder->chunks;

		builder->chunks = chunk->next;
		rs_free(ctx, chunk);
	}
	rs_free(ctx, builder->row_n);
}

static RsStatus
init_builder(RsContext *ctx, const RsRowPlan *plan, Builder *builder)
{
	size_t n = plan->n_items;
	int i;

	memset(builder, 0, sizeof(*builder));
	builder->plan = plan;
	builder->threads = rs_parallel_threads(ctx);
	builder->slot = plan->neighbors > 0 && plan->neighbors < n ? plan->neighbors : n;
	builder->batch = BATCH_CELLS / builder->slot;
	if (builder->batch < (uint64_t) builder->threads)
		builder->batch = (uint64_t) builder->threads;
	if (builder->batch > n)
		builder->batch = n;
	builder->scratch = rs_calloc(ctx, (size_t) builder->threads, sizeof(RsRowScratch));
	if (builder->scratch == NULL)
		return ctx->status;
	for (i = 0; i < builder->threads; i++)
	{
		RsRowScratch *row = &builder->scratch[i];

		if ((row->sum = rs_calloc(ctx, n, sizeof(float))) == NULL ||
			(row->mark = rs_calloc(ctx, n, 1)) == NULL ||
			(row->touched = rs_alloc(ctx, n * sizeof(uint32_t))) == NULL ||
			(row->bitmap = rs_calloc(ctx, n / 64 + 1, sizeof(uint64_t))) == NULL)
			return ctx->status;
	}
	builder->row_n = rs_calloc(ctx, n, sizeof(uint32_t));
	if (builder->row_n == NULL)
		return ctx->status;
	builder->slot_item = rs_alloc(ctx, builder->batch * builder->slot * sizeof(uint32_t));
	if (builder->slot_item == NULL)
		return ctx->status;
	builder->slot_value = rs_alloc(ctx, builder->batch * builder->slot * sizeof(float));
	return builder->slot_value == NULL ? ctx->status : RS_OK;
}

/* Copy what the slots of a batch hold to a chunk of its size. */
static RsStatus
pack_batch(RsContext *ctx, Builder *builder, uint64_t slots)
{
	const size_t head = 64;
	Chunk *chunk;
	uint64_t n = 0;
	uint64_t i;

	for (i = 0; i < slots; i++)
		n += builder->row_n[builder->first + i];
	chunk = rs_alloc(ctx, head + n * (sizeof(uint32_t) + sizeof(float)));
	if (chunk == NULL)
		return ctx->status;
	chunk->next = NULL;
	chunk->n = n;
	chunk->item = (uint32_t *) ((char *) chunk + head);
	chunk->value = (float *) (chunk->item + n);
	if (builder->last_chunk != NULL)
		builder->last_chunk->next = chunk;
	else
		builder->chunks = chunk;
	builder->last_chunk = chunk;
	n = 0;
	for (i = 0; i < slots; i++)
	{
		uint32_t count = builder->row_n[builder->first + i];

		memcpy(chunk->item + n, builder->slot_item + i * builder->slot, count * sizeof(uint32_t));
		memcpy(chunk->value + n, builder->slot_value + i * builder->slot, count * sizeof(float));
		n += count;
	}
	return RS_OK;
}

/* --- the whole matrix --- */

typedef struct Matrix
{
	int64_t *offsets;
	uint32_t *items;
	float *values;
} Matrix;

/* Offsets of the finished matrix from the sizes of rows, or of columns. */
static RsStatus
fill_offsets(RsContext *ctx, const Builder *builder, int64_t *offsets)
{
	uint32_t n = builder->plan->n_items;
	const Chunk *chunk;
	uint64_t i;

	memset(offsets, 0, ((size_t) n + 1) * sizeof(int64_t));
	if (!builder->plan->by_target)
		for (i = 0; i < n; i++)
			offsets[i + 1] = builder->row_n[i];
	else
		for (chunk = builder->chunks; chunk != NULL; chunk = chunk->next)
		{
			if (rs_check_interrupt(ctx) != RS_OK)
				return ctx->status;
			for (i = 0; i < chunk->n; i++)
				offsets[chunk->item[i] + 1]++;
		}
	for (i = 0; i < n; i++)
		offsets[i + 1] += offsets[i];
	return RS_OK;
}

/* Move the chunks into the matrix, turned round where rows are targets. */
static RsStatus
fill_matrix(RsContext *ctx, Builder *builder, Matrix *matrix)
{
	uint32_t n = builder->plan->n_items;
	uint32_t row = 0;
	uint32_t in_row = 0;
	int64_t to = 0;
	Chunk *chunk;

	for (chunk = builder->chunks; chunk != NULL; chunk = chunk->next)
	{
		uint64_t i;

		if (rs_check_interrupt(ctx) != RS_OK)
			return ctx->status;
		for (i = 0; i < chunk->n; i++)
		{
			while (in_row == builder->row_n[row])
			{
				row++;
				in_row = 0;
			}
			in_row++;
			if (builder->plan->by_target)
				to = matrix->offsets[chunk->item[i]]++;
			matrix->items[to] = builder->plan->by_target ? row : chunk->item[i];
			matrix->values[to++] = chunk->value[i];
		}
	}
	if (builder->plan->by_target)
	{
		memmove(matrix->offsets + 1, matrix->offsets, (size_t) n * sizeof(int64_t));
		matrix->offsets[0] = 0;
	}
	return RS_OK;
}

/* Hand the three arrays to the model, or free them. */
static RsStatus
add_tensors(RsContext *ctx, RsModel *model, Matrix *matrix, uint32_t n)
{
	uint64_t nnz = (uint64_t) matrix->offsets[n];

	if (rs_model_add(ctx, model, "item_weights.offsets", RS_I64, 1, (uint64_t) n + 1, 1,
					 matrix->offsets, true) != RS_OK)
		return ctx->status;
	matrix->offsets = NULL;
	if (rs_model_add(ctx, model, "item_weights.items", RS_I32, 1, nnz, 1, matrix->items, true) !=
		RS_OK)
		return ctx->status;
	matrix->items = NULL;
	if (rs_model_add(ctx, model, "item_weights.values", RS_F32, 1, nnz, 1, matrix->values, true) !=
		RS_OK)
		return ctx->status;
	matrix->values = NULL;
	return RS_OK;
}

static RsStatus
assemble(RsContext *ctx, Builder *builder, Matrix *matrix)
{
	size_t n = builder->plan->n_items;
	size_t nnz;
	RsStatus status;

	matrix->offsets = rs_alloc(ctx, (n + 1) * sizeof(int64_t));
	if (matrix->offsets == NULL)
		return ctx->status;
	status = fill_offsets(ctx, builder, matrix->offsets);
	if (status != RS_OK)
		return status;
	nnz = (size_t) matrix->offsets[n];
	matrix->items = rs_alloc(ctx, nnz * sizeof(uint32_t));
	if (matrix->items == NULL)
		return ctx->status;
	matrix->values = rs_alloc(ctx, nnz * sizeof(float));
	if (matrix->values == NULL)
		return ctx->status;
	return fill_matrix(ctx, builder, matrix);
}

static RsStatus
not_finite(RsContext *ctx)
{
	rs_fail(ctx, RS_ERR_DIVERGED, "weights between items are not finite");
	rs_hint(ctx, "Use smaller event weights.");
	return ctx->status;
}

RsStatus
rs_item_rows_build(RsContext *ctx, const RsRowPlan *plan, RsModel *model)
{
	Builder builder;
	Matrix matrix = {NULL, NULL, NULL};
	RsStatus status = init_builder(ctx, plan, &builder);

	while (status == RS_OK && builder.first < plan->n_items)
	{
		uint64_t slots = plan->n_items - builder.first;

		if (slots > builder.batch)
			slots = builder.batch;
		rs_report(ctx, plan->phase, (int) builder.first, (int) plan->n_items, NAN);
		status = rs_parallel_for(ctx, slots, 1, build_rows, &builder);
		if (status == RS_OK && builder.bad)
			status = not_finite(ctx);
		if (status == RS_OK)
			status = pack_batch(ctx, &builder, slots);
		builder.first += (uint32_t) slots;
	}
	free_builder(ctx, &builder);
	if (status == RS_OK)
		status = assemble(ctx, &builder, &matrix);
	free_chunks(ctx, &builder);
	if (status == RS_OK)
		status = add_tensors(ctx, model, &matrix, plan->n_items);
	rs_free(ctx, matrix.offsets);
	rs_free(ctx, matrix.items);
	rs_free(ctx, matrix.values);
	return status;
}
