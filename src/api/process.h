/* SPDX-License-Identifier: MIT */
/* process.h -- the start and the end of a process, and its forks. */
#ifndef MIA_API_PROCESS_H
#define MIA_API_PROCESS_H

#include "base/prelude.h"

/* A symbol that links the object of process.c together with that of tick.c: its constructors belong
 * to every program that allocates, and nothing there calls them. */
extern const char mia_api_process_is_linked __attribute__((visibility("hidden")));

/* Registers our fork handlers, once. */
void mia_api_register_fork(void);

#endif
