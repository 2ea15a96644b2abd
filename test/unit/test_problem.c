/* Problems from events: rows, sequences, order, memory. */
#include "items.h"

static Case c;

/* Rows agree with a dense matrix of sums. */
static void
check_rows(const RsProblem *p, const double *x)
{
	uint64_t nnz = 0;
	uint32_t u, i;

	for (u = 0; u < p->n_users; u++)
	{
		uint64_t at = p->by_user.start[u];

		for (i = 0; i < p->n_items; i++)
		{
			double w = x[u * p->n_items + i];

			if (w == 0)
				continue;
			nnz++;
			CHECK(at < p->by_user.start[u + 1] && p->by_user.index[at] == i);
			CHECK_NEAR(p->by_user.weight[at], w, 1e-4);
			at++;
		}
		CHECK(at == p->by_user.start[u + 1]);
	}
	CHECK(rs_rows_count(&p->by_user) == nnz);
	for (i = 0; i < p->n_items; i++)
	{
		uint64_t at = p->by_item.start[i];

		for (u = 0; u < p->n_users; u++)
			if (x[u * p->n_items + i] != 0)
			{
				CHECK(at < p->by_item.start[i + 1] && p->by_item.index[at] == u);
				CHECK_NEAR(p->by_item.weight[at], x[u * p->n_items + i], 1e-4);
				at++;
			}
		CHECK(at == p->by_item.start[i + 1]);
	}
}

TEST(rows_are_sums)
{
	RsContext ctx = rs_context_malloc();
	RsProblem p;
	double *x;

	case_random(&c, 30, 20, 2000, false, true, 1);
	x = case_dense(&c);
	CHECK(case_build(&ctx, &c, 7, &p) == RS_OK);
	CHECK(p.n_events == 2000 && p.sequences.start == NULL);
	check_rows(&p, x);
	rs_problem_free(&ctx, &p);
	CHECK(ctx.memory_used == 0);
	free(x);
}

/* Weights whose sum depends on the order give the same bits all the same. */
TEST(order_does_not_matter)
{
	RsContext ctx = rs_context_malloc();
	RsProblem a, b;
	uint64_t seed = 3;
	uint64_t n;
	uint32_t i;

	case_random(&c, 10, 5, 3000, false, true, 2);
	for (i = 0; i < c.n; i++)
		c.weight[i] = (float) (unit_normal(&seed) * exp(10 * unit_normal(&seed)));
	CHECK(case_build(&ctx, &c, 0, &a) == RS_OK);
	case_shuffle(&c, 9);
	CHECK(case_build(&ctx, &c, 3, &b) == RS_OK);
	n = rs_rows_count(&a.by_user);
	CHECK(n == rs_rows_count(&b.by_user));
	CHECK(memcmp(a.by_user.weight, b.by_user.weight, n * sizeof(float)) == 0);
	CHECK(memcmp(a.by_item.weight, b.by_item.weight, n * sizeof(float)) == 0);
	CHECK(memcmp(a.by_user.index, b.by_user.index, n * sizeof(uint32_t)) == 0);
	rs_problem_free(&ctx, &a);
	rs_problem_free(&ctx, &b);
	CHECK(ctx.memory_used == 0);
}

TEST(sequences_are_sorted)
{
	RsContext ctx = rs_context_malloc();
	RsProblem a, b;
	uint32_t u, i;
	uint64_t k;

	ctx.threads = 2;
	case_random(&c, 12, 9, 2500, true, true, 4);
	CHECK(case_build(&ctx, &c, 0, &a) == RS_OK);
	CHECK(a.n_events == 2500 && a.sequences.start[12] == 2500);
	/* the k-th event of a user has exactly the right number of events before it */
	for (u = 0; u < c.n_users; u++)
	{
		uint64_t before = 0;

		for (i = 0; i < c.n; i++)
			before += c.user[i] == u;
		CHECK(a.sequences.start[u + 1] - a.sequences.start[u] == before);
	}
	for (i = 0; i < 200; i++)
	{
		uint64_t less = 0, equal = 0;
		bool found = false;
		uint32_t j;

		for (j = 0; j < c.n; j++)
		{
			if (c.user[j] != c.user[i])
				continue;
			if (c.time[j] != c.time[i])
				less += c.time[j] < c.time[i];
			else if (c.item[j] != c.item[i])
				less += c.item[j] < c.item[i];
			else if (c.weight[j] != c.weight[i])
				less += c.weight[j] < c.weight[i];
			else
				equal++;
		}
		for (k = less; k < less + equal; k++)
		{
			uint64_t at = a.sequences.start[c.user[i]] + k;

			found = a.sequences.index[at] == c.item[i] && a.sequences.weight[at] == c.weight[i];
			CHECK(found);
		}
	}
	case_shuffle(&c, 8);
	CHECK(case_build(&ctx, &c, 5, &b) == RS_OK);
	CHECK(memcmp(a.sequences.index, b.sequences.index, 2500 * sizeof(uint32_t)) == 0);
	CHECK(memcmp(a.sequences.weight, b.sequences.weight, 2500 * sizeof(float)) == 0);
	rs_problem_free(&ctx, &a);
	rs_problem_free(&ctx, &b);
}

/* Each form is the same whether the other is asked for or not. */
TEST(both_forms)
{
	RsContext ctx = rs_context_malloc();
	RsProblem both, cells;
	double *x;

	case_random(&c, 30, 20, 2000, true, true, 1);
	x = case_dense(&c);
	CHECK(case_build(&ctx, &c, 7, &both) == RS_OK);
	CHECK(rs_rows_count(&both.sequences) == 2000);
	check_rows(&both, x);
	c.timed = false;
	CHECK(case_build(&ctx, &c, 0, &cells) == RS_OK);
	CHECK(rs_rows_count(&cells.sequences) == 0);
	CHECK(memcmp(both.by_item.weight, cells.by_item.weight,
				 rs_rows_count(&cells.by_item) * sizeof(float)) == 0);
	CHECK(rs_problem_histories(&both) == &both.sequences);
	CHECK(rs_problem_histories(&cells) == &cells.by_user);
	rs_problem_free(&ctx, &both);
	rs_problem_free(&ctx, &cells);
	CHECK(ctx.memory_used == 0);
	free(x);
}

/* A row longer than what is sorted in parallel, with many equal times. */
TEST(long_sequence)
{
	RsContext ctx = rs_context_malloc();
	RsEvents *events = rs_events_create(&ctx, true);
	uint32_t rank[1000];
	uint64_t seed = 2;
	RsProblem p;
	uint32_t i;
	uint64_t k;

	for (i = 0; i < 1000; i++)
		rank[i] = i;
	for (i = 0; i < 40000; i++)
		CHECK(rs_events_append(&ctx, events, 0, (uint32_t) (unit_random(&seed) % 1000), 1, 7) ==
			  RS_OK);
	CHECK(events->count == 40000);
	CHECK(rs_problem_build(&ctx, events, RS_SEQUENCES, rank, 1, rank, 1000, &p) == RS_OK);
	for (k = 1; k < 40000; k++)
		CHECK(p.sequences.index[k - 1] <= p.sequences.index[k]);
	rs_problem_free(&ctx, &p);
}

TEST(memory_and_bounds)
{
	RsContext ctx = rs_context_malloc();
	uint32_t *rank = malloc(100000 * sizeof(uint32_t));
	int timed;

	for (uint32_t i = 0; i < 100000; i++)
		rank[i] = i;
	for (timed = 0; timed < 2; timed++)
	{
		RsEvents *events = rs_events_create(&ctx, timed);
		uint64_t seed = 1;
		RsProblem p;
		size_t before;

		for (uint32_t i = 0; i < 400000; i++)
			rs_events_append(&ctx, events, (uint32_t) (unit_random(&seed) % 1000),
							 (uint32_t) (unit_random(&seed) % 3000), 1, (int64_t) i);
		before = ctx.memory_used;
		ctx.memory_peak = before;
		CHECK(rs_problem_build(&ctx, events, timed ? RS_SEQUENCES : RS_CELLS, rank, 1000, rank,
							   3000, &p) == RS_OK);
		CHECK((double) (ctx.memory_peak - before) < 400000 * 16 + 50000);
		rs_problem_free(&ctx, &p);
		CHECK(ctx.memory_used == 0);
	}
	free(rank);
}

TEST(bad_weights)
{
	RsContext ctx = rs_context_malloc();
	RsEvents *events = rs_events_create(&ctx, false);
	uint32_t rank = 0;
	RsProblem p;

	CHECK(rs_events_append(&ctx, events, 0, 0, NAN, 0) == RS_ERR_PARAM);
	CHECK(rs_events_append(&ctx, events, 0, 0, INFINITY, 0) == RS_ERR_PARAM);
	CHECK(rs_events_append(&ctx, events, 0, 0, 3e38f, 0) == RS_OK);
	CHECK(rs_events_append(&ctx, events, 0, 0, 3e38f, 0) == RS_OK);
	CHECK(rs_problem_build(&ctx, events, RS_CELLS, &rank, 1, &rank, 1, &p) == RS_OK);
	CHECK(isfinite(p.by_user.weight[0]));
	rs_problem_free(&ctx, &p);
	events = rs_events_create(&ctx, false);
	CHECK(rs_events_append(&ctx, events, 0, 0, 2, 0) == RS_OK);
	CHECK(rs_events_append(&ctx, events, 0, 0, -2, 0) == RS_OK);
	CHECK(rs_problem_build(&ctx, events, RS_CELLS, &rank, 1, &rank, 1, &p) == RS_ERR_EMPTY);
	events = rs_events_create(&ctx, true);
	CHECK(rs_problem_build(&ctx, events, RS_SEQUENCES, &rank, 1, &rank, 1, &p) == RS_ERR_EMPTY);
	CHECK(ctx.memory_used == 0);
}

TEST(failures)
{
	UnitHeap heap;
	RsProblem p;
	int timed;
	long n;

	for (timed = 0; timed < 2; timed++)
	{
		case_random(&c, 30, 20, 2000, timed, true, 1);
		for (n = 1;; n++)
		{
			RsContext *ctx = unit_heap(&heap, n, 0);
			RsStatus status = case_build(ctx, &c, 0, &p);

			if (status == RS_OK)
				rs_problem_free(ctx, &p);
			CHECK(heap.live == 0 && ctx->memory_used == 0);
			if (!heap.failed)
				break;
			CHECK(status == RS_ERR_NOMEM);
		}
		CHECK(n > 5);
		for (n = 1;; n++)
		{
			RsContext *ctx = unit_heap(&heap, 0, n);
			RsStatus status = case_build(ctx, &c, 0, &p);

			if (status == RS_OK)
				rs_problem_free(ctx, &p);
			CHECK(heap.live == 0 && ctx->memory_used == 0);
			if (!heap.canceled)
				break;
			CHECK(status == RS_ERR_CANCELED);
		}
		CHECK(n > 2);
	}
}

UNIT_MAIN(rows_are_sums, order_does_not_matter, sequences_are_sorted, both_forms, long_sequence,
		  memory_and_bounds, bad_weights, failures)
