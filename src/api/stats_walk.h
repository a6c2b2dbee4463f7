/* SPDX-License-Identifier: MIT */
/* stats_walk.h -- the statistics walk: counts what is in use. */
#ifndef MIA_API_STATS_WALK_H
#define MIA_API_STATS_WALK_H

#include "theap/theap.h"

#include <mialloc/stats.h>

/* Selects pages and counters.  If all are NULL, the walk counts the whole process. */
typedef struct mia_stats_walk {
  const mia_heap *heap;       /* of this heap */
  const mia_subproc *subproc; /* of the heaps of this sub-process */
  const mia_theap *thread;    /* owned by this thread, for the main heap */
} mia_stats_walk;

/* Fills in all of *stats except `size'. */
void mia_api_count_stats(const mia_stats_walk *wanted, mia_stats *stats);

#endif
