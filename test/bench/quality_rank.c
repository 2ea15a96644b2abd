/*
 * quality_rank.c
 *		Ranks items for every user of a split: all but those of the history, or the
 *		candidates that the split gives.
 */
#include "quality_rank.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST 20

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
	const Split *split;
	uint32_t *item;
	float *weight;
	float *score;
	uint8_t *seen;
	uint8_t *target;
} Ranker;

void
die(const RsContext *ctx)
{
	fprintf(stderr, "%s\n%s\n%s\n", ctx->message, ctx->detail, ctx->hint);
	exit(1);
}

/* Scores of all items for the history of a user. */
static void
score_items(Ranker *ranker, uint32_t user, uint32_t n_history)
{
	RsHistory history = {.n = n_history, .item = ranker->item, .weight = ranker->weight};
	const Split *split = ranker->split;

	if (split->features != NULL)
	{
		history.features = split->features + (size_t) user * split->n_features;
		history.n_features = split->n_features;
	}
	if (rs_score_all(&ranker->ctx, ranker->model, &history, ranker->score) != RS_OK)
		die(&ranker->ctx);
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
		ranker->seen[row->item] = !split->repeats;
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
		score_items(ranker, user, n_history);
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
	ranker.split = split;
	ranker.popularity = rs_model_tensor(job->model, "item_popularity")->data;
	ranker.item = malloc(longest * sizeof(uint32_t));
	ranker.weight = malloc(longest * sizeof(float));
	ranker.score = malloc(split->n_items * sizeof(float));
	ranker.seen = calloc(split->n_items, 1);
	ranker.target = calloc(split->n_items, 1);
	for (user = (uint32_t) job->first; user < split->n_users; user += (uint32_t) job->step)
		rank_user(&ranker, split, user, &job->sums);
	free(ranker.item);
	free(ranker.weight);
	free(ranker.score);
	free(ranker.seen);
	free(ranker.target);
	return NULL;
}

Sums
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
