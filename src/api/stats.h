/* SPDX-License-Identifier: MIT */
/* stats.h -- statistics as text. */
#ifndef MIA_API_STATS_H
#define MIA_API_STATS_H

#include "base/prelude.h"

/* Duplicates stderr, since many programs close theirs before they end. */
void mia_api_open_stats(void);

/* Writes the statistics where messages go; if that is stderr, to the duplicate. */
void mia_api_print_stats(void);

#endif
