/* SPDX-License-Identifier: MIT */
/* stats_scratch.h -- a structure of statistics outside the stack, which may be a small one.
 *
 * The memory comes from the OS.  If the OS has none, freed blocks may do, so that a process at
 * its limit can report what is in use. */
#ifndef MIA_API_STATS_SCRATCH_H
#define MIA_API_STATS_SCRATCH_H

#include "base/prelude.h"

#include <mialloc/stats.h>

/* Returns an empty structure with its `size' set; NULL, with errno set to ENOMEM, if memory is
 * short.  The second function releases it. */
mia_stats *mia_api_take_scratch(void);
void mia_api_give_scratch(mia_stats *stats);

/* Returns how many of `count' classes a structure of `size' bytes includes. */
unsigned mia_api_classes_in(size_t size, unsigned count);

/* Returns true if a structure is smaller than this library's: the program is older. */
mia_inline bool mia_api_is_short(const mia_stats *stats) { return stats->size < sizeof *stats; }

/* Returns a scratch structure with the contents of one that is short; NULL, with errno set to
 * ENOMEM, if memory is short. */
mia_stats *mia_api_full_copy(const mia_stats *from);

#endif
