/*
 * quality_data.c
 *		Reads the data sets that quality.c measures on, and splits them.
 *
 * Each is a folder with CSV files under gzip (user_id, item_id, event_type,
 * rating, ts).  The name of the folder chooses the protocol:
 *
 *		ml-1m-ncf            train and test as given; the target among 99 negatives
 *		gowalla-lightgcn     train and test as given; all items
 *		s3rec-beauty         last item the target; the one before it in the history only
 *		ml-100k              the last fifth of each user's ratings
 *		online-retail-ii-*   the last fifth of all time; a cancellation counts -1
 *		others               a fifth of the rows, chosen by a hash
 */
#include "quality_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ids to codes 0, 1, 2 … in the order of their first appearance. */
typedef struct Dictionary
{
	char (*key)[32];
	uint32_t *slot; /* code + 1, 0 = free */
	uint32_t n;
	uint32_t size; /* of slot, a power of two; key has half of it */
} Dictionary;

static void
dictionary_grow(Dictionary *dictionary)
{
	uint32_t size = dictionary->size == 0 ? 1024 : dictionary->size * 2;
	uint32_t code;

	free(dictionary->slot);
	dictionary->slot = calloc(size, sizeof(uint32_t));
	dictionary->key = realloc(dictionary->key, (size_t) size / 2 * sizeof(*dictionary->key));
	dictionary->size = size;
	for (code = 0; code < dictionary->n; code++)
	{
		uint32_t hash = 2166136261u;
		const char *at;

		for (at = dictionary->key[code]; *at != '\0'; at++)
			hash = (hash ^ (unsigned char) *at) * 16777619u;
		while (dictionary->slot[hash & (size - 1)] != 0)
			hash++;
		dictionary->slot[hash & (size - 1)] = code + 1;
	}
}

static uint32_t
dictionary_code(Dictionary *dictionary, const char *key)
{
	uint32_t hash = 2166136261u;
	const char *at;

	if (dictionary->n >= dictionary->size / 2)
		dictionary_grow(dictionary);
	for (at = key; *at != '\0'; at++)
		hash = (hash ^ (unsigned char) *at) * 16777619u;
	for (;; hash++)
	{
		uint32_t *slot = &dictionary->slot[hash & (dictionary->size - 1)];

		if (*slot == 0)
		{
			snprintf(dictionary->key[dictionary->n], sizeof(*dictionary->key), "%s", key);
			*slot = ++dictionary->n;
			return dictionary->n - 1;
		}
		if (strcmp(dictionary->key[*slot - 1], key) == 0)
			return *slot - 1;
	}
}

static void
dictionary_free(Dictionary *dictionary)
{
	free(dictionary->key);
	free(dictionary->slot);
}

/* What loading needs. */
typedef struct Loader
{
	Split *split;
	uint64_t room;
	const char *folder;
	const char *weights;
	Dictionary users;
	Dictionary items;
} Loader;

static FILE *
open_csv(const Loader *loader, const char *name, char *line, int size)
{
	char command[1024];
	FILE *file;

	if (strchr(loader->folder, '\'') != NULL)
		return NULL;
	snprintf(command, sizeof(command), "gzip -dc '%s/%s' 2>/dev/null", loader->folder, name);
	file = popen(command, "r");
	if (file != NULL && fgets(line, size, file) == NULL)
	{
		pclose(file);
		file = NULL;
	}
	if (file == NULL)
		fprintf(stderr, "could not read %s/%s\n", loader->folder, name);
	return file;
}

/* Cut a line at its commas. */
static int
cut(char *line, char **field, int n)
{
	int count = 0;

	line[strcspn(line, "\r\n")] = '\0';
	while (count < n)
	{
		field[count++] = line;
		line = strchr(line, ',');
		if (line == NULL)
			break;
		*line++ = '\0';
	}
	return count;
}

static float
weight_of(const Loader *loader, const char *type, const char *rating)
{
	if (strcmp(type, "cancel") == 0)
		return -1;
	if (*rating == '\0' || strcmp(loader->weights, "one") == 0)
		return 1;
	if (strcmp(loader->weights, "log") == 0)
		return (float) log1p(fabs(atof(rating)));
	return (float) atof(rating);
}

static bool
read_rows(Loader *loader, const char *name, int part)
{
	static char line[65536];
	Split *split = loader->split;
	FILE *file = open_csv(loader, name, line, sizeof(line));
	char *field[5];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		Row *row;

		if (cut(line, field, 5) < 5)
			continue;
		if (split->n == loader->room)
		{
			loader->room = loader->room == 0 ? 65536 : loader->room * 2;
			split->row = realloc(split->row, loader->room * sizeof(Row));
		}
		row = &split->row[split->n++];
		row->user = dictionary_code(&loader->users, field[0]);
		row->item = dictionary_code(&loader->items, field[1]);
		row->weight = weight_of(loader, field[2], field[3]);
		row->time = strtoll(field[4], NULL, 10);
		row->part = part;
		split->timed = split->timed || row->time != 0;
	}
	pclose(file);
	return true;
}

/* The 99 negatives and the target of each user; a target is listed once. */
static bool
read_candidates(Loader *loader)
{
	static char line[65536];
	Split *split = loader->split;
	FILE *file = open_csv(loader, "test_negatives.csv.gz", line, sizeof(line));
	char *field[3];
	uint64_t n = 0;
	uint32_t user;

	if (file == NULL)
		return false;
	split->candidate_start = calloc((size_t) loader->users.n + 1, sizeof(uint64_t));
	split->candidate = malloc((size_t) loader->users.n * 128 * sizeof(uint32_t));
	for (user = 0; fgets(line, sizeof(line), file) != NULL && cut(line, field, 3) == 3; user++)
	{
		uint32_t target = dictionary_code(&loader->items, field[1]);
		char *id;

		/* users come in the order of their codes: checked here */
		if (dictionary_code(&loader->users, field[0]) != user)
			abort();
		split->candidate_start[user] = n;
		split->candidate[n++] = target;
		for (id = strtok(field[2], " "); id != NULL; id = strtok(NULL, " "))
		{
			uint32_t item = dictionary_code(&loader->items, id);

			if (item != target)
				split->candidate[n++] = item;
		}
	}
	split->candidate_start[user] = n;
	pclose(file);
	return user == loader->users.n;
}

/* age (in fives), gender and occupation of each user, one-hot: a position is a
 * column and one of its values, in the order of their first appearance. */
static bool
read_features(Loader *loader)
{
	static char line[65536];
	Split *split = loader->split;
	FILE *file = open_csv(loader, "users.csv.gz", line, sizeof(line));
	uint32_t(*position)[3] = calloc((size_t) loader->users.n, sizeof(*position));
	Dictionary values = {0};
	char *field[5];
	uint32_t user;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL && cut(line, field, 5) >= 4)
	{
		char key[3][32];

		user = dictionary_code(&loader->users, field[0]);
		if (user >= split->n_users)
			continue;
		snprintf(key[0], sizeof(key[0]), "age %d", atoi(field[1]) / 5);
		snprintf(key[1], sizeof(key[1]), "gender %.20s", field[2]);
		snprintf(key[2], sizeof(key[2]), "occupation %.20s", field[3]);
		for (int i = 0; i < 3; i++)
			position[user][i] = dictionary_code(&values, key[i]) + 1;
	}
	split->n_features = values.n;
	split->features = calloc((size_t) split->n_users * (values.n + 1), sizeof(float));
	for (user = 0; user < split->n_users; user++)
		for (int i = 0; i < 3; i++)
			if (position[user][i] > 0)
				split->features[user * values.n + position[user][i] - 1] = 1;
	if (file != NULL)
		pclose(file);
	free(position);
	dictionary_free(&values);
	return split->n_features > 0;
}

static int
by_user_and_time(const void *a, const void *b)
{
	const Row *x = a;
	const Row *y = b;

	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->item < y->item ? -1 : x->item > y->item;
}

static int
by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return x < y ? -1 : x > y;
}

/* Time before which four fifths of the events are. */
static int64_t
time_of_split(const Split *split)
{
	int64_t *time = malloc(split->n * sizeof(int64_t));
	int64_t result;
	uint64_t i;

	for (i = 0; i < split->n; i++)
		time[i] = split->row[i].time;
	qsort(time, split->n, sizeof(int64_t), by_time);
	result = time[split->n / 5 * 4];
	free(time);
	return result;
}

/* Say which rows are to be found; rows are sorted by user and time. */
static void
choose_targets(Split *split, const char *name)
{
	bool retail = strncmp(name, "online-retail", 13) == 0;
	int64_t limit = retail ? time_of_split(split) : 0;
	uint32_t user;

	for (user = 0; user < split->n_users; user++)
	{
		uint64_t begin = split->user_start[user];
		uint64_t end = split->user_start[user + 1];
		uint64_t i;

		for (i = begin; i < end; i++)
		{
			Row *row = &split->row[i];
			uint64_t hash = ((uint64_t) row->user << 32 | row->item) * 0x9e3779b97f4a7c15u;

			if (strcmp(name, "s3rec-beauty") == 0)
				row->part = i + 1 == end ? TARGET : i + 2 == end ? HISTORY : FIT;
			else if (strcmp(name, "ml-100k") == 0)
				row->part = (i - begin) * 5 >= (end - begin) * 4 ? TARGET : FIT;
			else if (retail)
				row->part = row->time < limit ? FIT : row->weight > 0 ? TARGET : OTHER;
			else
				row->part = (hash >> 40) % 5 == 0 ? TARGET : FIT;
		}
	}
}

bool
split_load(Split *split, const char *folder, const char *weights, bool features)
{
	const char *name = strrchr(folder, '/') != NULL ? strrchr(folder, '/') + 1 : folder;
	Loader loader = {.split = split, .folder = folder, .weights = weights};
	bool given = strcmp(name, "ml-1m-ncf") == 0 || strcmp(name, "gowalla-lightgcn") == 0;
	bool good;
	uint64_t i;

	memset(split, 0, sizeof(*split));
	if (given)
		good = read_rows(&loader, "train.csv.gz", FIT) && read_rows(&loader, "test.csv.gz", TARGET);
	else
		good = read_rows(&loader, "interactions.csv.gz", FIT);
	if (good && strcmp(name, "ml-1m-ncf") == 0)
		good = read_candidates(&loader);
	split->n_users = loader.users.n;
	split->n_items = loader.items.n;
	if (good && features)
		good = read_features(&loader);
	dictionary_free(&loader.users);
	dictionary_free(&loader.items);
	if (!good)
		return false;
	qsort(split->row, split->n, sizeof(Row), by_user_and_time);
	split->user_start = calloc((size_t) split->n_users + 1, sizeof(uint64_t));
	for (i = 0; i < split->n; i++)
		split->user_start[split->row[i].user + 1] = i + 1;
	if (!given)
		choose_targets(split, name);
	return true;
}

void
split_fit_history(Split *split)
{
	uint64_t i;

	for (i = 0; i < split->n; i++)
		if (split->row[i].part == HISTORY)
			split->row[i].part = FIT;
}

void
split_next(Split *split)
{
	split->repeats = true;
	for (uint32_t user = 0; user < split->n_users; user++)
	{
		const Row *first = NULL;

		for (uint64_t i = split->user_start[user]; i < split->user_start[user + 1]; i++)
		{
			Row *row = &split->row[i];

			if (row->part != TARGET)
				continue;
			if (first == NULL)
				first = row;
			if (row->time != first->time)
				row->part = OTHER;
		}
	}
}

void
split_free(Split *split)
{
	free(split->features);
	free(split->row);
	free(split->user_start);
	free(split->candidate_start);
	free(split->candidate);
}
