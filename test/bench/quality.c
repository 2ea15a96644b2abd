/*
 * quality.c
 *		Quality of the algorithms on public splits, over the core alone.
 *
 *		quality [-t THREADS] [-w one|log|sum] [-h no|yes] [-f no|yes] [-o no|yes]
 *				[-v no|yes] [-r no|yes] FOLDER ALGORITHM [OPTION=VALUE …]
 *
 * -h: the validation item is in the fit too; -f: features of the users are used;
 * -v: what is to be found is the last event of each user's training, to choose
 * options by without a look at the test;
 * -o: the history of an event in training is what was before it;
 * -r: what is to be found is the next event of each user (those of the same time, too),
 * of an item of the history or not, among all items.
 *
 * Trains on the split of quality_data.c, ranks all items but those of the
 * history (or the candidates that the split gives) for each user with a target,
 * and prints one line: data set, algorithm, options, HR@10, NDCG@10, recall@20,
 * NDCG@20, seconds to train, bytes of the model's tensors.  Ties go to the more
 * popular item, as the fallback of serving does, then to the smaller number.
 */
#include "quality_rank.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool ordered; /* -o */

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void
give_features(RsContext *ctx, const Split *split, RsProblem *problem)
{
	RsFeatures *features = rs_features_create(ctx, split->n_features);

	if (features == NULL)
		die(ctx);
	for (uint32_t user = 0; user < split->n_users; user++)
		if (rs_features_append(ctx, features,
							   split->features + (size_t) user * split->n_features) != RS_OK)
			die(ctx);
	problem->features = features;
}

static void
train(RsContext *ctx, const Split *split, const RsAlgorithm *algorithm, const RsOptions *options,
	  const RsIds *ids, RsModel *model)
{
	unsigned flags = rs_algorithm_flags(algorithm, options, ordered);
	RsEvents *events = rs_events_create(ctx, (flags & RS_SEQUENCES) != 0);
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
	if (rs_problem_build(ctx, events, flags, rank, split->n_users, rank, split->n_items,
						 &problem) != RS_OK)
		die(ctx);
	if (split->features != NULL)
		give_features(ctx, split, &problem);
	problem.feature_row = rank;
	if (rs_train(ctx, algorithm, options, &problem, ids, model) != RS_OK)
		die(ctx);
	rs_features_free(ctx, (RsFeatures *) problem.features);
	rs_problem_free(ctx, &problem);
	free(rank);
}

/* hidden=128,64, or hidden= for none. */
static RsStatus
set_list(RsContext *ctx, RsOptions *options, const char *name, char *value)
{
	double numbers[RS_MAX_LIST];
	int n = 0;

	for (; *value != '\0' && n < RS_MAX_LIST; value += *value == ',')
		numbers[n++] = strtod(value, &value);
	return rs_options_set_list(ctx, options, name, numbers, n);
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
	else if (strcmp(text, "hidden") == 0)
		status = set_list(ctx, options, text, value);
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

/* One line of the table. */
static void
print_line(const char *folder, const RsModel *model, const Sums *sums, double seconds)
{
	const char *name = strrchr(folder, '/') != NULL ? strrchr(folder, '/') + 1 : folder;
	double users = (double) sums->users;

	printf("%-22s %-10s HR@10 %.4f  NDCG@10 %.4f  recall@20 %.4f  NDCG@20 %.4f  "
		   "train %.2f s  model %.1f MB  users %.0f ",
		   name, model->algorithm->name, sums->hr10 / users, sums->ndcg10 / users,
		   sums->recall20 / users, sums->ndcg20 / users, seconds, tensor_bytes(model) / 1048576,
		   users);
}

/* Train, rank, print. */
static void
measure(RsContext *ctx, const char *folder, const Split *split, const RsAlgorithm *algorithm,
		const RsOptions *options)
{
	int64_t *id = malloc(split->n_items * sizeof(int64_t));
	RsIds ids = {.type = RS_ID_BIGINT, .n = split->n_items, .bigints = id};
	double start = now();
	RsModel model;
	Sums sums;
	uint32_t i;

	for (i = 0; i < split->n_items; i++)
		id[i] = i;
	train(ctx, split, algorithm, options, &ids, &model);
	start = now() - start;
	sums = evaluate(split, &model, ctx->threads);
	print_line(folder, &model, &sums, start);
	rs_model_free(ctx, &model);
	free(id);
}

int
main(int argc, char **argv)
{
	RsContext ctx = rs_context_malloc();
	const RsAlgorithm *algorithm;
	const char *weights = "one";
	bool whole = false;
	bool features = false;
	bool validate = false;
	bool next = false;
	RsOptions options;
	Split split;
	int at;
	int i;

	ctx.threads = 2;
	for (at = 1; at + 1 < argc && argv[at][0] == '-'; at += 2)
	{
		if (argv[at][1] == 't' && atoi(argv[at + 1]) > 0 && atoi(argv[at + 1]) <= 64)
			ctx.threads = atoi(argv[at + 1]);
		else if (argv[at][1] == 'w')
			weights = argv[at + 1];
		else if (argv[at][1] == 'h')
			whole = strcmp(argv[at + 1], "yes") == 0;
		else if (argv[at][1] == 'f')
			features = strcmp(argv[at + 1], "yes") == 0;
		else if (argv[at][1] == 'v')
			validate = strcmp(argv[at + 1], "yes") == 0;
		else if (argv[at][1] == 'r')
			next = strcmp(argv[at + 1], "yes") == 0;
		else if (argv[at][1] == 'o')
			ordered = strcmp(argv[at + 1], "yes") == 0;
	}
	if (at + 1 >= argc || (algorithm = rs_algorithm_find(rs_algorithms(), argv[at + 1])) == NULL)
	{
		fprintf(stderr, "usage: quality [-t THREADS] [-w one|log|sum] [-h no|yes] [-f no|yes] [-o "
						"no|yes] [-v no|yes] [-r no|yes] FOLDER "
						"ALGORITHM [OPTION=VALUE ...]\n");
		return 2;
	}
	rs_options_default(&options, algorithm->options);
	for (i = at + 2; i < argc; i++)
		set_option(&ctx, &options, argv[i]);
	if (!split_load(&split, argv[at], weights, features))
		return 1;
	if (whole)
		split_fit_history(&split);
	if (validate)
		split_validate(&split);
	if (next)
		split_next(&split);
	if ((rs_algorithm_flags(algorithm, &options, ordered) & RS_SEQUENCES) && !split.timed)
	{
		fprintf(stderr, "%s has no times for %s\n", argv[at], algorithm->name);
		return 1;
	}
	measure(&ctx, argv[at], &split, algorithm, &options);
	for (i = at + 2; i < argc; i++)
		printf(" %s", argv[i]);
	printf("%s%s%s%s%s\n", validate ? " validation" : "", next ? " next event" : "",
		   whole ? " with the validation item in the fit too" : "",
		   features ? " with features" : "", ordered ? " in order" : "");
	split_free(&split);
	return 0;
}
