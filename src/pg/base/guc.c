/*
 * guc.c
 *		Settings of models, alphabetical; those of workers and streams are defined
 *		where they are used.
 */
#include "postgres.h"

#include <limits.h>

#include "utils/guc.h"

#include "core/base/threads.h"
#include "pg/base/guc.h"

#define DEFAULT_LOCAL_CACHE_KB (256 * 1024)
#define DEFAULT_MAX_MODEL_KB (256 * 1024)
/* 512 MB less 1 kB: the longest value whose hex text form still fits in 1 GB */
#define MAX_MAX_MODEL_KB (512 * 1024 - 1)
#define DEFAULT_THREADS 2
#define DEFAULT_TRAIN_MEMORY_KB (1024 * 1024)
#define MIN_TRAIN_MEMORY_KB 64

/*
 * recsys.local_cache_size: bytes of opened models that one backend keeps
 * between calls.  The model that was used last always stays, so a value that
 * is too small costs time only when several models take turns.
 */
int recsys_local_cache_size = DEFAULT_LOCAL_CACHE_KB;

/*
 * recsys.max_model_size: largest value of type recsys.model that is made or
 * accepted.  A value is handled whole, and dumps print it as text, hence the
 * ceiling.  Models trained by recsys.train() are stored in pieces and know no
 * such limit.
 */
int recsys_max_model_size = DEFAULT_MAX_MODEL_KB;

/*
 * recsys.model: the model that recommend() and friends use when none is named.
 * Empty: the only model there is.
 */
char *recsys_model = NULL;

/*
 * recsys.threads: threads of one training, the backend's own included.  Answers
 * do not depend on it.
 */
int recsys_threads = DEFAULT_THREADS;

/*
 * recsys.train_memory: bytes that one training may hold: events, dictionaries,
 * matrices and the model.  A training that would pass it ends with an error
 * before the allocation.
 */
int recsys_train_memory = DEFAULT_TRAIN_MEMORY_KB;

void
rspg_guc_init(void)
{
	DefineCustomIntVariable(
		"recsys.local_cache_size", "Sets the memory for opened models that a session keeps.",
		"The model used last is kept whatever its size.", &recsys_local_cache_size,
		DEFAULT_LOCAL_CACHE_KB, 0, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("recsys.max_model_size", "Sets the largest value of type recsys.model.",
							NULL, &recsys_max_model_size, DEFAULT_MAX_MODEL_KB, 1, MAX_MAX_MODEL_KB,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"recsys.model", "Sets the model to use where a call names none.",
		"Empty means the only model of the caller, or else of the database's owner.", &recsys_model,
		"", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("recsys.threads", "Sets the number of threads of one training.",
							"The result does not depend on it.", &recsys_threads, DEFAULT_THREADS,
							1, RS_MAX_THREADS, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("recsys.train_memory", "Sets the memory that one training may use.",
							NULL, &recsys_train_memory, DEFAULT_TRAIN_MEMORY_KB,
							MIN_TRAIN_MEMORY_KB, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL,
							NULL, NULL);
}
