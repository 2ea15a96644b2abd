/*
 * modelmeta.h
 *		Metadata and options of a model file.
 */
#ifndef RS_MODELMETA_H
#define RS_MODELMETA_H

#include "core/base/json_read.h"
#include "core/model/model.h"

/* Read and check the object that is the value of __metadata__: sets all of the
 * model and its parts but the ids' values and the tensors. */
extern RsStatus rs_model_read_metadata(RsContext *ctx, const RsAlgorithm *const *table,
									   RsJson *json, RsModel *model);

#endif
