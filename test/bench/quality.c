/*
 * quality.c
 *		Quality of the algorithms on public splits, over the core alone.
 *
 *		quality [-t THREADS] [-w one|log|sum] FOLDER ALGORITHM [OPTION=VALUE …]
 *
 * Trains on the split of quality_data.c, ranks all items but those of the
 * history (or the candidates that the split gives) for each user with a target,
 * and prints one line: data set, algorithm, options, HR@10, NDCG@10, recall@20,
 * NDCG@20, seconds to train, bytes of the model's tensors.  Ties go to the more
 * popular item, as the fallback of serving does, then to the smaller number.
 */
#include "core/algorithm.h"
#include "core/vec.h"
#include "quality_data.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEEPEST 20

typedef struct Sums
{
	double hr10;
	double ndcg10;
	double recall20;
	double ndcg20;
	uint64_t users;
} Sums;

typedef struct Job
{
	pthread_t thread;
	int first;
	int step;
	const Split *split;
	const RsModel *model;
	Sums sums;
} Job;

/* Scratch of one thread. */
typedef struct Ranker
{
	RsContext ctx;
	const RsModel *model;
	const float *popularity;
	uint32_t *item;
	float *weight;
	float *query;
	float *score;
	uint8_t *seen;
	uint8_t *target;
} Ranker;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
die(const RsContext *ctx)
{
	fprintf(stderr, "%s\n%s\n%s\n", ctx->message, ctx->detail, ctx->hint);
	exit(1);
}

/* Scores of all items for the history of a user. */
static void
score_items(Ranker *ranker, uint32_t n_history)
{
	RsHistory history = {n_history, ranker->item, ranker->weight};
	const RsModel *model = ranker->model;
	uint32_t n = model->ids.n;

	if (model->algorithm->kind == RS_QUERY_SCORES)
	{
		memset(ranker->score, 0, n * sizeof(float));
		if (model->algorithm->query(&ranker->ctx, model, &history, ranker->score) != RS_OK)
			die(&ranker->ctx);
	}
	else
	{
		const RsTensor *factors = rs_model_tensor(model, "item_factors");
		size_t dim = factors->shape[1];

		memset(ranker->query, 0, dim * sizeof(float));
		if (model->algorithm->query(&ranker->ctx, model, &history, ranker->query) != RS_OK)
			die(&ranker->ctx);
		rs_dot_rows(ranker->query, factors->data, n, dim, ranker->score);
	}
}

static bool
ranks_before(const Ranker *ranker, uint32_t a, uint32_t b)
{
	if (ranker->score[a] != ranker->score[b])
		return ranker->score[a] > ranker->score[b];
	if (ranker->popularity[a] != ranker->popularity[b])
		return ranker->popularity[a] > ranker->popularity[b];
	return a < b;
}

/* The best of n items (or of all, without a list), seen ones left out. */
static uint32_t
best_items(const Ranker *ranker, const uint32_t *list, uint64_t n, uint32_t *best)
{
	uint32_t count = 0;
	uint64_t i;

	for (i = 0; i < n; i++)
	{
		uint32_t item = list != NULL ? list[i] : (uint32_t) i;
		uint32_t at = count;

		if (ranker->seen[item] ||
			(count == DEEPEST && !ranks_before(ranker, item, best[DEEPEST - 1])))
			continue;
		if (count < DEEPEST)
			count++;
		else
			at--;
		for (; at > 0 && ranks_before(ranker, item, best[at - 1]); at--)
			best[at] = best[at - 1];
		best[at] = item;
	}
	return count;
}

static void
add_metrics(const Ranker *ranker, const uint32_t *best, uint32_t n, uint32_t n_targets, Sums *sums)
{
	double gain[2] = {0, 0};
	double ideal[2] = {0, 0};
	uint32_t hits[2] = {0, 0};
	uint32_t rank;

	for (rank = 0; rank < DEEPEST; rank++)
	{
		double discount = 1 / log2(rank + 2.0);
		int depth;

		for (depth = rank < 10 ? 0 : 1; depth < 2; depth++)
		{
			if (rank < n_targets)
				ideal[depth] += discount;
			if (rank < n && ranker->target[best[rank]])
			{
				gain[depth] += discount;
				hits[depth]++;
			}
		}
	}
	sums->hr10 += hits[0] > 0;
	sums->ndcg10 += gain[0] / ideal[0];
	sums->recall20 += (double) hits[1] / n_targets;
	sums->ndcg20 += gain[1] / ideal[1];
	sums->users++;
}

static void
rank_user(Ranker *ranker, const Split *split, uint32_t user, Sums *sums)
{
	uint64_t begin = split->user_start[user];
	uint64_t end = split->user_start[user + 1];
	uint32_t n_history = 0;
	uint32_t n_targets = 0;
	uint32_t best[DEEPEST];
	uint32_t n_best;
	uint64_t i;

	for (i = begin; i < end; i++)
	{
		const Row *row = &split->row[i];

		if (row->part != FIT && row->part != HISTORY)
			continue;
		ranker->item[n_history] = row->item;
		ranker->weight[n_history++] = row->weight;
		ranker->seen[row->item] = 1;
	}
	for (i = begin; i < end; i++)
	{
		const Row *row = &split->row[i];

		if (row->part == TARGET && !ranker->target[row->item] && !ranker->seen[row->item])
		{
			ranker->target[row->item] = 1;
			n_targets++;
		}
	}
	if (n_targets > 0 && n_history > 0)
	{
		score_items(ranker, n_history);
		if (split->candidate_start != NULL)
			n_best =
				best_items(ranker, split->candidate + split->candidate_start[user],
						   split->candidate_start[user + 1] - split->candidate_start[user], best);
		else
			n_best = best_items(ranker, NULL, split->n_items, best);
		add_metrics(ranker, best, n_best, n_targets, sums);
	}
	for (i = begin; i < end; i++)
		ranker->seen[split->row[i].item] = ranker->target[split->row[i].item] = 0;
}

static void *
run_job(void *arg)
{
	Job *job = arg;
	const Split *split = job->split;
	Ranker ranker = {.ctx = rs_context_malloc(), .model = job->model};
	uint32_t longest = 1;
	uint32_t user;

	for (user = 0; user < split->n_users; user++)
		if (split->user_start[user + 1] - split->user_start[user] > longest)
			longest = (uint32_t) (split->user_start[user + 1] - split->user_start[user]);
	ranker.popularity = rs_model_tensor(job->model, "item_popularity")->data;
	ranker.item = malloc(longest * sizeof(uint32_t));
	ranker.weight = malloc(longest * sizeof(float));
	ranker.query = malloc(65536 * sizeof(float));
	ranker.score = malloc(split->n_items * sizeof(float));
	ranker.seen = calloc(split->n_items, 1);
	ranker.target = calloc(split->n_items, 1);
	for (user = (uint32_t) job->first; user < split->n_users; user += (uint32_t) job->step)
		rank_user(&ranker, split, user, &job->sums);
	free(ranker.item);
	free(ranker.weight);
	free(ranker.query);
	free(ranker.score);
	free(ranker.seen);
	free(ranker.target);
	return NULL;
}

static void
train(RsContext *ctx, const Split *split, const RsAlgorithm *algorithm, const RsOptions *options,
	  const RsIds *ids, RsModel *model)
{
	RsEvents *events = rs_events_create(ctx, algorithm->ordered);
	uint32_t most = split->n_users > split->n_items ? split->n_users : split->n_items;
	uint32_t *rank = malloc(most * sizeof(uint32_t));
	RsProblem problem;
	uint64_t i;

	for (i = 0; i < most; i++)
		rank[i] = (uint32_t) i;
	for (i = 0; i < split->n; i++)
	{
		const Row *row = &split->row[i];

		if (row->part == FIT &&
			rs_events_append(ctx, events, row->user, row->item, row->weight, row->time) != RS_OK)
			die(ctx);
	}
	if (rs_problem_build(ctx, events, rank, split->n_users, rank, split->n_items, &problem) !=
			RS_OK ||
		rs_train(ctx, algorithm, options, &problem, ids, model) != RS_OK)
		die(ctx);
	rs_problem_free(ctx, &problem);
	free(rank);
}

static void
set_option(RsContext *ctx, RsOptions *options, char *text)
{
	char *value = strchr(text, '=');
	char *end;
	double number;
	RsStatus status;

	if (value == NULL)
	{
		fprintf(stderr, "not OPTION=VALUE: %s\n", text);
		exit(2);
	}
	*value++ = '\0';
	number = strtod(value, &end);
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		status = rs_options_set(ctx, options, text, RS_OPTION_BOOL, *value == 't', NULL);
	else if (*end != '\0')
		status = rs_options_set(ctx, options, text, RS_OPTION_ENUM, 0, value);
	else
		status = rs_options_set(ctx, options, text, RS_OPTION_REAL, number, NULL);
	if (status != RS_OK)
		die(ctx);
	value[-1] = '=';
}

static double
tensor_bytes(const RsModel *model)
{
	double bytes = 0;
	int i;

	for (i = 0; i < model->n_tensors; i++)
	{
		const RsTensor *tensor = &model->tensors[i];
		double size = tensor->dtype == RS_U8 ? 1 : tensor->dtype == RS_I64 ? 8 : 4;

		bytes +=
			size * (double) tensor->shape[0] * (double) (tensor->dims == 2 ? tensor->shape[1] : 1);
	}
	return bytes;
}

static Sums
evaluate(const Split *split, const RsModel *model, int threads)
{
	Job job[64];
	Sums sums = {0};
	int i;

	for (i = 0; i < threads; i++)
	{
		job[i] = (Job){.first = i, .step = threads, .split = split, .model = model};
		pthread_create(&job[i].thread, NULL, run_job, &job[i]);
	}
	for (i = 0; i < threads; i++)
	{
		pthread_join(job[i].thread, NULL);
		sums.hr10 += job[i].sums.hr10;
		sums.ndcg10 += job[i].sums.ndcg10;
		sums.recall20 += job[i].sums.recall20;
		sums.ndcg20 += job[i].sums.ndcg20;
		sums.users += job[i].sums.users;
	}
	return sums;
}

int
main(int argc, char **argv)
{
	RsContext ctx = rs_context_malloc();
	const RsAlgorithm *algorithm;
	const char *weights = "one";
	const char *name;
	RsOptions options;
	RsIds ids = {.type = RS_ID_BIGINT};
	RsModel model;
	Split split;
	Sums sums;
	int64_t *id;
	double start;
	int at;
	int i;

	ctx.threads = 2;
	for (at = 1; at + 1 < argc && argv[at][0] == '-'; at += 2)
	{
		if (argv[at][1] == 't' && atoi(argv[at + 1]) > 0 && atoi(argv[at + 1]) <= 64)
			ctx.threads = atoi(argv[at + 1]);
		else if (argv[at][1] == 'w')
			weights = argv[at + 1];
	}
	if (at + 1 >= argc || (algorithm = rs_algorithm_find(argv[at + 1])) == NULL)
	{
		fprintf(stderr, "usage: quality [-t THREADS] [-w one|log|sum] FOLDER ALGORITHM "
						"[OPTION=VALUE ...]\n");
		return 2;
	}
	rs_options_default(&options, algorithm->options);
	for (i = at + 2; i < argc; i++)
		set_option(&ctx, &options, argv[i]);
	if (!split_load(&split, argv[at], weights))
		return 1;
	if (algorithm->ordered && !split.timed)
	{
		fprintf(stderr, "%s has no times for %s\n", argv[at], algorithm->name);
		return 1;
	}
	id = malloc(split.n_items * sizeof(int64_t));
	for (i = 0; i < (int) split.n_items; i++)
		id[i] = i;
	ids.n = split.n_items;
	ids.bigints = id;
	start = now();
	train(&ctx, &split, algorithm, &options, &ids, &model);
	start = now() - start;
	sums = evaluate(&split, &model, ctx.threads);
	name = strrchr(argv[at], '/') != NULL ? strrchr(argv[at], '/') + 1 : argv[at];
	printf("%-22s %-10s HR@10 %.4f  NDCG@10 %.4f  recall@20 %.4f  NDCG@20 %.4f  "
		   "train %.2f s  model %.1f MB  users %llu ",
		   name, algorithm->name, sums.hr10 / (double) sums.users,
		   sums.ndcg10 / (double) sums.users, sums.recall20 / (double) sums.users,
		   sums.ndcg20 / (double) sums.users, start, tensor_bytes(&model) / 1048576,
		   (unsigned long long) sums.users);
	for (i = at + 2; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	rs_model_free(&ctx, &model);
	free(id);
	split_free(&split);
	return 0;
}
