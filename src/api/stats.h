/* stats.h -- what the process used, as text. */
#ifndef MIA_API_STATS_H
#define MIA_API_STATS_H

#include "base/prelude.h"

/* Keeps a copy of stderr, since many programs close theirs before they end. */
void mia_api_open_stats(void);

/* Writes the statistics where messages go; if that is stderr, to the copy. */
void mia_api_print_stats(void);

#endif
