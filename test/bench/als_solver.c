/*
 * als_solver.c
 *		Compares the solvers of ALS: seconds against quality.
 *
 *	als_solver [threads=N] [users=N items=N pairs=N] [test=FILE negatives=FILE]
 *			   [OPTION=VALUE ...] [-- VARIANT OPTION=VALUE ... [-- ...]]
 *
 * Reads "user,item[,...]" lines from standard input (a first line that is not
 * two numbers is skipped), or makes pairs at random where users, items and
 * pairs are given.  test has "user,item" lines, negatives "user,item,ids" with
 * the ids apart by spaces: each test item is ranked among its negatives.  Each
 * "--" begins a variant: options that are set for one run.
 */
#include "core/algorithms/algorithms.h"
#include "core/math/vec.h"
#include "core/model/derived.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CODE 4000000
#define AT 10

typedef struct Codes
{
	uint32_t *code; /* of id, plus 1; 0 = none */
	uint32_t n;
} Codes;

typedef struct Setup
{
	uint32_t users;
	uint32_t items;
	uint64_t pairs;
	int threads;
	const char *test;
	const char *negatives;
} Setup;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void
die(const char *message)
{
	fprintf(stderr, "als_solver: %s\n", message);
	exit(1);
}

static uint32_t
code_of(Codes *codes, unsigned long id, bool add)
{
	if (id >= MAX_CODE)
		die("id is too large");
	if (codes->code[id] == 0 && add)
		codes->code[id] = ++codes->n;
	return codes->code[id];
}

static void
read_events(RsContext *ctx, RsEvents *events, Codes *users, Codes *items)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		unsigned long user;
		unsigned long item;

		if (sscanf(line, "%lu,%lu", &user, &item) == 2)
			rs_events_append(ctx, events, code_of(users, user, true) - 1,
							 code_of(items, item, true) - 1, 1.0f, 0);
	}
}

/* Pairs in twenty groups of taste, items by a power law. */
static void
make_events(RsContext *ctx, RsEvents *events, const Setup *setup)
{
	uint64_t state = 1;

	for (uint64_t i = 0; i < setup->pairs; i++)
	{
		uint32_t user;
		uint32_t item;
		double u;

		state = state * 6364136223846793005u + 1442695040888963407u;
		user = (uint32_t) ((state >> 33) % setup->users);
		state = state * 6364136223846793005u + 1442695040888963407u;
		u = (double) (state >> 11) * 0x1.0p-53;
		item = (uint32_t) (setup->items * pow(u, 2.5));
		if (item % 20 != user % 20 && (state >> 5) % 3 != 0)
			item = item / 20 * 20 + user % 20;
		rs_events_append(ctx, events, user, item % setup->items, 1.0f, 0);
	}
}

static uint32_t *
identity(uint32_t n)
{
	uint32_t *rank = malloc((n + 1) * sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
		rank[i] = i;
	return rank;
}

typedef struct Quality
{
	double hit_rate;
	double ndcg;
	double microseconds; /* to fold a user in */
} Quality;

/* The test items among their negatives: means over users, at 10. */
static void
evaluate(RsContext *ctx, const Setup *setup, Codes *users, Codes *items, const RsProblem *problem,
		 const RsModel *model, Quality *quality)
{
	FILE *negatives = fopen(setup->negatives, "r");
	RsFactors factors = rs_model_factors(model);
	const float *rows = factors.rows;
	uint64_t k = factors.dim;
	static char line[1 << 20];
	long n = 0;

	memset(quality, 0, sizeof(*quality));
	if (negatives == NULL)
		die("cannot open negatives");
	while (fgets(line, sizeof(line), negatives) != NULL)
	{
		unsigned long user;
		unsigned long item;
		int used = 0;
		uint32_t u;
		uint32_t target;
		RsHistory history;
		float query[2048] = {0};
		double start;
		float score;
		int rank = 0;
		char *at;

		if (sscanf(line, "%lu,%lu,%n", &user, &item, &used) < 2 || used == 0)
			continue;
		n++;
		u = code_of(users, user, false);
		target = code_of(items, item, false);
		if (u == 0 || target == 0)
			continue;
		history.item = problem->by_user.index + problem->by_user.start[u - 1];
		history.weight = problem->by_user.weight + problem->by_user.start[u - 1];
		history.n = (uint32_t) (problem->by_user.start[u] - problem->by_user.start[u - 1]);
		start = now();
		rs_als.query(ctx, model, &history, query);
		quality->microseconds += 1e6 * (now() - start);
		score = rs_dot(query, rows + factors.row_of[target - 1] * k, k);
		at = line + used;
		for (;;)
		{
			char *end;
			unsigned long other = strtoul(at, &end, 10);
			uint32_t code;

			if (end == at)
				break;
			at = end;
			code = code_of(items, other, false);
			if (code != 0 && code != target &&
				rs_dot(query, rows + factors.row_of[code - 1] * k, k) >= score)
				rank++;
		}
		if (rank < AT)
		{
			quality->hit_rate += 1;
			quality->ndcg += 1 / log2(rank + 2.0);
		}
	}
	fclose(negatives);
	quality->hit_rate /= (double) n;
	quality->ndcg /= (double) n;
	quality->microseconds /= (double) n;
}

/* Take a setup word or an option. */
static void
take(RsContext *ctx, Setup *setup, RsOptions *options, const char *word)
{
	char name[64] = "";
	const char *value = strchr(word, '=');
	char *end;
	double number;

	if (value == NULL || value - word >= (long) sizeof(name))
		die("expected NAME=VALUE");
	memcpy(name, word, (size_t) (value - word));
	value++;
	number = strtod(value, &end);
	if (strcmp(name, "threads") == 0)
		setup->threads = (int) number;
	else if (strcmp(name, "users") == 0)
		setup->users = (uint32_t) number;
	else if (strcmp(name, "items") == 0)
		setup->items = (uint32_t) number;
	else if (strcmp(name, "pairs") == 0)
		setup->pairs = (uint64_t) number;
	else if (strcmp(name, "test") == 0)
		setup->test = value;
	else if (strcmp(name, "negatives") == 0)
		setup->negatives = value;
	else if (rs_options_set(ctx, options, name, *end == '\0' ? RS_OPTION_REAL : RS_OPTION_ENUM,
							number, value) != RS_OK)
		die(ctx->message);
}

static void
run(RsContext *ctx, const Setup *setup, const RsOptions *options, const char *name, Codes *users,
	Codes *items, const RsProblem *problem)
{
	RsModel model = {.algorithm = &rs_als, .options = *options};
	double start = now();
	clock_t cpu = clock();
	double seconds;
	double cpu_seconds;
	Quality quality = {NAN, NAN, NAN};

	model.ids.n = problem->n_items;
	if (rs_als.train(ctx, problem, &model) != RS_OK)
	{
		printf("| %s | %s |\n", name, ctx->message);
		rs_model_free(ctx, &model);
		return;
	}
	seconds = now() - start;
	cpu_seconds = (double) (clock() - cpu) / CLOCKS_PER_SEC;
	if (setup->negatives != NULL)
		evaluate(ctx, setup, users, items, problem, &model, &quality);
	printf("| %s | %d | %.2f | %.2f | %.4f | %.4f | %.1f | %.6g |\n", name, model.iterations,
		   seconds, cpu_seconds, quality.hit_rate, quality.ndcg, quality.microseconds, model.loss);
	fflush(stdout);
	rs_model_free(ctx, &model);
}

int
main(int argc, char **argv)
{
	RsContext ctx = rs_context_malloc();
	Setup setup = {.threads = 1};
	RsOptions common;
	RsProblem problem;
	Codes users = {calloc(MAX_CODE, sizeof(uint32_t)), 0};
	Codes items = {calloc(MAX_CODE, sizeof(uint32_t)), 0};
	RsEvents *events = rs_events_create(&ctx, false);
	int i = 1;

	rs_options_default(&common, rs_als.options);
	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		take(&ctx, &setup, &common, argv[i]);
	if (setup.pairs > 0)
	{
		make_events(&ctx, events, &setup);
		users.n = setup.users;
		items.n = setup.items;
	}
	else
		read_events(&ctx, events, &users, &items);
	if (rs_problem_build(&ctx, events, RS_CELLS, identity(users.n), users.n, identity(items.n),
						 items.n, &problem) != RS_OK)
		die(ctx.message);
	printf("%u users, %u items, %lu cells, %d threads\n\n", problem.n_users, problem.n_items,
		   (unsigned long) rs_rows_count(&problem.by_user), setup.threads);
	printf("| variant | iterations | seconds | CPU s | HR@10 | NDCG@10 | us/query | loss |\n");
	printf("|---|---|---|---|---|---|---|---|\n");
	do
	{
		RsOptions options = common;
		const char *name = "as given";

		if (i < argc)
			name = ++i < argc ? argv[i++] : name;
		for (; i < argc && strcmp(argv[i], "--") != 0; i++)
			take(&ctx, &setup, &options, argv[i]);
		ctx.threads = setup.threads;
		run(&ctx, &setup, &options, name, &users, &items, &problem);
	} while (i < argc);
	rs_problem_free(&ctx, &problem);
	return 0;
}
