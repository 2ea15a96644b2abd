/*
 * indexer.c
 *		string_indexer and string_index: texts to numbers by frequency, as
 *		Spark's StringIndexer.
 */
#include "pg/base/rspg.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/base/aggregate.h"
#include "pg/base/guc.h"
#include "pg/encode/encoder_type.h"

typedef struct IndexerState
{
	RsContext ctx;
	RsVocabulary labels;
} IndexerState;

typedef struct OpenedLabels
{
	RspgKept kept;
	RsVocabulary labels;
} OpenedLabels;

PG_FUNCTION_INFO_V1(recsys_string_indexer_transfn);
PG_FUNCTION_INFO_V1(recsys_string_indexer_finalfn);
PG_FUNCTION_INFO_V1(recsys_string_index);

/* (internal, text); nulls are no label. */
Datum
recsys_string_indexer_transfn(PG_FUNCTION_ARGS)
{
	MemoryContext aggcontext = rspg_aggregate_context(fcinfo);
	IndexerState *state;
	struct varlena *value;
	RsText text;

	if (PG_ARGISNULL(0))
	{
		state = MemoryContextAllocZero(aggcontext, sizeof(IndexerState));
		state->ctx = rspg_context(aggcontext);
		state->ctx.memory_limit = (Size) recsys_train_memory * 1024;
	}
	else
		state = (IndexerState *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	value = PG_GETARG_VARLENA_PP(1);
	text.data = VARDATA_ANY(value);
	text.length = (uint32_t) VARSIZE_ANY_EXHDR(value);
	rspg_fit_check(&state->ctx, rs_vocabulary_add(&state->ctx, &state->labels, text, 1));
	PG_RETURN_POINTER(state);
}

/* NULL over no rows at all. */
Datum
recsys_string_indexer_finalfn(PG_FUNCTION_ARGS)
{
	IndexerState *state;
	struct varlena *value;

	(void) rspg_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (IndexerState *) PG_GETARG_POINTER(0);
	rspg_fit_check(&state->ctx, rs_vocabulary_sort(&state->ctx, &state->labels, false, 0));
	value = rspg_vocabulary_value(&state->ctx, &state->labels);
	rs_vocabulary_free(&state->ctx, &state->labels);
	PG_RETURN_POINTER(value);
}

static void
open_labels(RspgKept *kept, struct varlena *value)
{
	RsContext ctx = rspg_context(kept->mcxt);

	rspg_check(&ctx, rs_vocabulary_read(&ctx, RSPG_ENCODER_BYTES(value), RSPG_ENCODER_LENGTH(value),
										&((OpenedLabels *) kept)->labels));
}

/* What unseen says, where it says anything but error: keep true, skip false. */
static bool
keeps_unseen(text *unseen, const char *value, int length)
{
	char *word = text_to_cstring(unseen);

	if (strcmp(word, "keep") == 0)
		return true;
	if (strcmp(word, "skip") == 0)
		return false;
	if (strcmp(word, "error") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unrecognized value \"%s\" of unseen",
							   pnstrdup(word, pg_mbcliplen(word, strlen(word), 60))),
						errhint("The values are error, keep and skip.")));
	if (value == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("value is null"),
						errhint("Say unseen => 'keep' or 'skip' to take nulls.")));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("value \"%s\" is not a label of the string indexer",
						   pnstrdup(value, pg_mbcliplen(value, length, 60))),
					errhint("Say unseen => 'keep' or 'skip' to take values that were not seen.")));
	return false;
}

/* (value text, fitted, unseen text) */
Datum
recsys_string_index(PG_FUNCTION_ARGS)
{
	OpenedLabels *opened;
	struct varlena *value = NULL;
	int64 code = -1;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	opened = (OpenedLabels *) rspg_kept_value(fcinfo, 1, sizeof(OpenedLabels), open_labels);
	if (!PG_ARGISNULL(0))
	{
		value = PG_GETARG_VARLENA_PP(0);
		code = rs_vocabulary_find(&opened->labels, VARDATA_ANY(value),
								  (uint32) VARSIZE_ANY_EXHDR(value));
	}
	if (code < 0)
	{
		if (!keeps_unseen(PG_GETARG_TEXT_PP(2), value != NULL ? VARDATA_ANY(value) : NULL,
						  value != NULL ? (int) VARSIZE_ANY_EXHDR(value) : 0))
			PG_RETURN_NULL();
		code = opened->labels.n;
	}
	PG_RETURN_INT32((int32) code);
}
