/*
 * rspg.h
 *		What the files of src/pg share: PostgreSQL's own head, and the seam to the
 *		core.
 *
 * This room is thin: it turns datums into the core's numbers and back, reads
 * and writes tables as the caller, and turns a core status into an SQLSTATE.
 */
#ifndef RSPG_H
#define RSPG_H

#include "postgres.h"

#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h" /* was in postgres.h before */
#endif

#include "pg/base/seam.h"

#endif
