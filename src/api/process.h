/* process.h -- the start and the end of a process, and its forks. */
#ifndef MIA_API_PROCESS_H
#define MIA_API_PROCESS_H

#include "base/prelude.h"

/* Registers our fork handlers, once. */
void mia_api_register_fork(void);

#endif
