/*
 * quality_validate.c
 *		A split to choose options by: an event of each user's training is to be
 *		found, and the test is not looked at.
 */
#include "quality_data.h"

#include <stdlib.h>

/* 99 items that the user did not have, after the target. */
static void
choose_candidates(Split *split, uint32_t user, uint32_t target, uint8_t *had)
{
	uint64_t begin = split->user_start[user];
	uint64_t end = split->user_start[user + 1];
	uint64_t n = split->candidate_start[user];
	uint64_t state = user + 1;
	uint32_t found = 0;

	split->candidate[n++] = target;
	for (uint64_t i = begin; i < end; i++)
		had[split->row[i].item] = 1;
	for (int tries = 0; found < 99 && tries < 100000; tries++)
	{
		uint32_t item;

		state = state * 6364136223846793005u + 1442695040888963407u;
		item = (uint32_t) ((state >> 32) % split->n_items);
		if (had[item])
			continue;
		had[item] = 1;
		split->candidate[n++] = item;
		found++;
	}
	split->candidate_start[user + 1] = n;
	for (uint64_t i = split->candidate_start[user]; i < n; i++)
		had[split->candidate[i]] = 0;
	for (uint64_t i = begin; i < end; i++)
		had[split->row[i].item] = 0;
}

void
split_validate(Split *split)
{
	uint8_t *had = calloc(split->n_items, 1);

	free(split->candidate_start);
	free(split->candidate);
	split->candidate_start = calloc((size_t) split->n_users + 1, sizeof(uint64_t));
	split->candidate = malloc((size_t) split->n_users * 100 * sizeof(uint32_t));
	for (uint32_t user = 0; user < split->n_users; user++)
	{
		uint64_t last = UINT64_MAX;
		uint64_t chosen = 0;

		for (uint64_t i = split->user_start[user]; i < split->user_start[user + 1]; i++)
		{
			Row *row = &split->row[i];
			uint64_t hash = ((uint64_t) row->user << 32 | row->item) * 0x9e3779b97f4a7c15u;

			if (row->part == TARGET)
				row->part = OTHER;
			else if (row->part == FIT && (row->time != 0 || last == UINT64_MAX || hash > chosen))
			{
				last = i;
				chosen = hash;
			}
		}
		split->candidate_start[user + 1] = split->candidate_start[user];
		if (last == UINT64_MAX)
			continue;
		split->row[last].part = TARGET;
		choose_candidates(split, user, split->row[last].item, had);
	}
	free(had);
}
