/* Weights that decay with age: whatever the half-life, every algorithm ranks what
 * is alive above what is dead, and no score leaves its scale. */
#include "items.h"

#include "core/serving/serving.h"

#define TWINS 24 /* items 0 .. 23 were used a year ago, 24 .. 47 are their twins of today */
#define USERS 90
#define TOP 8
#define FIRST 3 /* so many of a taste's 8 fresh items a user has not seen, at least */

static const double half_lives[] = {1.0 / 24, 0.5, 1,  2,  2.4, 2.5, 2.6, 3,    4,   7,
									14,       30,  60, 90, 180, 365, 560, 1000, 3650};

/* 2^-(age / half_life) in days, as training reads it. */
static float
decayed(double age, double half_life)
{
	double exponent = -age / half_life;

	return (float) exp2(exponent < -1000 ? -1000 : exponent);
}

static void
add(Case *c, uint32_t user, uint32_t item, double age, double half_life)
{
	c->user[c->n] = user;
	c->item[c->n] = item;
	c->weight[c->n] = decayed(age, half_life);
	c->time[c->n++] = (int64_t) (-age * 86400);
}

/*
 * Three tastes.  The first third of the users stopped a year ago, the last third
 * began today, those between did then what they do now: dead items and their
 * twins differ by their age alone.
 */
static void
fill(Case *c, double half_life)
{
	uint64_t seed = 17;

	memset(c, 0, sizeof *c);
	c->n_users = USERS;
	c->n_items = 2 * TWINS;
	c->timed = true;
	for (uint32_t user = 0; user < USERS; user++)
	{
		uint32_t kind = user / (USERS / 3);

		for (int n = 0; n < 5; n++)
		{
			uint32_t item = (uint32_t) (unit_random(&seed) % (TWINS / 3)) * 3 + user % 3;
			double hour = (20 - n) / 24.0;

			if (kind < 2)
				add(c, user, item, 365 + hour, half_life);
			if (kind > 0)
				add(c, user, TWINS + item, hour / 24, half_life);
		}
	}
}

/* What a user did, oldest first. */
static RsHistory
history_of(const Case *c, uint32_t user, uint32_t *item, float *weight, uint64_t *seen)
{
	RsHistory history = {.item = item, .weight = weight};

	*seen = 0;
	for (int fresh = 0; fresh < 2; fresh++)
		for (uint32_t i = 0; i < c->n; i++)
			if (c->user[i] == user && (c->item[i] >= TWINS) == fresh)
			{
				item[history.n] = c->item[i];
				weight[history.n++] = c->weight[i];
				*seen |= UINT64_C(1) << c->item[i];
			}
	return history;
}

/* Shares of fresh items among the first of all users who are alive; the largest
 * score. */
static double
share_of_fresh(const Case *c, const RsAlgorithm *algorithm, const RsOptions *options,
			   float *largest)
{
	RsContext ctx = rs_context_malloc();
	Bytes bytes = {0, NULL};
	RsServing *serving;
	RsScratch *scratch;
	RsModel model;
	uint32_t item[16];
	float weight[16];
	RsHit hits[TOP];
	double fresh = 0;
	double all = 0;

	*largest = 0;
	if (case_train(&ctx, c, 0, algorithm, options, &model) != RS_OK)
	{
		printf("%s: %s\n", algorithm->name, ctx.message);
		return 0;
	}
	bytes.data = malloc(rs_model_size(&model));
	CHECK(rs_model_write(&ctx, &model, keep_bytes, &bytes) == RS_OK);
	rs_model_free(&ctx, &model);
	serving = rs_serving_open(&ctx, rs_algorithms(), bytes.data, bytes.n);
	scratch = rs_scratch_create(&ctx, serving);
	for (uint32_t user = 0; user < USERS; user++)
	{
		uint64_t seen;
		RsHistory history = history_of(c, user, item, weight, &seen);
		RsMask mask = {.exclude = &seen};
		uint32_t n;

		CHECK(rs_serving_recommend(&ctx, serving, scratch, &history, &mask, TOP, hits, &n) ==
			  RS_OK);
		for (uint32_t i = 0; i < n; i++)
		{
			*largest = fmaxf(*largest, fabsf(hits[i].score));
			seen |= UINT64_C(1) << hits[i].item;
		}
		n += rs_serving_popular(serving, &mask, NULL, TOP - n, hits + n);
		for (uint32_t i = 0; i < FIRST; i++)
		{
			fresh += hits[i].item >= TWINS;
			all++;
		}
	}
	rs_scratch_free(&ctx, scratch);
	rs_serving_close(&ctx, serving);
	free(bytes.data);
	CHECK(ctx.memory_used == 0);
	return fresh / all;
}

static void
check_half_lives(const RsAlgorithm *algorithm, const RsOptions *options)
{
	static Case c;

	for (size_t i = 0; i < sizeof(half_lives) / sizeof(half_lives[0]); i++)
	{
		float largest;
		double share;

		fill(&c, half_lives[i]);
		share = share_of_fresh(&c, algorithm, options, &largest);
		/* a year is 12 half-lives: nothing dead; less: the fresh come first more often */
		if (share < (half_lives[i] <= 30 ? 1 : 0.5) || !(largest < 1e3))
			printf("%s, half-life %g days: %.2f fresh, scores to %g\n", algorithm->name,
				   half_lives[i], share, largest);
		CHECK(share >= (half_lives[i] <= 30 ? 1 : 0.5));
		CHECK(largest < 1e3);
	}
}

TEST(fresh_above_dead)
{
	for (const RsAlgorithm *const *algorithm = rs_algorithms(); *algorithm != NULL; algorithm++)
	{
		RsOptions options;

		rs_options_default(&options, (*algorithm)->options);
		if (*algorithm == &rs_als)
			set_option(&options, "factors", 8);
		if (*algorithm == &rs_mlp)
		{
			set_option(&options, "history", 8);
			set_option(&options, "epochs", 40);
			set_option(&options, "learning_rate", 0.01);
		}
		check_half_lives(*algorithm, &options);
	}
}

/* Exponents that take the norms to their highest power. */
TEST(norms_have_no_scale)
{
	static const char *const names[][3] = {{"user_exponent", "source_exponent", "target_exponent"},
										   {"user_exponent"},
										   {"source_exponent", "target_exponent"}};
	const RsAlgorithm *const algorithm[] = {&rs_item_knn, &rs_ease, &rs_sequence};

	for (int a = 0; a < 3; a++)
	{
		RsOptions options;

		rs_options_default(&options, algorithm[a]->options);
		for (int i = 0; i < 3 && names[a][i] != NULL; i++)
			set_option(&options, names[a][i], 2);
		check_half_lives(algorithm[a], &options);
	}
}

UNIT_MAIN(fresh_above_dead, norms_have_no_scale)
