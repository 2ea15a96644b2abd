/*
 * scores.h
 *		Scores of items, most of which a query never touches: what it costs to fill
 *		them, to go through them and to clear them depends on what was touched.
 */
#ifndef RS_SCORES_H
#define RS_SCORES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct RsScores
{
	uint32_t n;
	float *score;        /* [n], 0 but where touched */
	uint64_t *touched;   /* bit i % 64 of word i / 64 for item i; NULL: not kept */
	uint32_t *words;     /* of touched, those that are not 0, in any order */
	uint32_t n_words;    /* how many */
	bool all;            /* any item may be touched, whatever touched says */
	const float *copied; /* [n], not NULL: the scores stand here, in the model itself */
} RsScores;

/* Words of a bitmap of n items. */
static inline uint32_t
rs_scores_words(uint32_t n)
{
	return n / 64 + (n % 64 != 0);
}

/* Whose score is to be added to. */
static inline void
rs_scores_touch(RsScores *scores, uint32_t item)
{
	uint64_t *word = &scores->touched[item / 64];

	if (*word == 0)
		scores->words[scores->n_words++] = item / 64;
	*word |= (uint64_t) 1 << (item % 64);
}

/* The scores of all items, for who adds to most of them. */
static inline float *
rs_scores_of_all(RsScores *scores)
{
	scores->all = true;
	return scores->score;
}

/* Where the scores of a query are to be read. */
static inline const float *
rs_scores_read(const RsScores *scores)
{
	return scores->copied != NULL ? scores->copied : scores->score;
}

/* Back to no score at all. */
static inline void
rs_scores_clear(RsScores *scores)
{
	if (scores->all || scores->touched == NULL)
		memset(scores->score, 0, (size_t) scores->n * sizeof(float));
	for (uint32_t i = 0; i < scores->n_words; i++)
	{
		uint32_t w = scores->words[i];

		for (uint64_t word = scores->touched[w]; word != 0; word &= word - 1)
			scores->score[w * 64 + (uint32_t) __builtin_ctzll(word)] = 0;
		scores->touched[w] = 0;
	}
	scores->n_words = 0;
	scores->all = scores->touched == NULL;
	scores->copied = NULL;
}

#endif
