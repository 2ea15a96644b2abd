/*
 * model_rows.c
 *		recsys.model_factors, recsys.model_neighbors: what a model has learnt of items, as
 *		rows.
 */
#include "pg/base/rspg.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "core/model/derived.h"
#include "pg/base/idarray.h"
#include "pg/base/idmap.h"
#include "pg/model/store.h"

/* Rows of a model on their way into a result. */
typedef struct Output
{
	const RsModel *model;
	ReturnSetInfo *result;
	RspgConverter to_text;
	MemoryContext row; /* of one row */
} Output;

PG_FUNCTION_INFO_V1(recsys_model_factors);
PG_FUNCTION_INFO_V1(recsys_model_neighbors);

static Output
begin(FunctionCallInfo fcinfo)
{
	RspgStored *stored =
		rspg_store_open_value(fcinfo->flinfo, (struct varlena *) PG_GETARG_POINTER(0));
	Output output = {.model = rs_serving_model(stored->serving),
					 .result = (ReturnSetInfo *) fcinfo->resultinfo};

	InitMaterializedSRF(fcinfo, 0);
	rspg_converter_init(&output.to_text, rspg_id_type_oid(output.model->ids.type), TEXTOID);
	output.row = AllocSetContextCreate(CurrentMemoryContext, "recsys row", ALLOCSET_DEFAULT_SIZES);
	return output;
}

static Datum
id_of(Output *output, uint32 item)
{
	Datum id;

	(void) rspg_convert_id(&output->to_text, rspg_ids_datum(&output->model->ids, item), &id);
	return id;
}

static void
refuse(const RsModel *model, const char *what, const char *hint)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("a model of algorithm \"%s\" has no %s", model->algorithm->name, what),
					errhint("%s", hint)));
}

/*
 * recsys.model_factors(model recsys.model)
 */
Datum
recsys_model_factors(PG_FUNCTION_ARGS)
{
	Output output = begin(fcinfo);
	RsFactors factors;
	uint32 item;

	if (output.model->algorithm->kind != RS_QUERY_FACTORS)
		refuse(output.model, "factors",
			   "recsys.model_neighbors() gives the weights between items.");
	factors = rs_model_factors(output.model);
	for (item = 0; item < factors.n; item++)
	{
		MemoryContext before = MemoryContextSwitchTo(output.row);
		ArrayType *array;
		Datum values[2];
		bool nulls[2] = {false, false};
		Size bytes = (Size) factors.dim * sizeof(float4);

		CHECK_FOR_INTERRUPTS();
		array = palloc0(ARR_OVERHEAD_NONULLS(1) + bytes);
		SET_VARSIZE(array, ARR_OVERHEAD_NONULLS(1) + bytes);
		array->ndim = 1;
		array->elemtype = FLOAT4OID;
		ARR_DIMS(array)[0] = (int) factors.dim;
		ARR_LBOUND(array)[0] = 1;
		memcpy(ARR_DATA_PTR(array), rs_factors_row(&factors, item), bytes);
		values[0] = id_of(&output, item);
		values[1] = PointerGetDatum(array);
		MemoryContextSwitchTo(before);
		tuplestore_putvalues(output.result->setResult, output.result->setDesc, values, nulls);
		MemoryContextReset(output.row);
	}
	return (Datum) 0;
}

/*
 * recsys.model_neighbors(model recsys.model)
 */
Datum
recsys_model_neighbors(PG_FUNCTION_ARGS)
{
	Output output = begin(fcinfo);
	const RsModel *model = output.model;
	uint32 item;

	if (model->algorithm->row == NULL)
		refuse(model, "weights between items",
			   model->algorithm->kind == RS_QUERY_FACTORS
				   ? "recsys.model_factors() gives the vectors of items."
				   : "Models of ease, item_knn and sequence have.");
	for (item = 0; item < model->ids.n; item++)
	{
		RsItemRow row = model->algorithm->row(model, item);
		MemoryContext before = MemoryContextSwitchTo(output.row);
		Datum values[3] = {id_of(&output, item)};
		bool nulls[3] = {false, false, false};
		uint32 i;

		CHECK_FOR_INTERRUPTS();
		for (i = 0; i < row.n; i++)
		{
			if (row.value[i] == 0)
				continue;
			values[1] = id_of(&output, row.item == NULL ? i : row.item[i]);
			values[2] = Float4GetDatum(row.value[i]);
			tuplestore_putvalues(output.result->setResult, output.result->setDesc, values, nulls);
		}
		MemoryContextSwitchTo(before);
		MemoryContextReset(output.row);
	}
	return (Datum) 0;
}
