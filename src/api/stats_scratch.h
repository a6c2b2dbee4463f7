/* sheet.h -- a structure of statistics that lies on no stack: that may be a small one.
 *
 * The OS has one; where it has none to give, blocks that were freed may do, so that a
 * process at its limit can tell what is in use. */
#ifndef MIA_API_STATS_SCRATCH_H
#define MIA_API_STATS_SCRATCH_H

#include "base/prelude.h"

#include <mialloc/stats.h>

/* Empty, with its size; NULL and ENOMEM: no memory. */
mia_stats *mia_api_take_scratch(void);
void mia_api_give_scratch(mia_stats *sheet);

/* How many classes a structure of `size' bytes has, of those that it should. */
unsigned mia_api_classes_in(size_t size, unsigned count);

/* Whether a structure has less than this library's: the program is older. */
mia_inline bool mia_api_is_short(const mia_stats *stats) { return stats->size < sizeof *stats; }

/* A sheet with what there is of a structure that is short; NULL and ENOMEM: no memory. */
mia_stats *mia_api_complete(const mia_stats *from);

#endif
