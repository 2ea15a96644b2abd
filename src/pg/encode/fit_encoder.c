/*
 * fit_encoder.c
 *		The aggregate fit_encoder: rows and a spec in, recsys.encoder out.
 *
 *	SELECT recsys.fit_encoder(u, '{"age": {"impute": "mean", "scale": "standard"}}') FROM users u;
 *
 * The final function consumes the state, hence FINALFUNC_MODIFY = READ_WRITE.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/encoding/encoder_fit.h"
#include "pg/base/aggregate.h"
#include "pg/base/guc.h"
#include "pg/encode/encoder_type.h"
#include "pg/encode/jsonvalues.h"
#include "pg/encode/rowvalues.h"

typedef struct FitState
{
	MemoryContext mcxt;
	RsContext ctx;
	RsEncoderFit *fit;
	Jsonb *spec;
	bool json; /* rows are JSON objects */
	RsValue *values;
	RspgRowMap *map;
} FitState;

static FitState *start(FunctionCallInfo fcinfo);

PG_FUNCTION_INFO_V1(recsys_fit_encoder_transfn);
PG_FUNCTION_INFO_V1(recsys_fit_encoder_finalfn);

/* (internal, row, spec): the state, made or checked against this row's spec. */
static FitState *
start(FunctionCallInfo fcinfo)
{
	MemoryContext aggcontext = rspg_aggregate_context(fcinfo);
	MemoryContext mcxt;
	FitState *state;
	Jsonb *spec;
	char *text;

	if (PG_ARGISNULL(2))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("spec must not be null")));
	spec = PG_GETARG_JSONB_P(2);
	if (!PG_ARGISNULL(0))
	{
		state = (FitState *) PG_GETARG_POINTER(0);
		if (VARSIZE(spec) != VARSIZE(state->spec) || memcmp(spec, state->spec, VARSIZE(spec)) != 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("spec must be the same in every row")));
		return state;
	}
	mcxt = AllocSetContextCreate(aggcontext, "recsys fit_encoder", ALLOCSET_DEFAULT_SIZES);
	state = MemoryContextAllocZero(mcxt, sizeof(FitState));
	state->mcxt = mcxt;
	state->json = get_fn_expr_argtype(fcinfo->flinfo, 1) == JSONBOID;
	state->ctx = rspg_context(mcxt);
	state->ctx.memory_limit = (Size) recsys_train_memory * 1024;
	state->spec = MemoryContextAlloc(mcxt, VARSIZE(spec));
	memcpy(state->spec, spec, VARSIZE(spec));
	text = JsonbToCString(NULL, &spec->root, VARSIZE(spec));
	rspg_fit_check(&state->ctx,
				   rs_encoder_fit_create(&state->ctx, text, strlen(text), &state->fit));
	state->values = MemoryContextAllocZero(
		mcxt, sizeof(RsValue) * rs_encoder_columns(rs_encoder_fit_target(state->fit)));
	return state;
}

/* (internal, row record or jsonb, spec jsonb) */
Datum
recsys_fit_encoder_transfn(PG_FUNCTION_ARGS)
{
	FitState *state = start(fcinfo);
	const RsEncoder *target = rs_encoder_fit_target(state->fit);

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	if (state->json)
		rspg_encoder_values_jsonb(target, PG_GETARG_JSONB_P(1), false, state->values);
	else
		rspg_encoder_values_row(target, PG_GETARG_HEAPTUPLEHEADER(1), state->values, &state->map,
								state->mcxt);
	rspg_fit_check(&state->ctx, rs_encoder_fit_add(&state->ctx, state->fit, state->values));
	PG_RETURN_POINTER(state);
}

/* NULL over no rows at all; an error where a column had no value to fit on. */
Datum
recsys_fit_encoder_finalfn(PG_FUNCTION_ARGS)
{
	FitState *state;
	RsEncoder *encoder;
	struct varlena *value;

	(void) rspg_aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (FitState *) PG_GETARG_POINTER(0);
	rspg_fit_check(&state->ctx, rs_encoder_fit_finish(&state->ctx, state->fit, &encoder));
	value = rspg_encoder_value(&state->ctx, encoder);
	MemoryContextDelete(state->mcxt);
	PG_RETURN_POINTER(value);
}
