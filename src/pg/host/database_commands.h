/*
 * database_commands.h
 *		Commands that need a database without our processes.
 */
#ifndef RSPG_DATABASE_COMMANDS_H
#define RSPG_DATABASE_COMMANDS_H

#include "postgres.h"

extern void rspg_database_commands_init(void);

#endif
