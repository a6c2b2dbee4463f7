/* census.h -- counting what is in use. */
#ifndef MIA_API_CENSUS_H
#define MIA_API_CENSUS_H

#include "local/local.h"

#include <mialloc/stats.h>

/* Whose pages and counters are wanted; all NULL: everybody's. */
typedef struct mia_census {
  const mia_heap *heap;       /* of this heap */
  const mia_subproc *subproc; /* of the heaps of this sub-process */
  const mia_local *thread;    /* owned by this thread, for the main heap */
} mia_census;

/* Fills in all of *stats but `size'. */
void mia_api_count(const mia_census *wanted, mia_stats *stats);

#endif
