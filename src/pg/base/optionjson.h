/*
 * optionjson.h
 *		Algorithms by name, and their options from jsonb.
 */
#ifndef RSPG_OPTIONJSON_H
#define RSPG_OPTIONJSON_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "core/algorithms/algorithms.h"

/* Algorithm by name, or an error that lists them. */
extern const RsAlgorithm *rspg_algorithm(const char *name);

/* Options of algorithm from jsonb (NULL = defaults); errors list the right ones. */
extern void rspg_options_from_jsonb(const RsAlgorithm *algorithm, Jsonb *json, RsOptions *options);

#endif
