/*
 * answer_features.c
 *		What is known of a user, in an answer: rows and objects go through the
 *		model's own encoder, vectors go in as they are.
 */
#include "pg/serve/answer.h"

#include "pg/encode/encode_fn.h"
#include "pg/encode/vector.h"

static void check_uses_features(const RspgAnswer *answer);

static void
check_uses_features(const RspgAnswer *answer)
{
	if (answer->model->algorithm->n_features == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("algorithm \"%s\" does not use features", answer->model->algorithm->name),
				 errhint("Use recsys.recommend() or recsys.recommend_for_items().")));
}

/* Room for what the encoder makes. */
static const RsEncoder *
begin_encoding(RspgAnswer *answer)
{
	const RsEncoder *encoder = rspg_store_encoder(answer->stored);

	if (encoder != NULL)
	{
		answer->n_features = rs_encoder_width(encoder);
		answer->features = palloc(Max(answer->n_features, 1) * sizeof(float));
	}
	return encoder;
}

/* A value whose policy is to skip the row: nothing is known then. */
static void
forget_features(RspgAnswer *answer)
{
	pfree(answer->features);
	answer->features = NULL;
	answer->n_features = 0;
}

void
rspg_answer_user_row(RspgAnswer *answer, HeapTupleHeader row)
{
	const RsEncoder *encoder = begin_encoding(answer);

	/* a version that was saved as a value may have none */
	if (encoder != NULL && !rspg_encoder_encode_row(encoder, row, answer->features,
													&answer->stored->row_map, answer->stored->mcxt))
		forget_features(answer);
}

void
rspg_answer_user_object(RspgAnswer *answer, Jsonb *object)
{
	const RsEncoder *encoder;

	check_uses_features(answer);
	encoder = begin_encoding(answer);
	if (encoder == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the model has no encoder"),
				 errdetail("It was trained on vectors of %u features.",
						   answer->model->algorithm->n_features(answer->model)),
				 errhint("Pass features as real[], for example from recsys.encode().")));
	if (!rspg_encoder_encode_jsonb(encoder, object, answer->features))
		forget_features(answer);
}

void
rspg_answer_features(RspgAnswer *answer, ArrayType *array)
{
	const float *values;
	int n;

	check_uses_features(answer);
	values = rspg_features_array(array, 0, &n);
	answer->n_features = (uint32) n;
	answer->features = palloc(Max(n, 1) * sizeof(float));
	memcpy(answer->features, values, n * sizeof(float));
}
