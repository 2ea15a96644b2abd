/*
 * synthetic.c
 *		A seeded shop for benchmarks: distinct (user, item) pairs as CSV.
 *
 *	synthetic USERS ITEMS PAIRS SEED TRAIN.csv TEST.csv
 *
 * Items stand in groups and follow a Zipf law inside each; every user likes a
 * few groups and now and then something else.  One pair of every tenth user
 * goes to TEST.csv instead.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS 200
#define LIKED 4

static uint64_t state;

/* splitmix64 */
static uint64_t
next_random(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static double
uniform(void)
{
	return (double) (next_random() >> 11) / 9007199254740992.0;
}

/* Rank 0 .. n-1 with density about 1/(rank+1). */
static uint32_t
zipf(uint32_t n)
{
	uint32_t rank = (uint32_t) (exp(uniform() * log((double) n + 1.0)) - 1.0);

	return rank < n ? rank : n - 1;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *) a;
	uint32_t y = *(const uint32_t *) b;

	return (x > y) - (x < y);
}

/* count distinct items of one user, ascending */
static uint32_t
draw_user(uint32_t *items, uint32_t count, uint32_t n_items)
{
	uint32_t group_size = n_items / GROUPS;
	uint32_t liked[LIKED];
	uint32_t n = 0;
	uint32_t i;

	for (i = 0; i < LIKED; i++)
		liked[i] = zipf(GROUPS);
	for (i = 0; i < count; i++)
	{
		uint32_t group = uniform() < 0.85 ? liked[next_random() % LIKED] : zipf(GROUPS);

		items[i] = group * group_size + zipf(group_size);
	}
	qsort(items, count, sizeof(uint32_t), compare);
	for (i = 0; i < count; i++)
		if (n == 0 || items[i] != items[n - 1])
			items[n++] = items[i];
	return n;
}

int
main(int argc, char **argv)
{
	uint32_t users;
	uint32_t n_items;
	uint64_t pairs;
	uint64_t written = 0;
	uint32_t user;
	uint32_t *items;
	FILE *train;
	FILE *test;

	if (argc != 7)
	{
		fprintf(stderr, "usage: synthetic USERS ITEMS PAIRS SEED TRAIN.csv TEST.csv\n");
		return 2;
	}
	users = (uint32_t) strtoul(argv[1], NULL, 10);
	n_items = (uint32_t) strtoul(argv[2], NULL, 10);
	pairs = strtoull(argv[3], NULL, 10);
	state = strtoull(argv[4], NULL, 10);
	train = fopen(argv[5], "w");
	test = fopen(argv[6], "w");
	items = malloc(sizeof(uint32_t) * n_items);
	if (users == 0 || n_items < GROUPS || train == NULL || test == NULL || items == NULL)
		return 1;
	for (user = 0; user < users; user++)
	{
		/* what is left of the pairs, spread with a long tail; repeats are made up for */
		double mean = (double) (pairs - written) / (double) (users - user);
		uint32_t count = (uint32_t) (1.35 * mean * (0.25 + 1.5 * uniform() * uniform() * 2.0));
		uint32_t n;
		uint32_t i;
		uint32_t held;

		if (count < 4)
			count = 4;
		if (count > n_items / 2)
			count = n_items / 2;
		n = draw_user(items, count, n_items);
		held = user % 10 == 0 && n > 3 ? (uint32_t) (next_random() % n) : n;
		for (i = 0; i < n && written < pairs; i++)
		{
			if (i == held)
				fprintf(test, "%u,%u\n", user, items[i]);
			else
			{
				fprintf(train, "%u,%u\n", user, items[i]);
				written++;
			}
		}
	}
	free(items);
	return fclose(train) == 0 && fclose(test) == 0 ? 0 : 1;
}
