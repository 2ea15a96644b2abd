/*
 * quality_data.h
 *		Splits of public data sets, ready to train on and to test against.
 */
#ifndef QUALITY_DATA_H
#define QUALITY_DATA_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Row
{
	uint32_t user;
	uint32_t item;
	float weight;
	int64_t time;
	int part; /* see below */
} Row;

enum
{
	FIT,     /* trained on, in the history */
	HISTORY, /* not trained on, in the history */
	TARGET,  /* to be found */
	OTHER    /* left out */
};

typedef struct Split
{
	Row *row; /* by user, FIT and HISTORY in the order of time */
	uint64_t n;
	uint32_t n_users;
	uint32_t n_items;
	bool timed;
	bool repeats;              /* targets may be in the history, which is ranked too */
	uint64_t *user_start;      /* [n_users + 1] into row */
	uint64_t *candidate_start; /* [n_users + 1], or NULL: all items are ranked */
	uint32_t *candidate;
	uint32_t n_features; /* 0: none are known */
	float *features;     /* [n_users][n_features] */
} Split;

/* Load a data set from its folder; its last part names the protocol.  False,
 * with a word on stderr, where there is none.  weights: "one", "log" or "sum"; features:
 * of the users, too. */
extern bool split_load(Split *split, const char *folder, const char *weights, bool features);

/* Train on what is in the history only, too. */
extern void split_fit_history(Split *split);
/* Find each user's last event of the training (where times are unknown, one chosen
 * by a hash) among 99 items that the user did not have, in place of the targets. */
extern void split_validate(Split *split);
/* Find each user's first targets alone, those of one time, whether the history has them
 * or not. */
extern void split_next(Split *split);
extern void split_free(Split *split);

#endif
