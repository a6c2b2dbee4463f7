/* SPDX-License-Identifier: MIT */
/* caught.h -- calls a function of the program that may throw. */
#ifndef MIA_API_CAUGHT_H
#define MIA_API_CAUGHT_H

#include "base/prelude.h"

/* Returns what function(arg) returns, or NULL if that throws an exception of any kind. */
mia_cold void *mia_api_call_catching(void *(*function)(const void *arg), const void *arg);

#endif
