/*
 * create_features.c
 *		What recsys.create_model() checks of features and the relation of users.
 */
#include "pg/model/create_features.h"

#include "utils/lsyscache.h"

#include "core/encoding/encoder_fit.h"
#include "pg/base/seam.h"
#include "pg/encode/jsonvalues.h"

static void check_input(const RsAlgorithm *algorithm, const RsOptions *options);
static void check_user_column(Oid users, const char *column);
static void check_spec(Jsonb *features, Oid users);

void
rspg_check_features(const RsAlgorithm *algorithm, const RsOptions *options, Jsonb *features,
					Oid users, const char *user_column)
{
	if (features == NULL)
	{
		check_input(algorithm, options);
		return;
	}
	if (!(rs_algorithm_flags(algorithm, options, false) & RS_FEATURES))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("algorithm \"%s\" does not use features", algorithm->name),
						errhint("Leave features out.")));
	if (!OidIsValid(users))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("features need users"),
						errhint("Name the relation that has the columns: users => 'users'.")));
	check_user_column(users, user_column);
	check_spec(features, users);
}

/*
 * Without features, only the history is left to learn from.
 */
static void
check_input(const RsAlgorithm *algorithm, const RsOptions *options)
{
	unsigned flags = rs_algorithm_flags(algorithm, options, false);

	if ((flags & RS_HISTORY) || !(flags & RS_FEATURES))
		return;
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("algorithm \"%s\" needs features or a history", algorithm->name),
					errhint("Give users and features, or an option such as {\"history\": 64}.")));
}

static void
check_user_column(Oid users, const char *column)
{
	if (get_attnum(users, column) == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of \"%s\" does not exist", column, get_rel_name(users)),
				 errhint("The user column has the same name in source and users; use a view where "
						 "it has not.")));
}

/*
 * A spec that fit_encoder() takes, over columns that are there.
 */
static void
check_spec(Jsonb *features, Oid users)
{
	RsContext ctx = rspg_context(CurrentMemoryContext);
	char *spec = JsonbToCString(NULL, &features->root, VARSIZE(features));
	RsEncoderFit *fit;
	ListCell *cell;

	rspg_check(&ctx, rs_encoder_fit_create(&ctx, spec, strlen(spec), &fit));
	rs_encoder_fit_free(&ctx, fit);
	foreach (cell, rspg_spec_columns(features))
		if (get_attnum(users, lfirst(cell)) == InvalidAttrNumber)
			ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("column \"%s\" of \"%s\" does not exist", (char *) lfirst(cell),
								   get_rel_name(users)),
							errdetail("The features name it.")));
}
