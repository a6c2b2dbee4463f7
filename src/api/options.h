/* SPDX-License-Identifier: MIT */
/* options.h -- the options that a user may set: one table, filled from the environment. */
#ifndef MIA_API_OPTIONS_H
#define MIA_API_OPTIONS_H

#include "api/world.h"

/* Reads `MIALLOC_<NAME>=value' for every option from a list of strings that ends in NULL, like
 * environ.  A bad value is reported once and changes nothing. */
void mia_api_read_options(const char *const *environment);

/* Reads the environment of the process, at the first call only. */
void mia_api_begin_options(void);

/* Returns true if the option, which exists, is not 0. */
mia_inline bool mia_api_is_on(mia_option option) { return mia_option_get(option) != 0; }

/* Writes "mialloc: WHAT" as a line, unless MIALLOC_MAX_WARNINGS lines have already been
 * written. */
mia_cold void mia_api_warn(const char *what);

#endif
