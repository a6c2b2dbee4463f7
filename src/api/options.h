/* options.h -- what a user may set: one table, filled from the environment. */
#ifndef MIA_API_OPTIONS_H
#define MIA_API_OPTIONS_H

#include "base/prelude.h"

typedef enum mia_option {
  MIA_OPTION_SHOW_STATS,
  MIA_OPTION_PURGE_DELAY,
  MIA_OPTION_COUNT
} mia_option;

long mia_api_option(mia_option option);

/* Reads `MIALLOC_<NAME>=value' for every option from a list of strings that
 * ends in NULL, as environ is.  A bad value is reported on stderr, once, and
 * changes nothing. */
void mia_api_read_options(const char *const *environment);

#endif
