/* caught.h -- a call of a function of the program that may throw. */
#ifndef MIA_API_CAUGHT_H
#define MIA_API_CAUGHT_H

#include "base/prelude.h"

/* What function(arg) returns, or NULL if it throws, whatever that is. */
mia_cold void *mia_api_caught(void *(*function)(const void *arg), const void *arg);

#endif
