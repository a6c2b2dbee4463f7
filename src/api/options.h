/* options.h -- what a user may set: one table, filled from the environment. */
#ifndef MIA_API_OPTIONS_H
#define MIA_API_OPTIONS_H

#include "api/world.h"

/* Reads `MIALLOC_<NAME>=value' for every option from a list of strings that
 * ends in NULL, as environ is.  A bad value is reported, once, and changes
 * nothing. */
void mia_api_read_options(const char *const *environment);

/* Does so with the environment of the process, the first time it is called. */
void mia_api_begin_options(void);

/* The value of an option that exists. */
mia_inline bool mia_api_is_on(mia_option option) { return mia_option_get(option) != 0; }

/* Writes "mialloc: WHAT" as a line, unless so many were written already. */
mia_cold void mia_api_warn(const char *what);

#endif
