/* census.h -- counting what is in use. */
#ifndef MIA_API_STATS_WALK_H
#define MIA_API_STATS_WALK_H

#include "theap/theap.h"

#include <mialloc/stats.h>

/* Whose pages and counters are wanted; all NULL: everybody's. */
typedef struct mia_stats_walk {
  const mia_heap *heap;       /* of this heap */
  const mia_subproc *subproc; /* of the heaps of this sub-process */
  const mia_theap *thread;    /* owned by this thread, for the main heap */
} mia_stats_walk;

/* Fills in all of *stats but `size'. */
void mia_api_count(const mia_stats_walk *wanted, mia_stats *stats);

#endif
