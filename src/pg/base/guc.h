/*
 * guc.h
 *		Settings of models.
 */
#ifndef RSPG_GUC_H
#define RSPG_GUC_H

extern char *recsys_model;          /* recsys.model: default model */
extern int recsys_threads;          /* recsys.threads */
extern int recsys_train_memory;     /* recsys.train_memory, kB */
extern int recsys_max_model_size;   /* recsys.max_model_size, kB */
extern int recsys_local_cache_size; /* recsys.local_cache_size, kB */
extern void rspg_guc_init(void);

#endif
